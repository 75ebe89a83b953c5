"""What a curious reader makes of each profile, on a simulated city: the table in docs/privacy.md.

    make audit                                              5,000 people, two weeks, writes the table; some minutes
    .venv/bin/python -m bench.audit [--people 5000] [--days 14] [--seed 7] [--json] [--write]

Exit code 0 only if the recommended profiles hold: linking at most 1.5 times chance, at 4 known points fewer than 5 % unique, nothing recovered by
differencing, and no name reversed. The release is computed by what serves (`broker/audit/shown.py`), the people are `simulators/people.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np

from bench.audited_city import NAMED, PROFILES, RECOMMENDED, case, meters, reads
from broker.audit.finding import Finding
from broker.audit.suite import attack
from broker.privacy import linkability, pseudonymise
from broker.privacy.draw import laplace
from simulators.people import Population

Results: TypeAlias = Mapping[str, Sequence[Finding]]
PAGE = Path(__file__).parents[1] / "docs" / "privacy.md"
MODULE = Path(linkability.__file__)
MOST_LINKING, MOST_UNIQUE = 1.5, 0.05
ONE_PERCENT = 0.01
ASKED = "unicity, 4 known"


def measure(people: int, days: int, seed: int) -> dict[str, list[Finding]]:
    """What each profile's attacks achieve, on so many residents and a twentieth as many visitors a day."""
    city = Population(seed, people, visitors=people // 20)
    found = {"tags": reads(city, days), "meters": meters(city, days)}
    secret = np.random.default_rng(seed).bytes(32)

    @cache
    def key_of(offer: str, epoch: int) -> bytes:
        return pseudonymise.derive(secret, offer, epoch)

    return {
        name: attack(
            case(name, found[name.partition(":")[0]], city), key_of, laplace, np.random.default_rng([seed, place])
        )
        for place, name in enumerate(PROFILES)
    }


def failures(results: Results) -> Iterator[str]:
    """What a recommended profile falls short of."""
    for name in RECOMMENDED:
        for one in results[name]:
            times = one.times_chance
            if one.attack.startswith("linking") and times is not None and times > MOST_LINKING:
                yield f"{name}: {one.attack} at {times:.2f} times chance"
            if one.attack == ASKED and one.success is not None and one.success >= MOST_UNIQUE:
                yield f"{name}: {one.success:.1%} unique at 4 known points"
            if one.attack in ("differencing", "dictionary of all tags") and one.success:
                yield f"{name}: {one.attack} recovers {one.success:.2%}"


def table(results: Results) -> str:
    """Attacks by profiles, in Markdown: success, then chance; of the raw data in the last column."""
    attacks = list(dict.fromkeys(one.attack for of in results.values() for one in of))
    found = {(name, one.attack): one for name, of in results.items() for one in of}
    lines = [
        f"| success (chance) | {' | '.join(results)} | without |",
        f"| --- |{' --- |' * (len(results) + 1)}",
    ]
    for attack_ in attacks:
        row = [found.get((name, attack_)) for name in results]
        raw = max((one.raw for one in row if one is not None and one.raw is not None), default=None)
        lines.append(f"| {attack_} | {' | '.join(map(_cell, row))} | {_percent(raw)} |")
    return "\n".join(lines)


def _cell(one: Finding | None) -> str:
    if one is None or one.success is None:
        return "–"
    return f"{_percent(one.success)} ({_percent(one.chance)})"


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{share:.1%}" if share >= ONE_PERCENT or not share else f"{100 * share:.1g}%"


def write(results: Results, people: int, days: int, seed: int) -> None:
    """Put the table, and what offers publish of it, between their markers."""
    said = f"{people:,} residents, {people // 20:,} visitors a day, {days} days, seed {seed}."
    _put(PAGE, "<!-- make audit -->\n", "<!-- end -->\n", f"{said}\n\n{table(results)}\n")
    _put(
        MODULE,
        "# make audit\n",
        "# end\n",
        "".join(map(published, (results[name] for name in NAMED), ("DAY", "HOUR", "TRIP"))),
    )


def published(found: Sequence[Finding], name: str) -> str:
    """What `linkability.py` says of a profile, in Python."""
    linked = next(one for one in found if one.attack == "linking by trajectory")
    assert linked.success is not None
    assert linked.chance is not None
    return f"{name} = Linkability({linked.success:.3f}, {linked.chance:.1g})\n"


def _put(file: Path, begin: str, end: str, text: str) -> None:
    before, _, rest = file.read_text().partition(begin)
    file.write_text(f"{before}{begin}{text}{end}{rest.partition(end)[2]}")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, default=5_000)
    arguments.add_argument("--days", type=int, default=14)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--json", action="store_true", help="print all findings as one JSON object")
    arguments.add_argument("--write", action="store_true", help="put the table into docs/privacy.md")
    given = arguments.parse_args()
    results = measure(given.people, given.days, given.seed)
    print(json.dumps({name: list(map(asdict, of)) for name, of in results.items()}) if given.json else table(results))
    if given.write:
        write(results, given.people, given.days, given.seed)
    broken = list(failures(results))
    print("\n".join(broken) or "the recommended profiles hold", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
