"""Keeping Mosquitto's rules as the registry says: the one client of its control topic. It also hears what Mosquitto has dropped.

On every connection it asks what Mosquitto has and sends the difference, so that nothing depends on what was sent before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiomqtt
import msgspec
import structlog

from broker import topics
from broker.access import Used
from broker.authorisation import Command, Policy, Rule, RuleKind, changes, policy
from broker.errors import Unavailable
from broker.metrics import MOSQUITTO_DROPPED
from broker.model import AgreementId
from broker.mqtt.connection import Account
from broker.registry.snapshot import Snapshot

log = structlog.get_logger()

PATIENCE_S = 10  # Mosquitto rewrites its whole file at each change, 18 ms at 2,500 clients
AT_ONCE = 200  # commands in one message: some 50 KB
RETRY_S = 1.0  # how often a lost connection is tried again
LONGEST_SLEEP_S = 3600.0  # an expiry is looked up again after this, should the clock have been set


class _Acl(msgspec.Struct):
    acltype: str
    topic: str
    allow: bool = True


class _Role(msgspec.Struct):
    rolename: str
    acls: list[_Acl] = []


class _Client(msgspec.Struct):
    username: str
    roles: list[_Role] = []
    disabled: bool = False


class _Data(msgspec.Struct):
    roles: list[_Role] = []
    clients: list[_Client] = []


class _Answer(msgspec.Struct):
    command: str
    error: str | None = None
    data: _Data = msgspec.field(default_factory=_Data)


class _Answers(msgspec.Struct):
    responses: list[_Answer]


@dataclass(slots=True)
class _Session:
    """A connection to the control topic; one request at a time."""

    client: aiomqtt.Client
    answers: asyncio.Queue[list[_Answer]]

    async def send(self, commands: list[Command]) -> list[_Answer]:
        """Raises Unavailable if Mosquitto refuses one or says nothing."""
        answers: list[_Answer] = []
        for at in range(0, len(commands), AT_ONCE):
            chunk = commands[at : at + AT_ONCE]
            await self.client.publish(topics.CONTROL, msgspec.json.encode({"commands": chunk}), qos=1)
            answers += await asyncio.wait_for(self.answers.get(), PATIENCE_S)
        refused = [f"{a.command}: {a.error}" for a in answers if a.error]
        if refused:
            raise Unavailable(f"Mosquitto refused {'; '.join(refused)[:300]}")
        return answers

    async def current(self) -> Policy:
        """What Mosquitto has now."""
        listed = await self.send(
            [
                {"command": "listRoles", "verbose": True, "count": -1},
                {"command": "listClients", "verbose": True, "count": -1},
            ]
        )
        roles = {r.rolename: frozenset(Rule(_kind(a.acltype), a.topic) for a in r.acls) for r in listed[0].data.roles}
        clients = {c.username: frozenset(r.rolename for r in c.roles) for c in listed[1].data.clients}
        disabled = frozenset(c.username for c in listed[1].data.clients if c.disabled)
        return Policy(roles, clients, disabled)


class Authority:
    """Applies snapshots to Mosquitto."""

    def __init__(
        self,
        load: Callable[[], Awaitable[Snapshot]],
        used: Callable[[int], Mapping[AgreementId, Used]],
        mosquitto: int = 0,
        of: int = 1,
        *,
        disconnecting: bool = False,
    ) -> None:
        """`mosquitto`: which one it is `of` so many. `disconnecting`: as `changes` has it."""
        self._load = load
        self._used = used
        self._at = mosquitto, of
        self._disconnecting = disconnecting
        self._applied: Policy | None = None
        self._known = Snapshot(-1)
        """The newest that was applied."""
        self._decided = 0
        """When (ns) that was."""
        self._session: _Session | None = None
        self._alone = asyncio.Lock()
        self._changed = asyncio.Event()
        self.ready = asyncio.Event()

    async def run(self, account: Account) -> None:
        """Hold the connection, and end by itself what expires, until cancelled."""
        while True:
            try:
                async with _connected(account) as session, asyncio.TaskGroup() as tasks:
                    listening = tasks.create_task(_listen(session), name="authority listens")
                    self._session, self._applied = session, await session.current()
                    await self.apply(await self._load(), {})
                    self.ready.set()
                    log.info("authority_connected")
                    watching = tasks.create_task(self._expire(), name="authority expires")
                    await listening
                    watching.cancel()
            except* (aiomqtt.MqttError, Unavailable, TimeoutError, msgspec.DecodeError) as errors:
                log.warning("authority_not_connected", reason=str(errors.exceptions[0]))
            finally:
                self._session = None
                self.ready.clear()
            await asyncio.sleep(RETRY_S)

    async def apply(self, snapshot: Snapshot, passwords: Mapping[str, str]) -> None:
        """Bring Mosquitto to `snapshot`; when it returns the next message is decided by it. Raises Unavailable."""
        async with self._alone:
            if self._session is None or self._applied is None:
                raise Unavailable("the connection to Mosquitto's control topic is down")
            now = time.time_ns()
            self._known = max(
                self._known, snapshot, key=lambda one: one.revision
            )  # one that was overtaken takes nothing back
            wanted = policy(self._known.at(*self._at), now, self._used(now))
            commands = changes(self._applied, wanted, passwords, disconnecting=self._disconnecting)
            if commands:
                await self._send(self._session, commands)
                made = frozenset(passwords) | frozenset(self._applied.clients)
                clients = {name: roles for name, roles in wanted.clients.items() if name in made}
                self._applied = Policy(wanted.roles, clients, wanted.disabled & clients.keys())
            self._decided = now
        self._changed.set()

    async def _send(self, session: _Session, commands: list[Command]) -> None:
        """Raises Unavailable; then nothing is known of what Mosquitto has, nor whose the next answer is, so the session ends."""
        try:
            await session.send(commands)
        except (aiomqtt.MqttError, TimeoutError, Unavailable) as error:
            if self._session is session:
                self._session = None
                self._changed.set()
            raise Unavailable(f"Mosquitto's rules were not changed: {error or 'no answer'}") from error

    async def _expire(self) -> None:
        """At each instant that something ends by itself decide anew, by what is known already: to look it up takes too long."""
        while self._session is not None:
            self._changed.clear()
            due = self._known.next_change(self._decided)  # one that came while it was applied is due now
            sleep_s = LONGEST_SLEEP_S if due is None else max(0.0, (due - time.time_ns()) / 1e9)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(sleep_s, LONGEST_SLEEP_S))
                continue
            await self.apply(self._known if due is not None else await self._load(), {})
        raise Unavailable("what Mosquitto has must be asked anew")


@asynccontextmanager
async def _connected(account: Account) -> AsyncIterator[_Session]:
    client = aiomqtt.Client(
        account.host,
        account.port,
        username=account.username,
        password=account.password,
        identifier=account.client_id,
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=PATIENCE_S,
    )
    async with client:
        await client.subscribe([(topics.CONTROL_RESPONSE, 1), (topics.DROPPED, 0)])
        yield _Session(client, asyncio.Queue())


async def _listen(session: _Session) -> None:
    async for message in session.client.messages:
        assert isinstance(message.payload, bytes)
        if message.topic.value == topics.DROPPED:
            MOSQUITTO_DROPPED.set(int(message.payload))
            continue
        session.answers.put_nowait(msgspec.json.decode(message.payload, type=_Answers).responses)


def _kind(acltype: str) -> RuleKind:
    known: tuple[RuleKind, ...] = ("publishClientSend", "publishClientReceive", "subscribePattern", "subscribeLiteral")
    for kind in known:
        if kind == acltype:
            return kind
    raise Unavailable(f"Mosquitto has a rule of an unknown kind, {acltype}")
