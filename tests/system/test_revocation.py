"""A licence that ends, ends for every way of reading, and for nobody else: the measurement of `make bench-revocation`, made short.

What holds whatever the machine does is asserted here; how long it took is for the measurement.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

import pytest

from bench.readers import WAYS
from bench.revocation import ENDS, measured
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(300)
def test_what_ends_is_silent_in_every_way_and_nobody_else_misses_anything(tmp_path: Path) -> None:
    asked = argparse.Namespace(ends=2, rate=200, applications=20, offers=2)
    with Mitoyen(tmp_path) as broker:
        result = asyncio.run(measured(broker, asked))
    for end in ENDS:
        assert result[end].keys() == WAYS.keys()
        for way, found in result[end].items():
            assert found["ends"] == 2, (end, way)
            assert found["deliveries_after_1_s"] == 0, (end, way, found)
    others = result["others"]
    assert others["messages"] > 0
    assert (others["gaps"], others["missing"]) == (0, 0)
