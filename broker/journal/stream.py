"""A stream of NATS JetStream: packs by number, on the disks of a majority of its servers. By the API's own messages.

A stream is full at a size and then takes nothing more (discard: new); nothing in it is ever dropped but what is purged.
https://docs.nats.io/reference/reference-protocols/nats_api_reference, and of reading many at once
https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-31.md
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from broker.errors import JournalFull, Unavailable

ANSWER_S = 5.0  # the longest that servers may take that are choosing a leader
ELECTION_S = 30.0  # and servers that were just started
MOST_AT_ONCE = 1_000  # packs that are asked for in one reading
DUPLICATES_S = 120  # how long a pack is recognised that is sent once more
_HEADERS_BYTES = 1_024  # at most, of a pack
_FULL = 10_077  # the error code of a stream at its limit
_NOT_THERE = 10_059
_Answer = TypeVar("_Answer")


class _Error(msgspec.Struct):
    description: str = ""
    err_code: int = 0


class State(msgspec.Struct):
    """What a stream holds."""

    bytes: int
    first_seq: int
    last_seq: int


class _Stored(msgspec.Struct):
    seq: int = 0
    error: _Error | None = None


class _Config(msgspec.Struct):
    num_replicas: int
    max_bytes: int


class _Info(msgspec.Struct):
    state: State | None = None
    config: _Config | None = None
    error: _Error | None = None


class Stream:
    """One, by its name. All raise Unavailable when the servers don't answer, or answer that they can't."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.name = name

    @property
    def most_bytes(self) -> int:
        """Of one pack."""
        return self._client.max_payload - _HEADERS_BYTES

    async def ensure(self, *, replicas: int, limit_bytes: int, first: int = 1) -> State:
        """Make it if it is not there, its first pack numbered `first`; else give it this limit. Returns what it holds.

        Servers that were just started are asked again, until they have chosen who leads them.
        """
        end = asyncio.get_running_loop().time() + ELECTION_S
        while True:
            try:
                return await self._ensure(replicas, limit_bytes, first)
            except Unavailable:
                if asyncio.get_running_loop().time() > end:
                    raise
                await asyncio.sleep(0.5)

    async def _ensure(self, replicas: int, limit_bytes: int, first: int) -> State:
        found = await self._ask(f"STREAM.INFO.{self.name}", {}, _Info)
        if found.error is not None and found.error.err_code != _NOT_THERE:
            raise Unavailable(f"the journal's stream {self.name}: {found.error.description}")
        if found.state is not None and found.config == _Config(replicas, limit_bytes):
            return found.state
        config = {
            "name": self.name,
            "subjects": [self.name],
            "num_replicas": replicas,
            "max_bytes": limit_bytes,
            "discard": "new",
            "storage": "file",
            "retention": "limits",
            "allow_direct": True,
            "duplicate_window": DUPLICATES_S * 1_000_000_000,
        }
        if found.state is None:
            config["first_seq"] = first
        made = await self._ask(f"STREAM.{'CREATE' if found.state is None else 'UPDATE'}.{self.name}", config, _Info)
        if made.state is None:
            described = made.error.description if made.error else "no answer"
            raise Unavailable(f"the journal's stream {self.name} with {replicas} replicas: {described}")
        return made.state

    async def state(self) -> State:
        found = await self._ask(f"STREAM.INFO.{self.name}", {}, _Info)
        if found.state is None:
            raise Unavailable(f"the journal's stream {self.name}: {found.error.description if found.error else ''}")
        return found.state

    async def store(self, body: bytes, mark: str) -> int:
        """Add a pack and return its number once a majority has it on disk. One with the same mark is known again and not added.

        Raises JournalFull; after Unavailable it may or may not be there, so it is to be sent again with its mark.
        """
        try:
            reply = await self._client.request(self.name, body, timeout=ANSWER_S, headers={"Nats-Msg-Id": mark})
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable(_said(error)) from error
        stored = _decoded(reply, _Stored)
        if stored.error is not None and stored.error.err_code == _FULL:
            raise JournalFull(f"the journal's stream {self.name} is at its limit")
        if stored.error is not None or not stored.seq:
            raise Unavailable(f"NATS: {stored.error.description if stored.error else 'no number'}")
        return stored.seq

    async def tell(self) -> None:
        """Let whoever waits for `news` know that there is more to read."""
        with suppress(NatsError, OSError):  # they look now and then anyway
            await self._client.publish(f"{self.name}.news", b"")

    async def news(self) -> asyncio.Event:
        """Set whenever there may be more to read."""
        something = asyncio.Event()

        async def came(_: Msg) -> None:
            something.set()

        await self._client.subscribe(f"{self.name}.news", cb=came)
        return something

    async def read(self, after: int, most_bytes: int) -> list[tuple[int, bytes]]:
        """The packs after this number, in order and without a gap; some megabytes at most."""
        packs: list[tuple[int, bytes]] = []
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def came(message: Msg) -> None:
            headers = message.headers or {}
            if "Nats-Sequence" in headers:
                packs.append((int(headers["Nats-Sequence"]), message.data))
            elif not ended.done():
                ended.set_result(headers.get("Status", ""))

        asked = {"seq": after + 1, "batch": MOST_AT_ONCE, "max_bytes": most_bytes}
        inbox = self._client.new_inbox()
        try:
            subscription = await self._client.subscribe(inbox, cb=came)
            try:
                await self._client.publish(f"$JS.API.DIRECT.GET.{self.name}", msgspec.json.encode(asked), reply=inbox)
                async with asyncio.timeout(ANSWER_S):
                    status = await ended
            finally:
                await subscription.unsubscribe()
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable(f"the journal can't be read: {_said(error)}") from error
        if status not in ("204", "404"):  # the end of what was asked for, and nothing there
            raise Unavailable(f"the journal can't be read: NATS answers {status or 'nothing known'}")
        if [seq for seq, _ in packs] != list(range(after + 1, after + 1 + len(packs))):
            raise Unavailable(
                f"the journal's stream {self.name} lacks what comes after {after}: it begins at {packs[0][0]}"
            )
        return packs

    async def purge(self, upto: int) -> None:
        """Forget packs up to this number."""
        await self._ask(f"STREAM.PURGE.{self.name}", {"seq": upto + 1}, _Info)

    async def _ask(self, call: str, what: dict[str, object], answer: type[_Answer]) -> _Answer:
        try:
            reply = await self._client.request(f"$JS.API.{call}", msgspec.json.encode(what), timeout=ANSWER_S)
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable(_said(error)) from error
        return _decoded(reply, answer)


def _decoded(reply: Msg, answer: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(reply.data, type=answer)
    except msgspec.DecodeError as error:
        raise Unavailable(f"NATS answers what was not expected: {error}") from error


def _said(error: Exception) -> str:
    return f"NATS does not answer: {error or type(error).__name__}"
