"""No two ways to a release ever disagree: Mosquitto's rules and every way over HTTP follow a model of the licence, over random histories.

After every step of a history every application is asked for every offer: in Mosquitto's rules, by the decision as every call begins with it,
by a page or an export that began before (`still`), by a live stream that is open, and among all that SensorThings shows. Of some histories every call that shows
observations is sent to the application itself as well.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import msgspec
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from api.errors import Problem
from api.hub import Hub
from api.limits import Limits
from api.ranges import Files
from api.routes import history, live, sensorthings
from api.sensorthings.numbered import Numbers
from api.serve import application as http
from api.services import Services
from broker import control
from broker.authorisation import OPEN, Rule, policy
from broker.errors import NotFound
from broker.model import ApplicationId, Offer
from broker.points import Point
from broker.store.sqlite import SqliteStore
from tests.histories import APPLICATIONS, HOLDERS, OFFERS, World, begin, step, template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from broker.control import Control
    from broker.store.pictures import Pictures
    from broker.store.protocol import Store

HISTORIES, PARTS, SENT = 2_000, 10, 20
ANSWER_S = 30.0
POINTS = [Point(time, 1.0) for time in range(1, 4)]
CALLS = {
    "latest": "/api/v1/releases/{offer}-d/latest",
    "page": "/api/v1/releases/{offer}-d/observations?limit=1",
    "next page": "/api/v1/releases/{offer}-d/observations?limit=1&cursor={cursor}",
    "export": "/api/v1/releases/{offer}-d/observations?format=csv",
    "table": "/api/v1/releases/{offer}-d/observations?format=parquet",
    "offer": "/api/v1/offers/{offer}/observations",
    "gbfs": "/gbfs/{offer}/station_status.json",
    "stream": "/api/v1/releases/{offer}-d/live",
    "streams": "/api/v1/live?release={offer}-d",
    "SensorThings": "/v1.1/Datastreams({number})/Observations",
}
"""Every call that shows observations."""
HTTP = http()


class Ways(World):
    """All ways to a release, over what a history made."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.services = Services(
            registry=self.registry,
            released=cast("Store", None),
            control=cast("Control", self),
            pictures=cast("Pictures", None),
            keepers=(lambda: None,),
            listeners=(),
            silent_after=0,
            limits=Limits(1e6, 1e6, 1),
            clock=lambda: self.model.now,
        )
        self._home = home
        self._revision = -1
        self._offers: dict[str, Offer] = {}  # reading them is what takes time
        self._reading: dict[tuple[str, str], history._Reader] = {}
        self._streaming: dict[tuple[str, str], live._Stream] = {}
        self._callers = {one: self.registry.caller(f"key of {one}") for one in APPLICATIONS}

    def call(self, what: object) -> msgspec.Raw:
        """What deciding and answering ask of the broker process. What is only tried out is not counted."""
        match what:
            case control.QuotaUsed():
                return msgspec.Raw(msgspec.json.encode(self.meter.used(self.model.now)))
            case control.HttpDelivered():
                return msgspec.Raw(b"[]")
        raise AssertionError(what)

    def take(self, step: tuple[Any, ...]) -> None:
        super().take(step)
        snapshot = self.registry.snapshot()
        if snapshot.revision != self._revision or step[0] in (
            "publish",
            "read",
        ):  # as the broker tells: changed, or exhausted
            self._revision, self._offers = snapshot.revision, {}
            self.services.noticed()
        self.meter.follow(snapshot, self.model.now)
        self.rules = policy(snapshot, self.model.now, self.meter.used(self.model.now))

    def answers(self, application: ApplicationId, offer: str) -> dict[str, bool]:
        """What each way says."""
        begins = self.by_decision(application, offer)  # as all that goes on later begins
        return {
            "Mosquitto": self.by_rules(application, offer),
            "decision": begins,
            "still": self.by_reader(application, offer, begins=begins),
            "stream": self.by_stream(application, offer, begins=begins),
            "SensorThings": offer in self.services.readable(self._callers[application])[1],
        }

    def by_rules(self, application: ApplicationId, offer: str) -> bool:
        username = f"application.{application}"
        mine = self.rules.roles[username] | self.rules.roles[OPEN]
        deliveries = {Rule("publishClientReceive", f"{of}/owner/{offer}/+") for of in ("live", "status")}
        assert deliveries <= mine or not deliveries & mine
        return deliveries <= mine and OPEN in self.rules.clients[username]

    def by_decision(self, application: ApplicationId, offer: str) -> bool:
        try:
            self.services.permit(self._callers[application], self._offer(offer))
        except (Problem, NotFound):
            return False
        return True

    def by_reader(self, application: ApplicationId, offer: str, *, begins: bool) -> bool:
        """A reading that began when it was permitted, and looks again before it goes on."""
        begun = self._reading.get((application, offer))
        if begun is None and not begins:
            return False
        try:
            if begun is None:
                begun = history._reader(self.services, self._callers[application], self._offer(offer))
            begun.still()
        except (Problem, NotFound):
            self._reading.pop((application, offer), None)
            return False
        self._reading[application, offer] = begun
        return True

    def by_stream(self, application: ApplicationId, offer: str, *, begins: bool) -> bool:
        """A stream that is open as long as it is permitted, and decides anew when it is stale."""
        stream = self._streaming.get((application, offer))
        if stream is None and not begins:
            return False
        try:
            if stream is None:
                stream = live._Stream(self.services, Hub(), self._callers[application])
                found = self._offer(offer)
                stream.add(found.releases[0], found, self.services.permit(stream.caller, found, "live"))
        except (Problem, NotFound):
            return False
        if stream.stale():
            stream.decide()
        self._streaming[application, offer] = stream
        if not stream.shown:
            del self._streaming[application, offer]
        return bool(stream.shown)

    @cached_property
    def views(self) -> sensorthings.Views:
        return sensorthings.Views(Numbers(self._home / "observations.sqlite"))

    def number(self, offer: str) -> int:
        """Its release's, as SensorThings has it; 0 where there is none."""
        try:
            return self._offer(offer).releases[0].number
        except NotFound:
            return 0

    def _offer(self, offer: str) -> Offer:
        if offer not in self._offers:
            self._offers[offer] = self.registry.offer(offer)
        return self._offers[offer]


