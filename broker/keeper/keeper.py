"""The loop that keeps: read the journal, write raw, write what is released, close windows, go on.

One thread and one order, so that nothing races: a batch is in the raw store before its releases, and a window is
computed from the raw store, where each point is once. Every step may be done twice without harm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from broker import times
from broker.errors import StoreUnavailable, Unavailable
from broker.journal.protocol import JournalReader
from broker.keeper import state
from broker.keeper.arrivals import Arrivals
from broker.keeper.closer import Closer
from broker.keeper.eraser import Eraser
from broker.keeper.known import Known
from broker.keeper.news import Live, News
from broker.keeper.past import Past
from broker.keeper.plan import Feed
from broker.keeper.progress import Progress
from broker.keeper.releaser import Releaser
from broker.keeper.watch import Watch
from broker.metrics import BEHIND, KEYS_DESTROYED, STORE_FAILED
from broker.model import OfferId
from broker.privacy import pseudonymise
from broker.privacy.draw import laplace
from broker.privacy.keys import PseudonymKeys
from broker.privacy.noise import Draw
from broker.registry.reader import RegistryReader
from broker.store.protocol import Store

log = structlog.get_logger()

REST_S = 0.05  # how long it waits when there is nothing to do: the delay of history behind live
RETRY_S = (0.2, 5.0)  # first and longest pause after a store did not answer
SPEAK_S = 0.5  # how often its state is told
KEEP_SEEN = 10 * times.SECOND  # what a crash may make it forget of when a release was last heard
SLACK = times.MINUTE  # a past epoch's secret is kept this much longer, for whoever is behind


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    lateness: int
    """How long (ns) after a window's end records of it are waited for."""
    silent_after: int = 10 * times.MINUTE
    """How long (ns) a gateway or a datastream may say nothing before it is told silent."""
    partition: int = 0
    """Whose organisations are kept."""


class Keeper:
    """Owns the stores' writing side."""

    def __init__(
        self,
        *,
        registry: RegistryReader,
        journal: JournalReader,
        progress: Progress,
        raw: Store,
        released: Store,
        keys: PseudonymKeys,
        hash_of: Callable[[str], str],
        live: Live,
        say: Callable[[state.KeeperState], None],
        settings: KeeperSettings,
        report: Callable[[list[tuple[str, int, int]]], object],
        clock: Callable[[], int] = time.time_ns,
        draw: Draw = laplace,
    ) -> None:
        lateness = settings.lateness
        self._journal = journal
        self._progress = progress
        self._keys = keys
        self._live = live
        self._say = say
        self._lateness = lateness
        self._report = report
        self._clock = clock
        self._known = known = Known(registry, hash_of, settings.partition)
        self._watch = watch = Watch(progress, settings.silent_after)
        self._news = news = News(live, released, progress)
        self._releaser = releaser = Releaser(
            known=known, progress=progress, released=released, watch=watch, key_of=keys.key, lateness=lateness,
            clock=clock, draw=draw,
        )  # fmt: skip
        self._closer = closer = Closer(
            known=known, progress=progress, raw=raw, released=released, releaser=releaser, news=news
        )
        self._arrivals = Arrivals(
            known=known, progress=progress, raw=raw, released=released, releaser=releaser, closer=closer, news=news,
            watch=watch, lateness=lateness,
        )  # fmt: skip
        self._past = Past(
            known=known, progress=progress, raw=raw, releaser=releaser, news=news, lateness=lateness, clock=clock
        )
        self._eraser = Eraser(progress, raw, released, keys, live, hash_of)
        self._through = 0
        self._spoke = 0.0
        self._swept = 0
        self._followed = 0
        self._kept_seen = 0
        self._new: dict[str, Feed] = {}
        """What is not begun yet: a store or a disk may fail amid it, and the registry tells of it once."""
        self._erased_for = -1  # the registry's revision at which it was read whole: while it grows, nothing goes
        self._heard_anew: frozenset[OfferId] = frozenset()
        """What is to be told again, where it was not heard before."""

    def run(self, stop: threading.Event) -> None:
        """Keep until told to stop. Raises LeaseLost."""
        pause = RETRY_S[0]
        while not stop.is_set():
            try:
                rested = not self.step()
                pause = RETRY_S[0]
                if rested:
                    stop.wait(REST_S)
            except (StoreUnavailable, Unavailable) as error:
                STORE_FAILED.inc()
                log.warning("keeper_waits", reason=str(error), pause_s=pause)
                self.speak(trouble=str(error))
                stop.wait(pause)
                pause = min(pause * 2, RETRY_S[1])

    def step(self) -> bool:
        """Do the next thing; whether there was any. Raises StoreUnavailable and Unavailable, and can then be called again; LeaseLost."""
        self._progress.check()
        asked = self._clock()
        batches = self._journal.read(self._progress.place)
        self._follow()
        if batches:
            self._arrivals.keep(batches)
            self._through = batches[-1].entries[-1].arrived
        else:
            self._through = asked
            self._closer.close_due(asked)
        BEHIND.set(len(batches))
        busy = self._erase() or self._past.fill() or bool(batches)
        if self._live.wants_retained():
            self._watch.told_nothing()
            self._news.tell_again(self._known.plan.by_stream.values())
        if self._heard_anew:
            self._news.tell_again(self._known.plan.showing(self._heard_anew))
            self._heard_anew = frozenset()
        self._live.forward()
        self._destroy_keys(asked)
        if time.monotonic() - self._spoke > SPEAK_S:
            self.speak()
        return busy

    def speak(self, trouble: str = "") -> None:
        """Tell how it gets on, and unless that is in doubt, how every release and gateway does. Raises LeaseLost."""
        self._spoke = time.monotonic()
        waiting = tuple(backfill.stream for backfill in self._progress.backfills())
        slowest = self._watch.delays.slowest()
        self._say(state.KeeperState(time.time_ns(), self._through, waiting, self._followed, trouble, slowest))
        if trouble:
            return
        gateways, heard = self._known.snapshot.gateways, self._journal.presences()
        self._watch.tell(self._live, self._known.plan, gateways, heard, self._clock())
        self._watch.measure(heard)
        self._news.report(self._report)
        if self._clock() - self._kept_seen > KEEP_SEEN:
            self._kept_seen = self._clock()
            self._watch.keep()

    def _follow(self) -> None:
        asked = self._clock()
        self._new |= {feed.stream: feed for feed in self._known.follow()}
        if self._new:
            self._heard_anew |= self._live.follow(self._known.snapshot)
            feeds = self._new.values()
            self._past.begin(feeds)
            self._news.catch_up(feeds)
            self._watch.look_at(feeds)
            self._new = {}
        self._followed = asked

    def _erase(self) -> bool:
        """Erase one thing that the registry says is gone; whether there was one."""
        snapshot = self._known.snapshot
        if self._erased_for == snapshot.whole:
            return False
        stream = self._eraser.erase(snapshot, self._known.plan)
        if stream is None:
            self._erased_for = snapshot.whole
            return False
        self._watch.forget(stream)
        self._news.forget(stream)
        self._releaser.forget(stream)
        return True

    def _destroy_keys(self, now: int) -> None:
        if now - self._swept < SLACK:
            return
        self._swept = now
        behind = min(now, self._through) - SLACK - self._lateness
        for feed in self._known.plan.by_stream.values():
            for shown in feed.shown_by:
                operator = shown.offer.profile.pseudonymise
                if operator is not None:
                    before = pseudonymise.epoch_of(behind - shown.offer.profile.delay_ns, operator.rotate_ns)
                    KEYS_DESTROYED.inc(self._keys.destroy(shown.offer.id, before))
