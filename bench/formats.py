"""What reading a payload costs, by format.

    .venv/bin/python -m bench.formats [--seconds 0.3]

Each format reads the messages that its tests have, over and over, several rounds each, and the best round counts (it is what is
disturbed least). Prints one JSON object: payloads and items a second of each, and the ratio to Mitoyen's own `json` as a gateway's
format. The hot path of `json` is another, `bench/decoding.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import get_args

from broker.model import FormatName
from broker.reading import Custom
from gateways import formats
from tests.payloads import MESSAGES

ARRIVED = 1_795_377_601_000_000_000
ROUNDS = 5


def payloads_a_second(name: FormatName, seconds: float) -> tuple[float, float]:
    """Of the best round: payloads and items a second."""
    understand = formats.make(name, Custom()).understand
    messages = MESSAGES[name]
    best = (0.0, 0.0)
    for _ in range(ROUNDS):
        began, read, items = time.perf_counter(), 0, 0
        while (taken := time.perf_counter() - began) < seconds / ROUNDS or not read:
            for topic, payload in messages:
                items += len(understand(topic, payload, ARRIVED).items)
            read += len(messages)
        best = max(best, (read / taken, items / taken))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each format")
    seconds = parser.parse_args().seconds
    found = {name: payloads_a_second(name, seconds) for name in get_args(FormatName)}
    own = found["json"][0]
    print(
        json.dumps(
            {
                name: {"payloads_a_s": round(payloads), "items_a_s": round(items), "ratio": round(payloads / own, 2)}
                for name, (payloads, items) in found.items()
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
