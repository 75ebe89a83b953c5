"""Erasing what is held of one tag, which is known by its hash alone: its raw reads, and what per-person releases showed of it.

While an epoch's secret exists its name is computed again. When it is destroyed nobody can do that; then the name is the one that stands wherever the tag was
read, if there is one: whoever else was read at all the same places and moments is erased with it. Where
names are of trips, it is all that stands where the tag was read.
"""

from __future__ import annotations

from broker import times
from broker.consent import Consents
from broker.keeper.plan import Feed
from broker.model import Consent
from broker.points import Point
from broker.privacy import pseudonymise
from broker.release import KeyOf, pointwise
from broker.store.protocol import Store

AT_ONCE = 10_000  # of one moment
_NO_KEY = b"\0" * 32


def keys_shown(feed: Feed, reads: list[Point], released: Store, key_of: KeyOf) -> set[str]:
    """The keys under which a per-person release shows these reads of one tag."""
    operator = feed.profile.pseudonymise
    if operator is None:
        return {point.key for read in reads for point in _shown(feed, read, key_of)}
    if operator.by_trip:
        return _at_the_same(feed, reads, released)
    by_epoch: dict[int, list[Point]] = {}
    for read in reads:
        by_epoch.setdefault(pseudonymise.epoch_of(read.time, operator.rotate_ns), []).append(read)
    found: set[str] = set()
    for of_epoch in by_epoch.values():
        known = {point.key for read in of_epoch for point in _shown(feed, read, key_of)}
        found |= known or _followed(feed, of_epoch, released)
    return found


def _at_the_same(feed: Feed, reads: list[Point], released: Store) -> set[str]:
    """The keys of all that stands at the places and moments where these reads would: a trip's name follows from reads that may be gone already."""
    found: set[str] = set()
    for read in reads:
        for point in _shown(feed, read, lambda *_: _NO_KEY):
            suffix = point.key.removeprefix(str(point.value))
            at = released.read(feed.stream, point.time, point.time + 1, limit=AT_ONCE)
            found |= {one.key for one in at if one.key == f"{one.value}{suffix}"}
    return found


def _shown(feed: Feed, read: Point, key_of: KeyOf) -> list[Point]:
    """What the release made of a read, had its bearer consented."""
    shown = feed.shown_by[0]
    everyone = Consents({"": (Consent("", "any", times.EARLIEST),)}, {shown.offer.id: frozenset()}, lambda _: "")
    arrived = max(read.time, shown.offer.created)
    return pointwise(shown.release, shown.offer, [read], arrived, key_of, times.DAY, everyone).points


def _followed(feed: Feed, reads: list[Point], released: Store) -> set[str]:
    """The keys of whatever name stands at all places and moments of an epoch where these reads would."""
    names: set[str] | None = None
    suffixes = set()
    for read in reads:
        for point in _shown(feed, read, lambda *_: _NO_KEY):
            suffix = point.key.removeprefix(str(point.value))
            suffixes.add(suffix)
            at = released.read(feed.stream, point.time, point.time + 1, limit=AT_ONCE)
            here = {str(one.value) for one in at if one.key == f"{one.value}{suffix}"}
            names = here if names is None else names & here
    return {name + suffix for name in names or () for suffix in suffixes}
