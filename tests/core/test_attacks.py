"""The attacks have teeth: each succeeds on what is not protected, and falls to chance where there is nothing to find."""

from __future__ import annotations

import hashlib

import numpy as np

from broker.audit import linking, membership, names
from broker.audit.columns import Counts, Visits
from broker.audit.differencing import determined, mean_of_draws, recovered
from broker.audit.unicity import unicity
from broker.privacy import pseudonymise
from broker.times import DAY, HOUR

PEOPLE, PLACES, TRIPS = 200, 50, 12


def lives(seed: int, day: int, names: int = 0, *, habits: bool = True) -> Visits:
    """A day of people who go to the same places at the same hours every day, or anywhere."""
    rng = np.random.default_rng(seed if habits else [seed, day])
    who = np.repeat(np.arange(PEOPLE), TRIPS)
    place, hour = rng.integers(0, PLACES, len(who)), rng.integers(6, 22, len(who))
    return Visits(who + names, day * DAY + hour * HOUR, place, who)


def counts(visits: Visits, least: int = 1) -> Counts:
    pairs = np.unique(np.column_stack((visits.time, visits.place, visits.whose)), axis=0)[:, :2]
    groups, number = np.unique(pairs, axis=0, return_counts=True)
    return Counts(groups[:, 0], groups[:, 1], number.astype(float)).where(number >= least)


def test_habits_are_linked_by_trajectory_and_by_rhythm_and_no_habits_are_not() -> None:
    one, other = lives(1, 0), lives(1, 1, names=10_000)
    assert linking.by_trajectory(one, other).success > 0.99
    assert linking.by_rhythm(one, other).success > 0.9
    strangers = lives(1, 0, habits=False), lives(1, 1, names=10_000, habits=False)
    for attack in (linking.by_trajectory, linking.by_rhythm):
        found = attack(*strangers)
        assert found.success < 0.04
        assert found.chance == 1 / PEOPLE


def test_four_known_visits_single_out_a_trace_and_never_a_window_of_several() -> None:
    visits, rng = lives(2, 0), np.random.default_rng(2)
    assert unicity(visits, visits, np.ones(PEOPLE), 4, HOUR, rng)[0] > 0.99
    groups = counts(visits, least=5)
    rows = Visits(np.arange(len(groups.time)), groups.time, groups.place, np.full(len(groups.time), -1))
    for points in (1, 4):
        assert unicity(visits, rows, groups.told, points, HOUR, rng)[0] == 0
    alone = counts(visits)
    rows = Visits(np.arange(len(alone.time)), alone.time, alone.place, np.full(len(alone.time), -1))
    assert unicity(visits, rows, alone.told, 1, HOUR, rng)[0] > 0.02


def test_two_tags_of_one_person_do_not_hide_each_other() -> None:
    visits = lives(3, 0)
    both = Visits(
        *(np.concatenate(pair) for pair in zip(visits, visits._replace(trace=visits.trace + 500), strict=True))
    )
    assert unicity(visits, both, np.ones(1_000), 4, HOUR, np.random.default_rng(3))[0] > 0.99


def test_counts_that_show_somebody_came_are_followed_and_random_ones_are_not() -> None:
    """Everybody goes to half of the places of the day before; who sees everything told knows which."""
    before = lives(4, 0)
    went = np.random.default_rng(4).random(len(before.time)) < 0.5
    after = before._replace(time=before.time + DAY).where(went)
    told = linking.follow(before, after, counts(before), counts(after), HOUR, DAY)
    assert told.success > 1.3 * told.chance
    empty = Counts(np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    assert abs(linking.follow(before, after, empty, empty, HOUR, DAY).success - told.chance) < 0.1


def test_an_unknown_alone_is_had_by_subtraction_and_two_are_not() -> None:
    assert determined(np.ones((1, 1)), np.array([3.0])).tolist() == [True]
    assert determined(np.ones((1, 2)), np.array([3.0])).tolist() == [False, False]
    assert determined(np.ones((1, 2)), np.array([0.0])).tolist() == [True, True]
    nested = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    assert determined(nested, np.array([9.0, 4.0])).tolist() == [False, False, True]
    assert determined(np.zeros((0, 2)), np.zeros(0)).tolist() == [False, False]


def test_careless_totals_give_away_the_one_group_that_they_withhold() -> None:
    truth = Counts(np.zeros(3, int), np.arange(3), np.array([9.0, 7.0, 2.0]))
    total = Counts(np.zeros(1, int), np.zeros(1, int), np.array([18.0]))
    few = truth.told < 5
    assert recovered(truth, [truth.where(~few)], [total], few) == (1, 1)
    assert recovered(truth, [truth.where(truth.told == 9)], [total], few) == (0, 1)
    assert recovered(truth, [truth], [], few) == (1, 1)


def test_who_was_counted_is_seen_in_exact_counts_and_not_in_noise() -> None:
    rng = np.random.default_rng(5)
    habits = (rng.random((40, 300)) < 0.2).astype(float)
    inside = rng.random((60, 40)) < 0.5
    exact = inside.astype(float) @ habits
    assert membership.accuracy(exact, habits, inside) > 0.7
    assert abs(membership.accuracy(rng.normal(size=exact.shape), habits, inside) - 0.5) < 0.06


def test_noise_is_averaged_away_by_many_draws_and_not_by_one() -> None:
    rng, exact = np.random.default_rng(6), np.arange(500)
    draws = exact + rng.laplace(scale=4, size=(2_000, 500))
    assert mean_of_draws(draws, exact) > 0.98
    assert mean_of_draws(draws[:1], exact) < 0.2


def test_unkeyed_names_are_reversed_and_ours_only_by_who_has_the_key() -> None:
    tags = [f"urn:epc:id:sgtin:9521141.100001.{n}" for n in range(50)]
    secret = bytes(range(32))
    ours = [pseudonymise.name(pseudonymise.derive(secret, "f", 3), tag) for tag in tags]
    plain = [hashlib.sha256(tag.encode()).hexdigest() for tag in tags]
    assert set(names.dictionary(plain, tags, "f", [3]).values()) == set(tags)
    assert not names.dictionary(ours, tags, "f", [3])
    careless = [pseudonymise.name(pseudonymise.derive(bytes(32), "f", 3), tag) for tag in tags]
    assert len(names.dictionary(careless, tags, "f", [3])) == 50


def test_two_offers_of_the_same_reads_are_joined_by_where_and_when() -> None:
    one, other = lives(7, 0), lives(7, 0, names=10_000)
    assert names.joined(one, other, HOUR).success > 0.99
