"""Calls between machines: request and reply over the NATS servers that have the journal, a subject a service, and one for each keeper's state.

All that serve hear a call, and whoever may answers it. A call is sent again and again until it is answered, since a NATS server may die with it, or
whoever should answer: who has it already knows it again by where it is to be answered, does it once, and says the same again.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import AsyncExitStack, suppress
from itertools import count
from typing import TypeVar

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from broker.control import PATIENCE_S, Call, Control, Serve
from broker.errors import Unavailable
from broker.keeper.state import FRESH_S, KeeperState
from broker.natsservers import Servers, reach
from broker.transport.pieces import PIECE, Together, pieces
from broker.transport.protocol import Service
from broker.transport.replies import answer_of, replied

log = structlog.get_logger()

AGAIN_S = 1.0  # how often a call is sent again that was not answered
LOST = 3  # times that no server was there to send it to, after which nobody waits for one: another is found within a second or two
REMEMBERED_S = 10.0  # how long a call is known again that was answered
FIRST_S = 1.5  # how long a keeper's first word is waited for: it speaks twice a second
_HEADERS_BYTES = 1_024  # at most, of a message
_NOBODY = "503"
"""What a NATS server answers where nobody serves: https://docs.nats.io/nats-concepts/core-nats/reqreply."""
_T = TypeVar("_T")


class OverNats:
    """Among all that have this name. Whoever asks has a connection in a thread, and whoever answers one in its own loop."""

    def __init__(self, servers: Servers, name: str) -> None:
        self._servers = servers
        self._name = f"{name}.control"
        self._connected = AsyncExitStack()
        self._connecting = asyncio.Lock()
        self._client: Client | None = None
        self._marks = (f"{secrets.token_hex(8)}-{number}" for number in count())
        self._saying: Future[None] | None = None
        self._listening: float | None = None
        """Since when (the loop's time) it is listened to what keepers say."""
        self._spoke: dict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._said: dict[int, tuple[float, KeeperState]] = {}
        """What came last of each partition, and when (monotonic)."""
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="control", daemon=True)
        self._thread.start()

    def to(self, service: Service) -> Control:
        return _AtSubject(self, service)

    async def serve(self, service: Service, answer: Serve) -> None:
        while True:
            try:
                async with reach(self._servers) as client:
                    await _Answering(client, answer).run(self._subject(service))
            except Unavailable as error:  # who asks is told so, and what nobody needs to be asked for goes on
                log.warning("calls_not_answered", service=service.kind, number=service.number, reason=str(error))
                await asyncio.sleep(AGAIN_S)

    def ask(self, service: Service, what: bytes, patience_s: float) -> bytes:
        """The reply. Raises Unavailable."""
        return self._run(self._ask(self._subject(service), what, patience_s))

    def say(self, partition: int, state: KeeperState) -> None:
        if self._saying is None or self._saying.done():  # else NATS is away, or slow: it speaks again soon
            said = self._say(partition, msgspec.json.encode(state))
            self._saying = asyncio.run_coroutine_threadsafe(said, self._loop)

    def said(self, partition: int) -> KeeperState | None:
        """What is older than it may be is not known, by this machine's clock, whatever the other's says."""
        if partition not in self._said:
            with suppress(Unavailable):
                self._run(self._first_word(partition))
        came, state = self._said.get(partition, (0.0, None))
        return state if time.monotonic() - came < FRESH_S else None

    def close(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # --- in the loop

    async def _end(self) -> None:
        """Whoever still waits is told that there is no answer."""
        await self._connected.aclose()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _ask(self, subject: str, what: bytes, patience_s: float) -> bytes:
        try:
            async with asyncio.timeout(patience_s):
                return await _asked(await self._reached(), subject, what)
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable(f"the broker does not answer: {str(error) or 'in time'}") from error

    async def _say(self, partition: int, state: bytes) -> None:
        with suppress(NatsError, OSError, Unavailable):  # whoever hears nothing knows nothing, and says so
            client = await self._reached()
            if client.is_connected:
                await _send(client, f"{self._name}.said.{partition}", state, next(self._marks))

    async def _first_word(self, partition: int) -> None:
        client = await self._reached()
        if self._listening is None:
            self._listening = self._loop.time()
            await self._listen(client)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._listening + FIRST_S):
                await self._spoke[partition].wait()

    async def _listen(self, client: Client) -> None:
        together: dict[int, Together] = defaultdict(Together)

        async def came(message: Msg) -> None:
            partition = int(message.subject.rpartition(".")[2])
            whole = together[partition].add((message.headers or {})[PIECE], message.data)
            if whole is not None:
                self._said[partition] = time.monotonic(), msgspec.json.decode(whole, type=KeeperState)
                self._spoke[partition].set()

        try:
            await client.subscribe(f"{self._name}.said.*", cb=came)
        except (NatsError, OSError) as error:
            self._listening = None
            raise Unavailable(f"NATS does not answer: {error}") from error

    async def _reached(self) -> Client:
        """The connection, made when it is first asked for. Raises Unavailable."""
        async with self._connecting:
            if self._client is None:
                self._client = await self._connected.enter_async_context(reach(self._servers))
            return self._client

    def _subject(self, service: Service) -> str:
        return f"{self._name}.{service.kind}.{service.number}"

    def _run(self, doing: Coroutine[object, object, _T]) -> _T:
        try:
            return asyncio.run_coroutine_threadsafe(doing, self._loop).result()
        except CancelledError as error:
            raise Unavailable("the broker is not asked any more: this process ends") from error


