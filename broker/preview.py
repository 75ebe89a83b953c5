"""What a release would show of points that are there already: computed by what serves, and kept by nobody. Pure.

Two answers, since an offer begins at a moment: what history would hold if it were made now, and what would have gone out live had it
stood already. They differ for personal data, of which an offer shows nothing from before it. Windows are whole or not shown.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from broker import times
from broker.keeper.plan import Feed, compile_plan
from broker.keeper.windows import exact_windows, finished, first_of_each
from broker.licence import Terms
from broker.model import Datastream, Offer, OfferId, OrganisationId, Release, ReleaseId
from broker.points import Point
from broker.privacy import suitability
from broker.privacy.aggregate import start_of
from broker.privacy.profile import Profile, Sample
from broker.privacy.trips import trips
from broker.registry.snapshot import Snapshot
from broker.release import KeyOf, Outcome, begins, of_trips, pointwise


class Span(NamedTuple):
    """Points are looked at from `start` on and before `end` (ns)."""

    start: int
    end: int


class Seen(NamedTuple):
    past: Outcome
    live: list[Point]
    """Oldest first."""


def hypothetical(
    datastreams: Sequence[Datastream], profile: Profile, created: int, purposes: tuple[str, ...] = ("any",)
) -> Offer:
    """An offer of these datastreams alone that nobody made. Raises Refused where it could not be made, and Malformed."""
    suitability.check(profile, datastreams)
    name = OfferId("preview")
    releases = tuple(
        Release(ReleaseId(f"preview-{number}"), name, one, "preview") for number, one in enumerate(datastreams)
    )
    return Offer(name, OrganisationId(datastreams[0].organisation), profile, Terms("", "", purposes), releases, created)


def of_people(source: Datastream) -> bool:
    """Whether its records are of somebody whom an attack could be after."""
    return source.kind == "rfid" or (source.kind == "measurement" and source.privacy_unit_id is not None)


def feed_of(offer: Offer) -> Feed:
    """What an offer of one datastream feeds."""
    (feed,) = compile_plan(Snapshot(0, offers={offer.id: offer})).by_stream.values()
    return feed


def whole(feed: Feed, span: Span) -> Span:
    """The span from the beginning of its first window to that of the window which is not whole in it."""
    if feed.window_ns is None or not (feed.profile.aggregate or feed.profile.by_trip):
        return span
    return Span(start_of(span.start, feed.window_ns), start_of(span.end, feed.window_ns))


def seen(offer: Offer, points: Sequence[Point], now: int, key_of: KeyOf, lateness: int) -> Seen:
    """What an offer that is made now shows of these points of its datastream, of whole windows, each once, by time."""
    past = _shown(offer, points, now, key_of, lateness)
    if begins(offer.releases[0], offer) is None:
        return Seen(_stored(past), past.points)
    before = dataclasses.replace(offer, created=times.EARLIEST)
    return Seen(_stored(past), _shown(before, points, now, key_of, lateness).points)


def _stored(outcome: Outcome) -> Outcome:
    """As history holds it: of records that were made to be of one time, the last."""
    kept = sorted({point.cursor: point for point in outcome.points}.values(), key=lambda point: point.cursor)
    same = len(outcome.points) - len(kept)
    return Outcome(kept, {**outcome.withheld, "same_time": same} if same else outcome.withheld)


def _shown(offer: Offer, points: Sequence[Point], now: int, key_of: KeyOf, lateness: int) -> Outcome:
    feed, release = feed_of(offer), offer.releases[0]
    start = begins(release, offer)
    covered = [point for point in points if start is None or point.time >= start]
    withheld = {"before_offer": len(points) - len(covered)} if len(points) > len(covered) else {}
    waits, length = (
        max(lateness if feed.profile.aggregate or feed.profile.by_trip else 0, feed.profile.delay_ns),
        feed.window_ns,
    )
    due = [p for p in covered if length is None or start_of(p.time, length) + length + waits <= now]
    if len(due) < len(covered):
        withheld["not_yet"] = len(covered) - len(due)
    if feed.profile.aggregate is not None:
        windows = exact_windows(feed, [(feed.datastream, due)])
        return Outcome(finished(feed, windows.points), withheld | windows.withheld)
    arrived = due[0].time if due else now  # as if each had come at once
    if offer.profile.by_trip:
        return _trips(offer, due, arrived, key_of, lateness, withheld)
    outcome = pointwise(release, offer, due, arrived, key_of, lateness)
    sample = feed.profile.find(Sample)
    shown = first_of_each(outcome.points, sample.every_ns) if sample else outcome.points
    if len(shown) < len(outcome.points):
        withheld["sampled_out"] = len(outcome.points) - len(shown)
    return Outcome(shown, withheld | outcome.withheld)


def _trips(
    offer: Offer, points: Sequence[Point], arrived: int, key_of: KeyOf, lateness: int, withheld: dict[str, int]
) -> Outcome:
    """An epoch after the other, with what was `withheld` before; as if no other datastream were offered."""
    operator, release = offer.profile.pseudonymise, offer.releases[0]
    assert operator is not None
    shown: list[Point] = []
    hidden = Counter(withheld)
    for _, of_epoch in groupby(points, key=lambda point: start_of(point.time, operator.rotate_ns)):
        of = list(of_epoch)
        (begins,) = trips([(release.datastream.place, of)], operator)
        outcome = of_trips(release, offer, of, begins, arrived, key_of, lateness)
        shown += outcome.points
        hidden.update(outcome.withheld)
    return Outcome(shown, dict(hidden))
