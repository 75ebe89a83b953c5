"""What decoding and checking one record costs, by library: the choice on the hot path.

    .venv/bin/python bench/decoding.py [--records 200000]

The same small JSON record (a measurement) is decoded by each library as the broker would use it, in turn, several rounds each.
`broker` is the whole of decode and validate with all the interface's rules. Prints one JSON object: the least µs a record
of each (the least is what is not disturbed), and the ratio to `broker`. orjson is measured only where it is installed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import timeit
from collections.abc import Callable

import msgspec
import pydantic

from broker.model import Datastream, OrganisationId
from broker.validate import validate
from gateways.canonical import decode

RECORD = b'{"time": "2026-11-22T20:00:00.250Z", "value": 21.5}'
ARRIVED = 1_795_377_601_000_000_000
ROUNDS = 5


class Model(pydantic.BaseModel):
    time: str
    value: float


class Struct(msgspec.Struct):
    time: str
    value: float


def candidates() -> dict[str, Callable[[], object]]:
    stream = Datastream(OrganisationId("o"), "d", "g", "measurement", unit="Cel")
    decoder = msgspec.json.Decoder(Struct)
    found: dict[str, Callable[[], object]] = {
        "broker": lambda: validate(decode(RECORD, "measurement", ARRIVED), stream, ARRIVED, 0),
        "msgspec": lambda: decoder.decode(RECORD),
        "pydantic": lambda: Model.model_validate_json(RECORD),
        "json": lambda: json.loads(RECORD),
    }
    try:
        loads = importlib.import_module("orjson").loads
    except ImportError:
        return found
    return {**found, "orjson": lambda: loads(RECORD)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    records = parser.parse_args().records
    functions = candidates()
    taken: dict[str, float] = dict.fromkeys(functions, float("inf"))
    for _ in range(ROUNDS):
        for name, function in functions.items():
            taken[name] = min(taken[name], timeit.timeit(function, number=records // ROUNDS) / (records // ROUNDS))
    us = {name: round(s * 1e6, 2) for name, s in taken.items()}
    print(json.dumps({"us_a_record": us, "ratio": {n: round(t / us["broker"], 2) for n, t in us.items()}}))


if __name__ == "__main__":
    main()
