"""The process that frames go through: it listens, hands them to workers, and publishes what comes back.

It does no work on pictures itself, so that it hears a newer frame while older ones are looked at. Everything that is not released is counted by reason.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import structlog

from broker import message as messages
from broker import times, topics
from broker.camera.out import Out
from broker.camera.plan import NOTHING, Order, Plan, Screen, compile_plan
from broker.camera.tally import Tally
from broker.camera.waiting import Frame, Waiting
from broker.entry import Entry
from broker.errors import MitoyenError, StoreUnavailable, Unavailable
from broker.metrics import FRAME_TIME, FRAMES
from broker.mqtt import codec, connection
from broker.mqtt.codec import Message
from broker.mqtt.connection import Account
from broker.registry.snapshot import Snapshot
from broker.store.pictures import Kept, Pictures
from broker.vision import workers
from broker.vision.wire import Asked, Done, Failed, Setup
from broker.vision.workers import Worker

log = structlog.get_logger()

RETRY_S = 1.0  # how often a lost connection is tried again
WORKER_RETRY_S = 5.0  # how often a worker that does not get ready is
LOOK_S = 0.5  # how often the registry is asked whether it changed: a withdrawn offer is to end within a second
SOON_S = 0.05  # how soon at most, when a frame came of which nothing is known
MOST_DOUBTED = 50  # topics of such frames that are remembered until then: 100 MB at worst
TELL_S = 1.0  # how often owners' counts and states are brought up to date

Published = tuple[str, int, int]
"""Offer, records, bytes: as the meter counts."""


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What the operator may set of it."""

    setup: Setup
    """What a worker begins with."""
    workers: int
    timeout_s: float
    """How long a worker may take over one picture."""
    silent_after: int
    """ns."""


class Hidden(NamedTuple):
    """Why nothing was released last."""

    time: int
    reason: str


@dataclass(slots=True)
class _Seen:
    """Of one camera: when (ns) a frame came last, and what hindered it."""

    heard: int
    hidden: Hidden | None = None


@dataclass(slots=True)
class _Told:
    """What the broker is still to be told."""

    entries: list[Entry] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)