async def status(world: Ways, store: Store, path: str, key: str) -> int:
    """What the HTTP application answers, as soon as it does: a stream is hung up on."""
    world.services.released = store
    HTTP.state.services, HTTP.state.hub, HTTP.state.files = world.services, Hub(), Files()
    HTTP.state.sensorthings = world.views
    bodies = [b""]
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and not started.done():
            started.set_result(message["status"])

    async def receive() -> dict[str, Any]:
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        await asyncio.wait([started])
        return {"type": "http.disconnect"}

    where, _, query = path.partition("?")
    scope = {"type": "http", "method": "GET", "path": where, "raw_path": where.encode(), "query_string": query.encode()}
    headers = [(b"authorization", f"Bearer {key}".encode()), (b"host", b"x")]
    more = {"headers": headers, "http_version": "1.1", "scheme": "http", "server": ("x", 80), "client": ("x", 1)}
    answering = asyncio.create_task(HTTP({**scope, **more}, receive, send))
    try:
        await asyncio.wait([answering, started], return_when=asyncio.FIRST_COMPLETED, timeout=ANSWER_S)
        assert started.done(), answering
        return started.result()
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


@pytest.fixture
def worlds() -> Iterator[Path]:
    """Where histories happen: in memory where the machine has a folder that is, since each syncs its files many times."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("template")
    template(made)
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SqliteStore:
    made = SqliteStore(tmp_path_factory.mktemp("released") / "released.sqlite")
    made.write([(f"owner/d/{offer}", point) for offer in OFFERS for point in POINTS])
    return made


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, PARTS))])
@pytest.mark.timeout(600)
def test_no_two_ways_to_a_release_disagree(
    part: int, home: Path, store: SqliteStore, worlds: Path, record_property: pytest.RecordProperty
) -> None:
    checked: Counter[str] = Counter()
    histories = st.tuples(begin, st.lists(step, min_size=3, max_size=12))

    @seed(part)
    @settings(max_examples=HISTORIES // PARTS, deadline=None, database=None)
    @given(histories)
    def follow(history: tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]) -> None:
        first, rest = history
        over = None if crc32(repr(history).encode()) % SENT else store
        checked["histories"] += 1
        _follow(first + rest, home, worlds / str(checked["histories"]), over, checked)

    follow()
    record_property("checked", json.dumps(checked))
    print(f"checked, part {part}: {json.dumps(checked)}")  # noqa: T201 - the count is what this test is asked for
    assert checked["steps"] > checked["histories"] >= HISTORIES // PARTS
    assert checked["sent"] > 100
    assert min(checked["permitted"], checked["denied"]) > checked["steps"] / 4


def _follow(
    steps: list[tuple[Any, ...]], home: Path, at: Path, store: SqliteStore | None, checked: Counter[str]
) -> None:
    at.mkdir()
    shutil.copy(home / "registry.sqlite", at / "registry.sqlite")
    world = Ways(at)
    try:
        for one in steps:
            world.take(one)
            checked["steps"] += 1
            for application in APPLICATIONS:
                for offer in OFFERS:
                    expected = world.model.reads(application, offer)
                    for way, answer in world.answers(application, offer).items():
                        assert answer == expected, (one, application, offer, way)
                        checked["answers"] += 1
                    checked["permitted" if expected else "denied"] += 1
        if store is not None:
            asyncio.run(_send(world, store, checked))
    finally:
        world.close()
        shutil.rmtree(at)


async def _send(world: Ways, store: SqliteStore, checked: Counter[str]) -> None:
    for application in APPLICATIONS:
        for offer in OFFERS:
            lets_in = world.model.reads(application, offer) and HOLDERS[application] not in world.model.suspended
            for name, path in CALLS.items():
                filled = path.format(offer=offer, cursor=history.CURSOR, number=world.number(offer))
                answer = await status(world, store, filled, f"key of {application}")
                assert (answer == 200) == lets_in, (application, offer, name, answer)
                assert answer in (200, 403, 404), (name, answer)
                checked["sent"] += 1
