"""Break what can break while messages flow, and reconcile: everything that was promised is kept once, shown as agreed, or refused with a reason.

    make faults            .venv/bin/python -m bench.faults [--short] [CASE …]

Every case runs real servers in a folder of its own, and says what it did and what it found. Prints what each case found as it ends, and one
line of JSON at the end. Exit code 0 only if every target holds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from bench.faults.cases import CASES, Case, Scale


def run(name: str, case: Case, scale: Scale) -> dict[str, Any]:
    """What a case found; one that broke off does not hold."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"mitoyen-{name}-", ignore_cleanup_errors=True) as folder:
        try:
            found = case(Path(folder), scale)
        except Exception as error:  # noqa: BLE001 - the other cases run all the same
            traceback.print_exc()
            found = {"holds": False, "broke_off": f"{type(error).__name__}: {error}"[:500]}
    return {"case": name, "took_s": round(time.monotonic() - began), **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a few rounds, a few seconds of each")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; left out: all")
    asked = parser.parse_args()
    if unknown := set(asked.cases) - CASES.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    scale = Scale.short() if asked.short else Scale()
    found = []
    for name in asked.cases or CASES:
        found.append(run(name, CASES[name], scale))
        print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    holds = all(one["holds"] for one in found)
    print(json.dumps({"holds": holds, "cases": {one.pop("case"): one for one in found}}))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
