"""Erasing what the registry says is gone: one thing at a time, so that what comes in waits for none of it longer than that."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from broker.errors import Unavailable
from broker.keeper.erasure import keys_shown
from broker.keeper.plan import Plan
from broker.keeper.progress import Progress
from broker.keeper.watch import Teller
from broker.metrics import KEYS_DESTROYED
from broker.model import Offer
from broker.privacy.keys import PseudonymKeys
from broker.registry.snapshot import Snapshot
from broker.store.protocol import Store
from broker.store.reads import reads_of

EVERY_EPOCH = 2**62


class Eraser:
    """What is done twice after a crash does no harm."""

    def __init__(
        self,
        progress: Progress,
        raw: Store,
        released: Store,
        keys: PseudonymKeys,
        live: Teller,
        hash_of: Callable[[str], str],
    ) -> None:
        self._progress = progress
        self._raw = raw
        self._released = released
        self._keys = keys
        self._live = live
        self._hash_of = hash_of

    def erase(self, snapshot: Snapshot, plan: Plan) -> str | None:
        """Erase the next thing: the released stream that is now forgotten, empty for something else; None if there was nothing."""
        for tag, asked in snapshot.erasures:
            if (tag, asked) not in self._progress.erased_tags():
                self._erase_tag(tag, snapshot, plan)
                self._progress.note_erased_tag(tag, asked)
                return ""
        for datastream in snapshot.deleted:
            if datastream.stream not in self._progress.erased():
                self._raw.erase(datastream.stream)
                self._progress.note_erased(datastream.stream)
                return ""
        known = self._progress.known_streams() - plan.by_stream.keys()
        for offer in snapshot.withdrawn:
            for release in offer.releases:
                if release.stream in known:
                    self._forget(offer, release.stream)
                    return release.stream
        return None

    def _erase_tag(self, tag: str, snapshot: Snapshot, plan: Plan) -> None:
        """Erase the raw reads of a tag (a hash), after what per-person releases showed of them."""
        for datastream in snapshot.datastreams:
            if datastream.kind != "rfid":
                continue
            pieces = reads_of(self._raw, datastream.stream, lambda epc: self._hash_of(epc) == tag)
            if not (found := [read for piece in pieces for read in piece]):
                continue
            for feed in plan.feeds_of(datastream):
                if feed.profile.aggregate is None:
                    self._released.erase_keys(feed.stream, keys_shown(feed, found, self._released, self._keys.key))
                    self._take_back(shown.offer.topic(shown.release) for shown in feed.shown_by)
            self._raw.erase_keys(datastream.stream, {read.key for read in found})

    def _forget(self, offer: Offer, stream: str) -> None:
        if offer.profile.pseudonymise:
            KEYS_DESTROYED.inc(self._keys.destroy(offer.id, EVERY_EPOCH))
        self._take_back(self._progress.cells(stream))
        self._released.erase(stream)
        self._progress.forget(stream)

    def _take_back(self, topics: Iterable[str]) -> None:
        """Let nothing be retained on these. Raises Unavailable while there is no connection: it is done anew then."""
        for topic in topics:
            if not self._live.tell(topic, b""):
                raise Unavailable("what is retained can't be taken back while there is no connection")
