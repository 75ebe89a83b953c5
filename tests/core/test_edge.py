"""Privacy at the edge: no EPC leaves, one tag has one name an epoch, and what can't be named is withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker import times
from broker.privacy.keys import PseudonymKeys
from broker.privacy.profile import Pseudonymise
from broker.reading import Reading, TagRead
from gateways import epc
from gateways.agent.edge import LATE, Edge

if TYPE_CHECKING:
    from pathlib import Path

NOON = times.parse("2026-11-22T12:00:00Z")
DAILY = Pseudonymise("pseudonymise", "P1D")
TAGS = [f"urn:epc:id:sgtin:0614141.812345.{serial}" for serial in range(50)]


def keys_in(folder: Path) -> PseudonymKeys:
    return PseudonymKeys(folder / "pseudonyms.sealed", folder / "pseudonyms.key")


def names(edge: Edge, time: int, now: int) -> list[str]:
    return [
        one.epc for one in edge.passed([TagRead("gate", tag, time) for tag in TAGS], now) if isinstance(one, TagRead)
    ]


def test_a_tag_has_one_name_an_epoch_and_source_and_no_two_tags_have_the_same(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    today = names(Edge("a", DAILY, keys), NOON, NOON)
    assert len(set(today)) == len(TAGS)
    assert not set(today) & set(TAGS)
    assert [epc.canonical(name) for name in today] == today
    again = keys_in(tmp_path)
    assert names(Edge("a", DAILY, again), NOON + times.HOUR, NOON + times.HOUR) == today
    assert not set(names(Edge("a", DAILY, again), NOON + times.DAY, NOON + times.DAY)) & set(today)
    assert not set(names(Edge("b", DAILY, again), NOON, NOON)) & set(today)


def test_what_is_no_tag_passes_as_it_is(tmp_path: Path) -> None:
    reading = Reading("gate", "temperature", 21.5, NOON)
    assert Edge("a", DAILY, keys_in(tmp_path)).passed([reading], NOON) == [reading]


def test_a_read_that_comes_after_its_key_was_destroyed_is_withheld(tmp_path: Path) -> None:
    edge = Edge("a", DAILY, keys_in(tmp_path))
    tomorrow = NOON - NOON % times.DAY + times.DAY
    assert names(edge, NOON, tomorrow + LATE - 1)
    assert not names(edge, NOON, tomorrow + LATE)
    assert names(edge, tomorrow, tomorrow + LATE)
