"""All attacks on one offer, with the truth at hand: what `mitoyen audit` and `make audit` print. Pure; chance and keys are arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap

import h3
import numpy as np

from broker import combination, message, times
from broker.audit import linking, membership, names
from broker.audit.columns import Counts, Floats, Visits, keys, look_up
from broker.audit.differencing import mean_of_draws, recovered
from broker.audit.finding import Finding
from broker.audit.linking import Linked
from broker.audit.shown import Found, Ground, Seen, noised, without_k
from broker.audit.unicity import unicity
from broker.consent import NONE, Consents
from broker.errors import Refused
from broker.keeper import budget, watch
from broker.keeper.plan import Feed, compile_plan
from broker.keeper.progress import Seen as SeenOfStream
from broker.keeper.windows import exact_windows
from broker.model import Offer
from broker.place import Place
from broker.points import Point
from broker.presence import Presence
from broker.privacy.location import cell_of, place_of
from broker.privacy.noise import Draw
from broker.privacy.profile import RoundTime
from broker.registry.snapshot import Snapshot
from broker.release import KeyOf

SEVERAL_TAGS = "groups of fewer than k people, who have several tags"
POINTS = (1, 2, 3, 4, 5)
WORLDS, TARGETS = 40, 300
"""Of membership inference: the standard error of its accuracy is about 0.006."""
MOST = 20_000  # records whose windows are drawn again and again
_DAYS = 1 << 20
PAIRS = 2  # of epochs that are linked: the busiest
_SILENT_AFTER = 5 * times.MINUTE  # the broker's default
NEAR_M = 100  # a few doors on
_FINEST = times.HOUR  # how exactly a reader knows when somebody was where, as in the literature


@dataclass(frozen=True, slots=True)
class Case:
    """What is attacked."""

    offer: Offer
    found: Found
    beside: Sequence[Offer] = ()
    """Other offers of the same datastreams that a reader might accept as well, if the broker lets them be made."""
    consents: Consents = NONE
    person_of: Callable[[str], str] = str
    """Whose a tag is, where one person has several."""
    lateness: int = 20 * times.SECOND
    released: Mapping[str, Sequence[Point]] | None = None
    """The points of each released stream as they really were, in place of what would be: of windows alone, since names are no longer known."""


def attack(case: Case, key_of: KeyOf, draw: Draw, rng: np.random.Generator) -> list[Finding]:
    """Every attack that there is something to try on."""
    ground = Ground(case.found, draw, case.person_of)
    if case.offer.profile.aggregate is not None:
        return _on_windows(case, ground, draw, rng)
    return _on_names(case, ground, key_of, rng)


def _on_names(case: Case, ground: Ground, key_of: KeyOf, rng: np.random.Generator) -> list[Finding]:
    offer = case.offer
    seen = ground.named(offer, key_of, case.lateness, case.consents)
    seen = seen._replace(visits=seen.visits.where(ground.people[seen.visits.whose]))
    raw = ground.visits(offer.profile)
    raw = raw.where(np.isin(raw.whose, seen.visits.whose) & ground.people[raw.whose])
    rounding = offer.profile.find(RoundTime)
    grain = max(_FINEST, rounding.to_ns if rounding else 0)
    epoch = offer.profile.pseudonymise.rotate_ns if offer.profile.pseudonymise else times.LATEST
    found = _unicity(seen.visits, seen.visits, np.ones(len(seen.names)), raw, grain, rng)
    found += _links(seen.visits, epoch)
    return [*found, *_attacks_on_names(case, ground, seen, key_of, grain)]


def _unicity(
    known: Visits, seen: Visits, holders: Floats, raw: Visits, grain: int, rng: np.random.Generator
) -> list[Finding]:
    alone = np.ones(int(raw.trace.max(initial=0)) + 1)
    people = len(np.unique(raw.whose))
    found = []
    for points in POINTS:
        success, tried = unicity(known, seen, holders, points, grain, rng)
        of_raw, _ = unicity(raw, raw, alone, points, _FINEST, rng)
        chance = 1 / max(people, 1)
        found.append(Finding(f"unicity, {points} known", success if tried else None, chance, of_raw, tried))
    return found


def _links(visits: Visits, epoch: int) -> list[Finding]:
    """Of the busiest epochs with the next, and with the one a day on, if names change faster; whichever tells more."""
    later = sorted({1, max(times.DAY // epoch, 1)})
    attacks = {"linking by trajectory": linking.by_trajectory, "linking by rhythm": linking.by_rhythm}
    return [
        max((_linked(name, list(starmap(pair, _pairs(visits, epoch, by)))) for by in later), key=_told)
        for name, pair in attacks.items()
    ]


def _pairs(visits: Visits, epoch: int, later: int) -> list[tuple[Visits, Visits]]:
    """The busiest epochs, each with the one that is so many epochs later."""
    number = visits.time // epoch
    epochs, size = np.unique(number, return_counts=True)
    many = dict(zip(epochs.tolist(), size.tolist(), strict=True))
    following = [one for one in many if one + later in many]
    busiest = sorted(following, key=lambda one: -min(many[one], many[one + later]))[:PAIRS]
    return [(visits.where(number == one), visits.where(number == one + later)) for one in busiest]


def _told(found: Finding) -> float:
    return found.success or 0.0


def _linked(attack_: str, found: Sequence[Linked]) -> Finding:
    tried = sum(one.tried for one in found)
    if not tried:
        return Finding(attack_, None, None, 1.0)
    success, chance = (
        sum(value * one.tried for value, one in zip(column, found, strict=True)) / tried
        for column in ([one.success for one in found], [one.chance for one in found])
    )
    return Finding(attack_, success, chance, 1.0, tried)


def _attacks_on_names(case: Case, ground: Ground, seen: Seen, key_of: KeyOf, grain: int) -> list[Finding]:
    pseudonyms = case.offer.profile.pseudonymise
    candidates = ground.tags
    epochs = range(0) if pseudonyms is None else range(*_span(seen.visits, pseudonyms.rotate_ns))
    reversed_ = names.dictionary(seen.names, candidates, case.offer.id, epochs)
    careless = names.dictionary(map(names.unkeyed, candidates), candidates, case.offer.id, ())
    other = ground.named(case.offer, lambda offer, epoch: key_of(f"{offer} again", epoch), case.lateness, case.consents)
    same = len(set(seen.names) & set(other.names)) / max(len(seen.names), 1)
    paired = names.joined(seen.visits, other.visits, grain)
    size = len(seen.names)
    return [
        Finding("dictionary of all tags", len(reversed_) / max(size, 1), 0.0, len(careless) / len(candidates), size),
        Finding("two offers joined by name", same, 0.0, 1.0, size),
        Finding("two offers joined by trajectory", paired.success, paired.chance, 1.0, paired.tried),
    ]


def _span(visits: Visits, epoch: int) -> tuple[int, int]:
    if not len(visits.time):
        return (0, 0)
    return int(visits.time.min() // epoch), int(visits.time.max() // epoch) + 1


def _on_windows(case: Case, ground: Ground, draw: Draw, rng: np.random.Generator) -> list[Finding]:
    operator = case.offer.profile.aggregate
    assert operator is not None
    told = ground.told(case.offer) if case.released is None else ground.as_told(case.offer, case.released)
    known = ground.visits(case.offer.profile)
    known = known.where(ground.people[known.whose])
    window = operator.window_ns
    rows = Visits(np.arange(len(told.time)), told.time, told.place, np.full(len(told.time), -1))
    holders = _holders(known, told, window)
    of_day = known._replace(trace=known.whose * _DAYS + known.time // times.DAY)
    found = _unicity(of_day, rows, holders, known, window, rng)
    if case.offer.releases[0].datastream.kind == "rfid":  # a meter is where it is
        found += _follows(known, told, window)
    found += _differences(case, ground, known, told, window)
    found += _averages(case, ground, draw)
    if len(known.time):
        found.append(_membership(case, ground, known, window, rng))
    found += _places(case)
    found.append(_channels(case))
    return found


def _holders(known: Visits, told: Counts, window: int) -> Floats:
    """Of how many people each group that is told is."""
    pairs = np.unique(np.column_stack((keys(known.time, known.place, window), known.whose)), axis=0)[:, 0]
    group, people = np.unique(pairs, return_counts=True)
    return look_up(group, people.astype(np.float64), keys(told.time, told.place, window))


def _follows(known: Visits, told: Counts, window: int) -> list[Finding]:
    day = known.time // times.DAY
    days, size = np.unique(day, return_counts=True)
    following = [d for d in days.tolist() if d + 1 in days]
    busiest = sorted(following, key=lambda d: -int(size[days == d][0]))[: 2 * PAIRS]
    pairs = [(known.where(day == d), known.where(day == d + 1), *_days(told, d)) for d in busiest]
    return [
        _linked("linking by trajectory", [linking.follow(*pair, window, times.DAY) for pair in pairs]),
        _linked("linking by rhythm", [linking.rhythm(*pair, window, times.DAY) for pair in pairs]),
    ]


def _days(told: Counts, day: int) -> tuple[Counts, Counts]:
    number = told.time // times.DAY
    return told.where(number == day), told.where(number == day + 1)


def _differences(case: Case, ground: Ground, known: Visits, told: Counts, window: int) -> list[Finding]:
    """Of the offer with every other that the broker lets stand beside it; and of careless totals, to show that the attack works."""
    operator = case.offer.profile.aggregate
    assert operator is not None
    if operator.k is None or "count" not in operator.statistics:
        return []
    whole = (0, times.LATEST)
    truth = ground.told(without_k(case.offer), ground.part(ground.people, *whole))
    things = ground.told(without_k(case.offer), ground.part(~ground.people, *whole))
    units = ground.visits(case.offer.profile)._replace(whose=ground.unit).where(ground.people[ground.whose])
    few = _holders(units, truth, window) < operator.k
    groups: list[Counts] = [told]
    totals: list[Counts] = []
    refused = 0
    for other in case.beside:
        try:
            combination.check_together(other, [case.offer])
        except Refused:
            refused += 1
            continue
        if other.profile.aggregate is None or "count" not in other.profile.aggregate.statistics:
            continue
        (totals if _is_total(other, case.offer) else groups).append(ground.told(other))
    groups = [_less(one, things, window) for one in groups]
    totals = [_less(_total(one), _total(things), window) for one in totals]
    hits, asked = recovered(truth, groups, totals, few)
    would, _ = recovered(truth, [truth.where(~few)], [_total(truth)], few)
    note = f"{len(case.beside) - refused} other offers beside it, {refused} refused"
    small = float((_holders(known, told, window) < operator.k).mean()) if len(told.time) else 0.0
    return [
        Finding("differencing", hits / max(asked, 1), 0.0, would / max(asked, 1), asked, note),
        Finding(SEVERAL_TAGS, small, 0.0, float(few.mean()) if len(few) else 0.0, len(told.time), "no attack"),
    ]


def _total(counts: Counts) -> Counts:
    """Of all places together."""
    starts, which = np.unique(counts.time, return_inverse=True)
    return Counts(
        starts, np.zeros(len(starts), np.int64), np.bincount(which, counts.told, len(starts)).astype(np.float64)
    )


def _less(counts: Counts, things: Counts, window: int) -> Counts:
    """Without the declared things, which a reader knows by name."""
    known = look_up(keys(things.time, things.place, window), things.told, keys(counts.time, counts.place, window))
    return counts._replace(told=counts.told - known)


def _is_total(other: Offer, offer: Offer) -> bool:
    one, two = other.profile.aggregate, offer.profile.aggregate
    assert one is not None
    assert two is not None
    return one.by == "datastream" and two.by != "datastream"


def _averages(case: Case, ground: Ground, draw: Draw) -> list[Finding]:
    """All draws of a window that a budget pays for, when as many offers as it bears draw each window of a period."""
    operator, noise = case.offer.profile.aggregate, case.offer.profile.noise
    assert operator is not None
    if noise is None:
        return []
    (feed, *_) = compile_plan(Snapshot(0, offers={case.offer.id: case.offer})).by_stream.values()
    once = budget.cost(feed, noise, 0)
    windows = max(noise.per_ns // operator.window_ns, 1)
    draws = max(once.budget // (once.amount * windows), 1)
    exact = exact_windows(feed, [(d, points[:MOST]) for d, points in ground.found if d in feed.sources]).points
    table = np.array([[float(point.value) for point in noised(feed, exact, draw)] for _ in range(draws)])
    true = np.array([float(point.value) for point in exact])
    _, many = np.unique(true, return_counts=True)
    usual = float(many.max() / len(true)) if len(true) else 0.0
    note = f"{draws} draws a window"
    return [Finding("averaging noise away", mean_of_draws(table, true), usual, 1.0, len(true), note)]


def _membership(case: Case, ground: Ground, known: Visits, window: int, rng: np.random.Generator) -> Finding:
    days, size = np.unique(known.time // times.DAY, return_counts=True)
    day = int(days[np.argmax(size)]) * times.DAY
    there = known.between(day, day + times.DAY)
    people = np.unique(there.whose)
    targets = rng.choice(people, min(TARGETS, len(people)), replace=False)
    inside = rng.random((WORLDS, int(known.whose.max()) + 1)) < 0.5  # noqa: PLR2004 - a fair coin
    worlds = [ground.told(case.offer, ground.part(world, day, day + times.DAY)) for world in inside]
    groups = np.unique(keys(there.time, there.place, window))
    told = np.stack([look_up(keys(world.time, world.place, window), world.told, groups) for world in worlds])
    habits = np.zeros((len(targets), len(groups)))
    of_target = {int(tag): place for place, tag in enumerate(targets)}
    for tag, key in zip(there.whose.tolist(), keys(there.time, there.place, window).tolist(), strict=True):
        if tag in of_target:
            habits[of_target[tag], np.searchsorted(groups, key)] += 1
    right = membership.accuracy(told, habits, inside[:, targets])
    return Finding(
        "membership inference", right, 0.5, 1.0, len(targets), f"{WORLDS} worlds of half the people, one day"
    )


def _places(case: Case) -> list[Finding]:
    """Averaging away the grid: how many private places lie near the mean of all that was ever told of them."""
    private = [d for d, _ in case.found if d.place is not None and d.location_h3 is not None]
    if not private:
        return []
    # the same every time, so that it is its own mean
    told = [place_of(source, case.offer.profile) for source in private]
    near = [_metres(d.place, p) < NEAR_M for d, p in zip(private, told, strict=True)]
    cells = [cell_of(source, case.offer.profile) for source in private]
    chance = float(np.mean([math.pi * NEAR_M**2 / h3.cell_area(cell, unit="m^2") for cell in cells]))
    return [Finding(f"place averaged to {NEAR_M} m", float(np.mean(near)), chance, 1.0, len(private))]


def _metres(one: Place | None, other: Place | None) -> float:
    """Between two places; endless where one is not told."""
    if one is None or other is None:
        return math.inf
    apart = h3.great_circle_distance((one.latitude, one.longitude), (other.latitude, other.longitude), unit="m")
    return float(apart)


def _channels(case: Case) -> Finding:
    """Whether a window with too few and one with nobody can be told apart: by messages, last value and status."""
    feeds: Sequence[Feed] = list(compile_plan(Snapshot(0, offers={case.offer.id: case.offer})).by_stream.values())
    apart = tried = 0
    for feed in feeds:
        for shown in (None, 10**6 * times.SECOND):
            for now in (shown or 0, (shown or 0) + times.HOUR, (shown or 0) + times.DAY):
                nobody, few = (
                    SeenOfStream(shown=shown),
                    SeenOfStream(heard=now, shown=shown, hidden=now, reason="below_k"),
                )
                tried += 1
                apart += _looks(feed, nobody, now) != _looks(feed, few, now)
    return Finding("side channels", 0.5 + apart / max(tried, 1) / 2, 0.5, 1.0, tried, "nobody, or too few?")


def _looks(feed: Feed, seen: SeenOfStream, now: int) -> bytes:
    """All that a reader has of a window in which nothing was shown: the status, and no message."""
    there = Presence(feed.datastream.organisation, feed.datastream.gateway, last_seen=now)
    return message.status("datastream", feed.datastream.id, *watch.status(feed, seen, there, now, _SILENT_AFTER))