class Cameras:
    """`load` gives the registry's snapshot, `revision` says whether it changed; `report` tells the broker. All three block."""

    def __init__(
        self,
        settings: CameraSettings,
        pictures: Pictures,
        *,
        load: Callable[[], Snapshot],
        revision: Callable[[], int],
        report: Callable[[list[Entry], list[Published]], None],
    ) -> None:
        self._settings = settings
        self._pictures = pictures
        self._load = load
        self._revision = revision
        self._report = report
        self._plan: Plan = NOTHING
        self._orders: dict[object, Order] = {}
        self._doubted: dict[str, Frame] = {}
        self._doubtful = asyncio.Event()
        self._planned = asyncio.Event()
        self._needed = asyncio.Event()
        """Set when there is a camera: before, there is no memory for networks."""
        self._waiting = Waiting()
        self._something = asyncio.Semaphore(0)
        self._trouble: str | None = None
        self._out = Out(1)
        self._shown: dict[object, tuple[int, int]] = {}
        """By order's name: the interval, and when (ns) the frame came that was shown last."""
        self._seen: dict[str, _Seen] = {}
        self._tally = Tally()
        self._told = _Told()
        self._states: dict[str, bytes] = {}

    async def run(self, accounts: Sequence[Account]) -> None:
        """Until cancelled; at every Mosquitto."""
        self._out = Out(len(accounts))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name="cameras follow")
            await self._planned.wait()
            for number, account in enumerate(accounts):
                tasks.create_task(self._listen(number, account), name=f"cameras listen {number}")
            tasks.create_task(self._tell(), name="cameras tell")
            await self._needed.wait()
            for number in range(self._settings.workers):
                tasks.create_task(self._work(), name=f"cameras work {number}")

    # --- following the registry

    async def _follow(self) -> None:
        known = -1
        while True:
            try:
                if (revision := await asyncio.to_thread(self._revision)) != known:
                    snapshot = await asyncio.to_thread(self._load)
                    await self._change(compile_plan(snapshot, len(self._out.every)))
                    known = revision
                    self._planned.set()
                self._settle_doubts()
            except (Unavailable, StoreUnavailable) as error:
                log.warning("cameras_not_following", reason=str(error))
            await asyncio.sleep(SOON_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._doubtful.wait(), LOOK_S - SOON_S)

    def _settle_doubts(self) -> None:
        """Decide about frames that came before the registry was asked."""
        self._doubtful.clear()
        doubted, self._doubted = self._doubted, {}
        for topic, frame in doubted.items():
            if topic in self._plan.cameras:
                self._take_in(frame)
            else:
                self._refuse(frame, "unknown_camera", "register it for this gateway first, with kind camera")

    async def _change(self, plan: Plan) -> None:
        before, self._plan = self._plan, plan
        self._orders = {order.name: order for _, orders in plan.cameras.values() for order in orders}
        self._shown = {name: shown for name, shown in self._shown.items() if name in self._orders}
        self._seen = {topic: seen for topic, seen in self._seen.items() if topic in plan.cameras}
        screens = plan.screens
        if plan.cameras:
            self._needed.set()
        await asyncio.to_thread(self._pictures.keep_only, [screen.release for screen in screens])
        heard = {screen.heading: screen.edges for screen in before.screens}
        await self._take_back(plan.withdrawn - before.withdrawn, self._out.every)
        for screen in screens:
            known = heard.get(screen.heading, frozenset())
            await self._out.publish(known - screen.edges, screen.heading, codec.NO_PROPERTIES, b"")
            await self._show_again(screen, screen.edges - known)

    # --- frames in

    async def _listen(self, mosquitto: int, account: Account) -> None:
        while True:
            try:
                async with connection.connect(account, partial(self._take, mosquitto)) as out:
                    self._out.came(mosquitto, out)
                    await out.subscribe([topics.EVERY_FRAME], codec.AS_PUBLISHED)
                    log.info("cameras_connected", mosquitto=mosquitto)
                    self._states.clear()
                    await self._show_all(mosquitto)
                    await out.lost
                log.warning("cameras_connection_lost", mosquitto=mosquitto)
            except (Unavailable, TimeoutError) as error:
                log.warning("cameras_not_connected", mosquitto=mosquitto, reason=str(error))
            finally:
                self._out.went(mosquitto)
            await asyncio.sleep(RETRY_S)

    def _take(self, mosquitto: int, came: list[Message]) -> None:
        now = time.time_ns()
        for one in came:
            frame = Frame(one.topic.decode(errors="replace"), now, one.payload)
            if one.retained:
                self._forget_retained(one, mosquitto)
            elif self._plan.cameras.get(frame.topic, (None, ()))[1]:
                self._take_in(frame)
            else:  # it may have been registered or offered a moment ago
                self._doubt(frame)

    def _doubt(self, frame: Frame) -> None:
        if frame.topic in self._doubted or len(self._doubted) < MOST_DOUBTED:
            self._doubted[frame.topic] = frame
            self._doubtful.set()
        else:
            self._refuse(frame, "unknown_camera", "too many topics that are no camera's")

    def _forget_retained(self, one: Message, mosquitto: int) -> None:
        """Mosquitto would write it to disk, and give it to whoever comes: take it back."""
        if one.payload:
            frame = Frame(one.topic.decode(errors="replace"), time.time_ns(), one.payload)
            self._refuse(frame, "retained", "publish frames without the retain flag: they are kept nowhere")
            self._out.take_back(mosquitto, frame.topic)

    def _take_in(self, frame: Frame) -> None:
        _, orders = self._plan.cameras[frame.topic]
        seen = self._seen.setdefault(frame.topic, _Seen(frame.arrived))
        seen.heard = frame.arrived
        self._tally.took(frame)
        if not orders:
            FRAMES.labels("not_offered").inc()
        for order in orders:
            if order.interval(frame.arrived) <= self._shown.get(order.name, (-1, 0))[0]:
                FRAMES.labels("not_sampled").inc()
            elif self._trouble is not None:
                self._withhold(frame, "no_model", self._trouble)
            else:
                self._let_wait(order, frame)

    def _let_wait(self, order: Order, frame: Frame) -> None:
        before = self._waiting.put(order, frame)
        if before is None:
            self._something.release()
        else:
            self._refuse(
                before, "overtaken", "a newer frame came before its turn: send fewer, or sample in the profile"
            )

    def _withhold(self, frame: Frame, reason: str, detail: str) -> None:
        """Refuse a frame in whose place none is shown."""
        if (seen := self._seen.get(frame.topic)) is not None:
            seen.hidden = Hidden(time.time_ns(), reason)
        self._refuse(frame, reason, detail)

    def _refuse(self, frame: Frame, reason: str, detail: str) -> None:
        FRAMES.labels(reason).inc()
        self._tally.refused(frame, reason, detail)

    # --- looking at them

    async def _work(self) -> None:
        while True:
            ready = False
            try:
                async with workers.worker(self._settings.setup) as one:
                    ready, self._trouble = True, None
                    while await self._cover_next(one):
                        pass
            except (Unavailable, OSError) as error:
                log.error("camera_worker_failed", reason=str(error))
                if not ready:
                    self._give_up(str(error))
            await asyncio.sleep(0 if ready else WORKER_RETRY_S)

    def _give_up(self, trouble: str) -> None:
        self._trouble = trouble
        for _, frame in self._waiting.empty():
            self._withhold(frame, "no_model", trouble)

    async def _cover_next(self, one: Worker) -> bool:
        """Wait for a frame and see it through; whether the worker is good for another."""
        await self._something.acquire()
        turn = self._waiting.take()
        if turn is None:  # given up meanwhile
            return True
        order, frame = turn
        asked = Asked(
            frame.data, order.blur.level, order.blur.faces, order.blur.plates, order.blur.masks, order.blur.soft
        )
        began = time.perf_counter()
        try:
            said = await one.cover(asked, self._settings.timeout_s)
        except TimeoutError:
            self._withhold(frame, "timeout", f"it took longer than {self._settings.timeout_s:g} s")
            return False
        except Unavailable as error:
            self._withhold(frame, "worker_died", str(error))
            return False
        FRAME_TIME.observe(time.perf_counter() - began)
        await self._answered(order, frame, said)
        return True

    async def _answered(self, order: Order, frame: Frame, said: Done | Failed) -> None:
        if isinstance(said, Failed):
            self._withhold(frame, said.reason, said.detail)
            return
        still = self._orders.get(order.name)  # with the offers of now
        interval = order.interval(frame.arrived)
        if still is None or interval <= self._shown.get(order.name, (-1, 0))[0]:
            FRAMES.labels("not_offered" if still is None else "not_sampled").inc()
            return
        self._shown[order.name] = interval, frame.arrived
        FRAMES.labels("released").inc()
        for screen in still.screens:
            if frame.arrived >= screen.offer.created:
                await self._release(screen, Kept(frame.arrived, said.data))

    # --- pictures out

    async def _release(self, screen: Screen, picture: Kept) -> None:
        try:
            await asyncio.to_thread(self._pictures.keep, screen.release, picture)
        except StoreUnavailable as error:
            log.error("picture_not_kept", reason=str(error))
        self._told.published.append((screen.offer.id, 1, len(picture.jpeg)))
        await self._show(screen, picture, screen.edges)

    async def _show_all(self, mosquitto: int) -> None:
        """Publish what was released last: Mosquitto may have been killed since."""
        await self._take_back(self._plan.withdrawn, {mosquitto})
        for screen in self._plan.screens:
            if mosquitto in screen.edges:
                await self._show_again(screen, {mosquitto})
            else:
                await self._out.publish({mosquitto}, screen.heading, codec.NO_PROPERTIES, b"")

    async def _show_again(self, screen: Screen, at: Collection[int]) -> None:
        with suppress(StoreUnavailable):
            picture = await asyncio.to_thread(self._pictures.latest, screen.release) if at else None
            if picture is not None:
                await self._show(screen, picture, at)

    async def _show(self, screen: Screen, picture: Kept, at: Iterable[int]) -> None:
        properties = screen.properties(times.text(picture.time))
        await self._out.publish(at, screen.heading, properties, picture.jpeg)

    async def _take_back(self, withdrawn: frozenset[str], at: Iterable[int]) -> None:
        for topic in withdrawn:
            await self._out.publish(at, codec.heading(topic), codec.NO_PROPERTIES, b"")

    # --- telling

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_S)
            for screen, state in self._current_states(time.time_ns()):
                if self._states.get(screen.status_topic) != state and await self._out.publish(
                    self._out.every, codec.heading(screen.status_topic), codec.NO_PROPERTIES, state
                ):
                    self._states[screen.status_topic] = state
            self._told.entries += self._tally.entries(time.time_ns())
            await self._report_told()

    async def _report_told(self) -> None:
        told, self._told = self._told, _Told()
        if not (told.entries or told.published):
            return
        try:
            await asyncio.to_thread(self._report, told.entries, told.published)
        except MitoyenError as error:  # told the next time
            log.warning("frames_not_reported", reason=str(error))
            self._told.entries = (told.entries + self._told.entries)[-1_000:]
            self._told.published = told.published + self._told.published

    def _current_states(self, now: int) -> list[tuple[Screen, bytes]]:
        found = []
        for topic, (datastream, orders) in self._plan.cameras.items():
            for order in orders:
                shown = self._shown.get(order.name, (0, 0))[1]
                state = _state(self._seen.get(topic), shown, now, self._settings.silent_after)
                text = messages.status("datastream", datastream.id, *state)
                found += [(screen, text) for screen in order.screens]
        return found


def _state(seen: _Seen | None, shown: int, now: int, silent_after: int) -> tuple[str, int | None, str | None]:
    """State, since when (ns) it is silent, and why it is silent or withheld."""
    if seen is None:
        return "silent", None, "never_heard"
    if now - seen.heard > silent_after:
        return "silent", seen.heard, "timeout"
    if seen.hidden is not None and shown < seen.hidden.time:
        return "withheld", None, seen.hidden.reason
    return "live", None, None
