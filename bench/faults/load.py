"""A running load of numbered messages, and an ear for what is released of them.

Two publishers: one that is certain (it waits for receipts, and sends again what has none), one that is plain (QoS 1: it sends again
what Mosquitto has not acknowledged when the connection was lost). Both make messages by the clock and none while too many have
no answer, as a device does whose memory is full. One in some hundred is not to be taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from broker import times
from broker.errors import Unavailable
from broker.mqtt import codec, connection
from broker.mqtt.codec import Message
from broker.mqtt.connection import Account, Connection

BEGIN = times.parse("2026-01-01T00:00:00Z")
REFUSED_EVERY = 250
STEP_S = 0.02
RECONNECT_S = 0.5
WAITING, TAKEN, REFUSED = 0, 1, 2


def is_wrong(number: Any) -> Any:  # noqa: ANN401 - an int and a bool, or arrays of them
    """Whether this message is not to be taken."""
    return number % REFUSED_EVERY == REFUSED_EVERY - 1


def numbered(number: int) -> bytes:
    """Message `number`: its number is its value and, in seconds, its time. A wrong one has its number as text, where a number is expected."""
    value = f'"{number}"' if is_wrong(number) else str(number)
    return f'{{"time":"{times.text(BEGIN + number * times.SECOND)}","value":{value}}}'.encode()


def account(login: Mapping[str, Any], name: str, port: int | None = None) -> Account:
    identity = login["client_id_prefix"] + name
    return Account(login["host"], port or login["port"], identity, login["username"], login["password"])


@dataclass(slots=True)
class Publisher:
    """One datastream's messages, and what was answered to each."""

    login: Mapping[str, Any]
    datastream: str
    certain: bool
    rate: float
    """Messages a second."""
    outstanding: int = 2_000
    """Without an answer, at most."""
    again_s: float = 3.0
    """A receipt takes milliseconds; after this long it won't come."""
    port: int | None = None
    """Of what stands between it and Mosquitto; None: nothing does."""
    make: Callable[[int], bytes] = numbered
    answers: bytearray = field(default_factory=bytearray)
    """By number: WAITING, TAKEN or REFUSED; as long as what was sent."""
    waiting: dict[int, float] = field(default_factory=dict)
    """When each that has no answer was sent."""
    sent_at: array[float] = field(default_factory=partial(array, "d"))
    """Unix time, by number."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def sent(self) -> int:
        return len(self.answers)

    def answered(self, what: int) -> set[int]:
        """The numbers of those that were answered so."""
        return {number for number, answer in enumerate(self.answers) if answer == what}

    async def run(self) -> None:
        """Publish until it is told to stop, then until all is answered."""
        while not (self.stop.is_set() and not self.waiting):
            with contextlib.suppress(Unavailable, TimeoutError):
                async with connection.connect(account(self.login, self.datastream, self.port), self._heard) as out:
                    self._out = out
                    if self.certain:
                        await out.subscribe([self._receipts])
                    await self._publish(out)
            await asyncio.sleep(RECONNECT_S)

    _out: Connection | None = None

    @property
    def _receipts(self) -> str:
        _, organisation, gateway, _ = self.login["topic"].split("/")
        return f"ack/{organisation}/{gateway}"

    async def _publish(self, out: Connection) -> None:
        heading = codec.heading(self.login["topic"].replace("{datastream}", self.datastream))
        again, credit, before = list(self.waiting), 0.0, time.monotonic()
        while not out.lost.done() and not (self.stop.is_set() and not self.waiting):
            now = time.monotonic()
            credit, before = min(credit + (now - before) * self.rate, self.outstanding), now
            again += [number for number, sent in self.waiting.items() if self.certain and now - sent > self.again_s]
            room = await out.room()
            numbers, again = again[:room], again[room:]
            new = (
                0 if self.stop.is_set() else min(int(credit), self.outstanding - len(self.waiting), room - len(numbers))
            )
            for _ in range(new):
                numbers.append(self.sent)
                self.answers.append(WAITING)
                self.sent_at.append(time.time())
            credit -= new
            for number in numbers:
                self._send(out, heading, number, now)
            await asyncio.sleep(STEP_S)

    def _send(self, out: Connection, heading: bytes, number: int, now: float) -> None:
        if self.answers[number] != WAITING:
            return
        self.waiting[number] = now
        properties, told = codec.NO_PROPERTIES, partial(self._acknowledged, number)
        if self.certain:
            properties, told = self._asking(number), _ignore
        out.publish([(heading, properties, self.make(number), False)], told)

    def _asking(self, number: int) -> bytes:
        """Response topic and correlation data [MQTT 5, 3.3.2.3]."""
        topic, data = self._receipts.encode(), f"{self.datastream} {number}".encode()
        body = b"\x08" + len(topic).to_bytes(2, "big") + topic + b"\x09" + len(data).to_bytes(2, "big") + data
        return bytes([len(body)]) + body

    def _acknowledged(self, number: int, reason: int) -> None:
        self._answer(number, REFUSED if reason >= 128 else TAKEN)  # noqa: PLR2004 - MQTT 5: from here on refusals

    def _heard(self, messages: list[Message]) -> None:
        for message in messages:
            assert message.correlation is not None
            whose, _, number = message.correlation.decode().rpartition(" ")
            if whose == self.datastream:  # all of a gateway's receipts come on its one topic
                receipt = json.loads(message.payload)
                self._answer(int(number), TAKEN if receipt == {"stored": 1} else REFUSED)
        if self._out is not None:
            self._out.acknowledge([message.packet_id for message in messages])

    def _answer(self, number: int, answer: int) -> None:
        if self.waiting.pop(number, None) is not None:
            self.answers[number] = answer


def _ignore(_reason: int) -> None:
    """The receipt is waited for."""


@dataclass(slots=True)
class Ear:
    """Listens to everything that its login lets it hear; `wrong` says what of a message should not be."""

    login: Mapping[str, Any]
    wrong: Callable[[str, Any], bool]
    messages: int = 0
    let_in: list[str] = field(default_factory=list)
    """Topics of messages that should not have come."""
    newest: dict[str, float] = field(default_factory=dict)
    """By topic: the greatest value."""
    listening: threading.Event = field(default_factory=threading.Event)
    _in: Connection | None = None

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            with contextlib.suppress(Unavailable, TimeoutError):
                async with connection.connect(account(self.login, "ear"), self._heard) as self._in:
                    await self._in.subscribe(["live/#"], codec.FROM_NOW_ON)
                    self.listening.set()
                    await self._in.lost
            await asyncio.sleep(RECONNECT_S)

    def _heard(self, messages: list[Message]) -> None:
        for message in messages:
            topic, said = message.topic.decode(), json.loads(message.payload or b"null")
            self.messages += 1
            for one in said if isinstance(said, list) else [said]:
                self.newest[topic] = max(one["value"], self.newest.get(topic, one["value"]))
            if self.wrong(topic, said):
                self.let_in.append(topic)
        if self._in is not None:
            self._in.acknowledge([message.packet_id for message in messages if message.packet_id])


class Load:
    """Publishers and ears, in a thread of their own while the `with` lasts."""

    def __init__(self, publishers: Iterable[Publisher], ears: Iterable[Ear]) -> None:
        self.publishers, self.ears = list(publishers), list(ears)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="load")
        self._tasks: list[asyncio.Task[None]] = []

    def settle(self, within_s: float) -> bool:
        """Make no more messages, and wait until all have their answers; whether they have."""
        for publisher in self.publishers:
            self._loop.call_soon_threadsafe(publisher.stop.set)
        until = time.monotonic() + within_s
        while any(publisher.waiting for publisher in self.publishers) and time.monotonic() < until:
            time.sleep(STEP_S)
        return not any(publisher.waiting for publisher in self.publishers)

    def await_answers(self, more: int, within_s: float) -> bool:
        """Wait until so many more messages have a receipt; whether they have. (Mosquitto answers plain ones whatever becomes of them.)"""
        wanted, until = self.answered + more, time.monotonic() + within_s
        while self.answered < wanted and time.monotonic() < until:
            time.sleep(STEP_S)
        return self.answered >= wanted

    def counts(self) -> Counter[str]:
        return Counter({publisher.datastream: publisher.sent for publisher in self.publishers})

    @property
    def answered(self) -> int:
        """Messages that had a receipt."""
        return sum(one.sent - len(one.waiting) for one in self.publishers if one.certain)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result()
        for ear in self.ears:
            assert ear.listening.wait(30), "not let in to listen"
        return self

    async def _begin(self) -> None:
        # those who listen first, so that they hear the first message
        self._tasks = [asyncio.create_task(one.run()) for one in (*self.ears, *self.publishers)]

    def __exit__(self, *_: object) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
