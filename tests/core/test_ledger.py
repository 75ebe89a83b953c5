"""The arithmetic of the public record."""

from __future__ import annotations

import pytest

from broker.registry import ledger


def chain(length: int) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = []
    previous = ledger.BEGINNING
    for seq in range(1, length + 1):
        entries.append(ledger.sealed(seq, "2026-11-22T20:00:00Z", "offer_published", {"offer": f"o{seq}"}, previous))
        previous = str(entries[-1]["hash"])
    return entries


def test_a_chain_that_nobody_touched_holds() -> None:
    assert ledger.verify(chain(5)) == 5


@pytest.mark.parametrize("place", [0, 2, 4])
def test_the_first_changed_entry_is_named(place: int) -> None:
    entries = chain(5)
    entries[place]["offer"] = "another"
    found = ledger.verify(entries)
    assert isinstance(found, ledger.Broken)
    assert found.seq == place + 1


def test_an_entry_that_was_left_out_is_noticed() -> None:
    entries = chain(5)
    del entries[2]
    found = ledger.verify(entries)
    assert isinstance(found, ledger.Broken)
    assert found.seq == 3
