"""From points to what a release shows of them, one by one. Pure, but for the keys of pseudonyms, which are asked for.

Whether a point is released depends on the point, its arrival, the offer and the consents that stand, never on the clock: the live path
and the history path of the broker decide alike, and so does a replay after a crash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from broker.consent import NONE, Consents
from broker.model import Datastream, Offer, Release
from broker.points import Point
from broker.privacy import pseudonymise, transform
from broker.privacy.profile import Pseudonymise
from broker.privacy.transform import Change

KeyOf: TypeAlias = Callable[[str, int], bytes | None]
"""(offer, epoch) -> key of 32 bytes, or None if it was destroyed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is released, and how many records are not, by reason."""

    points: list[Point]
    withheld: dict[str, int] = field(default_factory=dict)


def begins(release: Release, offer: Offer) -> int | None:
    """From when (arrival, ns) on records are covered: personal data from the offer on, all other always (None)."""
    return offer.created if _personal(release.datastream) else None


def pointwise(
    release: Release,
    offer: Offer,
    points: Sequence[Point],
    arrived: int,
    key_of: KeyOf,
    lateness: int,
    consents: Consents = NONE,
) -> Outcome:
    """What `release` shows of records that arrived at `arrived` (ns), one by one: what its profile does to points, in order."""
    outcome = cover(release, offer, points, arrived, consents)
    for operator in offer.profile.before_windows:
        if not outcome.points:
            break
        if isinstance(operator, Pseudonymise):
            waits = lateness + offer.profile.delay_ns
            done = _named(offer, operator, outcome.points, arrived, key_of, waits)
        elif (change := transform.of_points(operator)) is not None:
            done = _changed(change, outcome.points)
        else:
            continue
        outcome = Outcome(done.points, _added(outcome.withheld, done.withheld))
    return outcome


def of_trips(
    release: Release,
    offer: Offer,
    points: Sequence[Point],
    begins: Sequence[int | None],
    arrived: int,
    key_of: KeyOf,
    lateness: int,
    consents: Consents = NONE,
) -> Outcome:
    """What `release` shows of an epoch, trip by trip. `begins`: of each point when its trip began, None where nothing is shown of it (`trips`).

    A trip's key is made of its epoch's and of when it began, so that its names are of this trip alone.
    """
    of_trip: dict[int, list[Point]] = {}
    for point, begin in zip(points, begins, strict=True):
        if begin is not None:
            of_trip.setdefault(begin, []).append(point)
    shown, withheld = [], Counter({"near_an_end": sum(begin is None for begin in begins)})
    for begin, of in of_trip.items():
        key = partial(_key_of_trip, key_of, begin)
        outcome = pointwise(release, offer, of, arrived, key, lateness, consents)
        shown += outcome.points
        withheld.update(outcome.withheld)
    return Outcome(sorted(shown, key=lambda point: point.cursor), {reason: n for reason, n in withheld.items() if n})


def _key_of_trip(key_of: KeyOf, begin: int, offer: str, epoch: int) -> bytes | None:
    key = key_of(offer, epoch)
    return None if key is None else pseudonymise.of_trip(key, begin)


def _changed(change: Change, points: Sequence[Point]) -> Outcome:
    shown: list[Point] = []
    withheld: dict[str, int] = {}
    for point in points:
        changed = change(point)
        if isinstance(changed, Point):
            shown.append(changed)
        else:
            withheld[changed] = withheld.get(changed, 0) + 1
    return Outcome(shown, withheld)


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {reason: one.get(reason, 0) + other.get(reason, 0) for reason in one | other} if one else other


def cover(release: Release, offer: Offer, points: Sequence[Point], arrived: int, consents: Consents = NONE) -> Outcome:
    """Leave out what the offer does not cover: personal data from before it, and tags whose bearer did not consent and that are
    no declared thing.
    """
    start = begins(release, offer)
    if start is not None and arrived < start:
        return Outcome([], {"before_offer": len(points)})
    if release.datastream.kind != "rfid" or offer.profile.aggregate is not None:
        return Outcome(list(points))
    things = release.datastream.asset_prefixes
    shown = [
        p
        for p in points
        if str(p.value).startswith(things) or consents.covers(offer.id, str(p.value), min(p.time, arrived))
    ]
    hidden = len(points) - len(shown)
    return Outcome(shown, {"no_consent": hidden} if hidden else {})


def _personal(datastream: Datastream) -> bool:
    return datastream.personal_data or datastream.kind == "rfid"


def _named(
    offer: Offer, operator: Pseudonymise, points: Sequence[Point], arrived: int, key_of: KeyOf, lateness: int
) -> Outcome:
    named: list[Point] = []
    withheld: dict[str, int] = {}
    for point in points:
        epoch = pseudonymise.epoch_of(point.time, operator.rotate_ns)
        late = arrived >= pseudonymise.epoch_closes(epoch, operator.rotate_ns, lateness)
        key = None if late else key_of(offer.id, epoch)
        if key is None:
            reason = "epoch_closed" if late else "key_destroyed"
            withheld[reason] = withheld.get(reason, 0) + 1
        else:
            named.append(pseudonymise.pseudonymise(point, key))
    return Outcome(named, withheld)
