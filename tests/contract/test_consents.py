"""Codes and consents, on each database that may hold the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker import times
from broker.errors import Conflict, NotFound, Refused
from broker.model import Organisation, OrganisationId
from broker.registry.consents import ATTEMPTS
from broker.registry.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Postgres

TRAM, LIBRARY = OrganisationId("tram"), OrganisationId("library")
EPC = "urn:epc:id:sgtin:0614141.812345.1"
FAR = 10**18


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    if request.param == "sqlite":
        made = Registry.in_home(tmp_path)
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        made = Registry.in_home(tmp_path, postgres.new_database(), postgres.PASSWORD)
    made.migrate()
    for name in (TRAM, LIBRARY):
        made.add_organisation(Organisation(name, name), f"key of {name}", 1)
    made.name_issuer(TRAM, ["urn:epc:id:sgtin:0614141."], 2)
    yield made
    made.close()


def give(
    registry: Registry, code: str, following: str = "next", *, now: int = 5, purposes: tuple[str, ...] = ("a",)
) -> bool:
    return registry.give_consent("tag", code, purposes, following, FAR, now)


def withdraw(registry: Registry, code: str, *, erase: bool = False, now: int = 9) -> bool:
    return registry.withdraw_consent("tag", code, erase=erase, next_code="last", expires=FAR, now=now)


def test_only_the_issuer_hands_out_codes_and_no_two_issue_one_tag(registry: Registry) -> None:
    with pytest.raises(Refused, match="issuer"):
        registry.issue_code(LIBRARY, EPC, "tag", "code", FAR)
    for overlapping in ("urn:epc:id:sgtin:", "urn:epc:id:sgtin:0614141.812345."):
        with pytest.raises(Conflict, match="tram"):
            registry.name_issuer(LIBRARY, [overlapping], 3)
    with pytest.raises(NotFound):
        registry.name_issuer("nobody", [], 3)
    registry.name_issuer(TRAM, [], 3)
    with pytest.raises(Refused, match="issuer"):
        registry.issue_code(TRAM, EPC, "tag", "code", FAR)


def test_a_code_speaks_once_and_its_answer_gives_the_next(registry: Registry) -> None:
    registry.issue_code(TRAM, EPC, "tag", "code", FAR)
    assert give(registry, "code")
    assert not give(registry, "code")
    ((tag, (consent,)),) = registry.snapshot().consents.items()
    assert (tag, consent.purpose, consent.given) == ("tag", "a", 5)
    assert withdraw(registry, "next", erase=True)
    assert not registry.snapshot().consents
    assert registry.snapshot().erasures == (("tag", 9),)
    told = registry.consents_of("tag", "last", "after", FAR, 10)
    assert told is not None
    assert [(one.purpose, one.given, one.withdrawn) for one in told] == [("a", 5, 9)]


def test_a_code_is_worth_nothing_after_too_many_attempts_or_too_late_or_when_another_was_issued(
    registry: Registry,
) -> None:
    assert not give(registry, "never issued")
    registry.issue_code(TRAM, EPC, "tag", "code", FAR)
    assert not any(give(registry, f"guess {n}") for n in range(ATTEMPTS))
    assert not give(registry, "code")
    registry.issue_code(TRAM, EPC, "tag", "late", 5)
    assert not give(registry, "late", now=5)
    registry.issue_code(TRAM, EPC, "tag", "lost", FAR)
    registry.issue_code(TRAM, EPC, "tag", "found", FAR)
    assert not give(registry, "lost")
    assert give(registry, "found")


def test_what_is_consented_to_once_more_keeps_its_beginning_and_after_a_withdrawal_begins_anew(
    registry: Registry,
) -> None:
    registry.issue_code(TRAM, EPC, "tag", "1", FAR)
    assert give(registry, "1", "2", now=5)
    assert give(registry, "2", "3", now=6, purposes=("a", "b"))
    assert [(c.purpose, c.given) for c in registry.snapshot().consents["tag"]] == [("a", 5), ("b", 6)]
    assert withdraw(registry, "3", now=7)
    assert give(registry, "last", now=8)
    assert [(c.purpose, c.given) for c in registry.snapshot().consents["tag"]] == [("a", 8)]


def test_the_ledger_gets_counts_of_days_that_are_over_once_and_nothing_of_the_tags(registry: Registry) -> None:
    day = 20_000 * times.DAY
    for tag in ("tag", "other"):
        registry.issue_code(TRAM, EPC, tag, "1", 2 * day)
        assert registry.give_consent(tag, "1", ["a", "b"], "2", 2 * day, day + 5)
    assert withdraw(registry, "2", now=day + 6)
    registry.record_consents(day + times.HOUR)
    for _ in range(2):
        registry.record_consents(day + 2 * times.DAY)
    told = [entry for entry in registry.ledger(0, 100) if entry["event"] == "consents_of_day"]
    assert [(one["day"], one["given"], one["withdrawn"]) for one in told] == [(times.text(day)[:10], 2, 1)]
    assert EPC not in str(registry.ledger(0, 100))
