"""Records a second of one core's time of each operator, the best of three. Run: `.venv/bin/python bench/operators.py [RECORDS]`."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from broker import times
from broker.place import Place
from broker.points import Point, tag_key
from broker.privacy.aggregate import Part, aggregate
from broker.privacy.profile import Aggregate, Clip, District, Operator, Pseudonymise, Quantise, RoundTime, Suppress
from broker.privacy.pseudonymise import pseudonymise
from broker.privacy.transform import of_points
from broker.privacy.trips import trips

TAGS, GATES, HOMES = 5_000, 40, 500
CELLS = ("881f90b45bfffff", "881f90b459fffff", "881f90b451fffff", "881f90b453fffff", "881f90b455fffff")
DISTRICTS = tuple(District(f"district {n}", tuple(f"gate {g}" for g in range(n, GATES, 8))) for n in range(8))
CHANGES: tuple[tuple[str, Operator, bool], ...] = (
    ("round_time", RoundTime("round_time", "PT5M"), False),
    ("quantise", Quantise("quantise", 0.5), False),
    ("clip", Clip("clip", 0, 50), False),
    ("suppress", Suppress("suppress", ("rssi",)), True),
)


def main(size: int) -> None:
    rng = random.Random(7)  # noqa: S311 - not for secrets
    moments = [rng.randrange(times.HOUR) for _ in range(size)]
    numbers = [Point(t, rng.gauss(20, 9)) for t in moments]
    reads = [_read(rng, t) for t in moments]
    for name, operator, tags in CHANGES:
        change = of_points(operator)
        assert change is not None
        _time(name, size, lambda change=change, of=reads if tags else numbers: [change(p) for p in of])  # type: ignore[misc]  # bound now
    _time("pseudonymise", size, lambda: [pseudonymise(read, b"k" * 32) for read in reads])
    by_trip = Pseudonymise("pseudonymise", "P1D", gap="PT30M", cut_m=400)
    _time("trips, cut", size, lambda: trips([(Place(4.84, 45.76), reads)], by_trip))
    every = size // HOMES
    homes = [Part(numbers[n * every : (n + 1) * every], f"h{n}", CELLS[n % len(CELLS)]) for n in range(HOMES)]
    _time(
        "aggregate",
        size,
        lambda: aggregate([Part(numbers)], Aggregate("aggregate", "PT5M", ("mean", "count")), tags=False),
    )
    for by, parts, tags in (
        ("datastream", [Part(reads)], True),
        ("read_point", [Part(reads)], True),
        ("district", [Part(reads)], True),
        ("cell", homes, False),
    ):
        districts = DISTRICTS if by == "district" else ()
        operator = Aggregate("aggregate", "PT5M", ("count",) if tags else ("mean", "count"), by, 5, districts)  # type: ignore[arg-type]  # one of the four
        _time(f"aggregate k=5 by {by}", size, lambda o=operator, p=parts, t=tags: aggregate(p, o, tags=t))  # type: ignore[misc]  # bound now


def _read(rng: random.Random, moment: int) -> Point:
    tag, gate = f"urn:epc:id:sgtin:0614141.812345.{rng.randrange(TAGS)}", f"gate {rng.randrange(GATES)}"
    return Point(moment, tag, tag_key(tag, gate, 1), f'{{"read_point":"{gate}","antenna":1,"rssi":-61.5}}')


def _time(name: str, size: int, run: Callable[[], object]) -> None:
    took = []
    for _ in range(3):
        begin = time.process_time()
        run()
        took.append(time.process_time() - begin)
    print(f"{name:32} {size / min(took):12,.0f} records/s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
