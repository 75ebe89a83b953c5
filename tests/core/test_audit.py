"""The audit of a small city: what is recommended holds, what is not is shown to leak, and both by what really serves."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from bench.audit import PROFILES, RECOMMENDED, failures, measure, table
from bench.audited_city import BY_TRIP, NAMED, case, reads
from broker.audit.finding import Finding
from broker.audit.plain import sentence
from broker.audit.suite import attack
from broker.consent import NONE
from broker.privacy import pseudonymise
from broker.privacy.draw import laplace
from simulators.people import Population
from simulators.tags import ASSET_PREFIX


@cache
def results() -> dict[str, list[Finding]]:
    return measure(people=150, days=4, seed=7)


def of(profile: str, attack: str) -> Finding:
    return next(one for one in results()[profile] if one.attack == attack)


def test_what_is_recommended_withstands_every_attack() -> None:
    assert list(failures(results())) == []
    for name in RECOMMENDED:
        assert of(name, "differencing").success == 0
        assert of(name, "side channels").success == 0.5


@pytest.mark.parametrize("name", [name for name in PROFILES if "names" in name])
def test_names_are_linked_by_trajectory_and_reversed_by_nobody(name: str) -> None:
    linked, unique = of(name, "linking by trajectory"), of(name, "unicity, 4 known")
    assert linked.times_chance is not None
    assert linked.times_chance > 3
    assert unique.success is not None
    assert unique.success > 0.5
    assert of(name, "dictionary of all tags").success == 0
    assert of(name, "dictionary of all tags").raw == 1
    assert of(name, "two offers joined by name").success == 0


def test_the_raw_data_would_give_everybody_away() -> None:
    assert (of(RECOMMENDED[0], "unicity, 4 known").raw or 0) > 0.9


@pytest.mark.parametrize(
    "leak",
    [
        Finding("linking by rhythm", 0.4, 0.2, 1.0),
        Finding("unicity, 4 known", 0.05, 0.001, 1.0),
        Finding("differencing", 0.001, 0.0, 1.0),
    ],
)
def test_a_recommended_profile_that_leaks_is_named(leak: Finding) -> None:
    found = [leak if one.attack == leak.attack else one for one in results()[RECOMMENDED[0]]]
    assert list(failures({**results(), RECOMMENDED[0]: found}))
    assert not list(failures({**results(), RECOMMENDED[0]: [replace(one, success=0.0) for one in found]}))


def test_the_table_has_a_row_an_attack_and_a_column_a_profile() -> None:
    head, _, *rows = table(results()).splitlines()
    assert all(name in head for name in PROFILES)
    assert len(rows) == len({one.attack for found in results().values() for one in found})


def test_every_attack_is_told_in_words() -> None:
    told = {sentence(one) for found in results().values() for one in found}
    assert all(one.endswith((").", "too few to try it on.")) for one in told)
    assert sentence(Finding("unicity, 4 known", 0.042, 0.001, 0.974, 500)) == (
        "Who knows 4 of somebody's visits singles them out: 4.2% of 500 (0.1% without the offer, 97.4% with the raw data)."
    )


def test_where_nobody_consented_no_name_is_attacked() -> None:
    city = Population(7, 20, read_points=5, visitors=0, things=0)
    nobody = replace(case(NAMED[0], reads(city, 2), city), consents=NONE)
    found = attack(nobody, lambda *_: bytes(32), laplace, np.random.default_rng(1))
    assert {one.success for one in found} == {None, 0.0}


def test_where_only_things_of_the_city_are_seen_nobody_is_found() -> None:
    city = Population(7, 60, read_points=20, visitors=2, things=10)
    ((gates, points),) = reads(city, 1)
    things = [(gates, [point for point in points if str(point.value).startswith(ASSET_PREFIX)])]
    found = attack(case(RECOMMENDED[0], things, city), lambda *_: None, laplace, np.random.default_rng(1))
    assert {one.success for one in found} == {None, 0.0, 0.5}  # of what nobody can tell apart half is guessed


@pytest.mark.parametrize("name", [NAMED[0], BY_TRIP])
def test_where_nobody_consented_there_is_nothing_to_find(name: str) -> None:
    city = Population(7, 60, read_points=20, visitors=2, things=10)
    nobody = replace(case(name, reads(city, 2), city), consents=NONE)
    found = attack(nobody, partial(pseudonymise.derive, bytes(range(32))), laplace, np.random.default_rng(1))
    assert {one.success for one in found} <= {None, 0.0}
