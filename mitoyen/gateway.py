"""`mitoyen gateway`'s own process. It loads nothing that a gateway has no use for: half the memory of the whole command line."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from broker.errors import MitoyenError
from gateways.agent import agent, configuration
from mitoyen.logging import configure


def main() -> None:
    file, *options = sys.argv[1:]
    run(Path(file), as_json="--json" in options)


def run(file: Path, *, as_json: bool) -> None:
    """Run what a file says; at the end, if it is asked for, what became of it all."""
    configure()
    try:
        summary = asyncio.run(agent.run(configuration.load(file)))
    except MitoyenError as error:
        raise SystemExit(f"mitoyen: {error}") from error
    if as_json:
        sys.stdout.write(json.dumps(asdict(summary)) + "\n")


if __name__ == "__main__":
    main()
