"""What offers publish of how often names are linked: as it was measured, and never less than a finer profile's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from broker.privacy.linkability import DAY, HOUR, TRIP, Linkability, linkability
from broker.privacy.profile import Profile

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ([], None),
        ([{"op": "aggregate", "window": "PT1H", "statistics": ["count"], "k": 5}], None),
        ([{"op": "pseudonymise", "rotate": "P1D"}], DAY),
        ([{"op": "pseudonymise", "rotate": "PT2H"}], DAY),
        ([{"op": "pseudonymise", "rotate": "P7D", "gap": "PT1H"}], DAY),
        ([{"op": "pseudonymise", "rotate": "P1D", "gap": "PT1H", "cut_m": 300}], DAY),
        ([{"op": "pseudonymise", "rotate": "P1D", "gap": "PT1H", "cut_m": 400}], TRIP),
        ([{"op": "pseudonymise", "rotate": "PT10M"}], HOUR),
    ],
)
def test_a_profile_with_names_is_linked_as_often_as_the_next_worse_that_was_measured(
    operators: list[object], expected: Linkability | None
) -> None:
    profile = TypeAdapter(Profile).validate_python({"name": "p", "operators": operators})
    assert linkability(profile) == expected


def test_what_is_published_is_what_the_table_says() -> None:
    heads = next(line for line in PAGE.read_text().splitlines() if line.startswith("| success (chance)")).split(" | ")
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith("| linking by trajectory")).split(
        " | "
    )
    told = {head: float(re.match(r"[\d.]+", cell)[0]) for head, cell in zip(heads[1:4], row[1:4], strict=True)}  # type: ignore[index]  # each begins with a number
    assert told["tags: names of a day"] == pytest.approx(100 * DAY.rate, abs=0.06)
    assert told["tags: names of an hour"] == pytest.approx(100 * HOUR.rate, abs=0.06)