class _AtSubject:
    """Whoever answers at a subject."""

    def __init__(self, over: OverNats, service: Service) -> None:
        self._over = over
        self._service = service

    def call(self, what: Call, patience_s: float = PATIENCE_S) -> msgspec.Raw:
        return answer_of(self._over.ask(self._service, msgspec.json.encode(what), patience_s))


async def _asked(client: Client, subject: str, what: bytes) -> bytes:
    """The reply, for as long as somebody waits for it. Raises Unavailable where nobody serves, and NatsError."""
    if len(what) > client.max_payload:
        raise Unavailable(f"a call of {len(what)} bytes: NATS takes {client.max_payload} (its max_payload)")
    together = Together()
    reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def came(message: Msg) -> None:
        headers = message.headers or {}
        if reply.done():
            return
        if headers.get("Status") == _NOBODY:
            reply.set_exception(Unavailable("the broker does not answer: nobody serves it"))
        elif (whole := together.add(headers[PIECE], message.data)) is not None:
            reply.set_result(whole)

    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=came)
    try:
        await _insist(client, subject, what, inbox, reply)
        return await reply
    finally:
        await subscription.unsubscribe()


async def _insist(client: Client, subject: str, what: bytes, inbox: str, reply: asyncio.Future[bytes]) -> None:
    """Send it until there is a reply. What was asked for while no server was there would be done when nobody waits any more."""
    lost = 0
    while not reply.done():
        lost = 0 if client.is_connected else lost + 1
        if lost > LOST:
            raise Unavailable("the broker does not answer: no NATS server is reached")
        if client.is_connected:
            await client.publish(subject, what, reply=inbox)
        await asyncio.wait([reply], timeout=AGAIN_S)


async def _send(client: Client, subject: str, whole: bytes, mark: str) -> None:
    for headers, body in pieces(whole, client.max_payload - _HEADERS_BYTES, mark):
        await client.publish(subject, body, headers=headers)


class _Answering:
    """Does what comes at a subject, each call once."""

    def __init__(self, client: Client, answer: Serve) -> None:
        self._client = client
        self._answer = answer
        self._who = secrets.token_hex(8)
        self._calls: dict[str, asyncio.Task[bytes | None]] = {}
        """What is done, or was a moment ago, by where it is to be answered."""
        self._replies: set[asyncio.Task[None]] = set()

    async def run(self, subject: str) -> None:
        """Until cancelled. Raises Unavailable."""
        try:
            await self._client.subscribe(subject, cb=self._came)
            await asyncio.Event().wait()
        except (NatsError, OSError) as error:
            raise Unavailable(f"NATS does not answer: {error}") from error
        finally:
            for task in (*self._calls.values(), *self._replies):
                task.cancel()

    async def _came(self, message: Msg) -> None:
        if message.reply not in self._calls:
            self._calls[message.reply] = call = asyncio.create_task(replied(message.data, self._answer))
            call.add_done_callback(lambda _: self._forget_later(message.reply))
        reply = asyncio.create_task(self._reply(self._calls[message.reply], message.reply))
        self._replies.add(reply)
        reply.add_done_callback(self._replies.discard)

    async def _reply(self, call: asyncio.Task[bytes | None], inbox: str) -> None:
        whole = await asyncio.shield(call)
        if whole is not None:
            with suppress(NatsError, OSError):  # it is asked for again
                await _send(self._client, inbox, whole, self._who)

    def _forget_later(self, inbox: str) -> None:
        asyncio.get_running_loop().call_later(REMEMBERED_S, self._calls.pop, inbox, None)
