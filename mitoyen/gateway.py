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
    configure()
    try:
        summary = asyncio.run(agent.run(configuration.load(Path(file))))
    except MitoyenError as error:
        raise SystemExit(f"mitoyen: {error}") from error
    if "--json" in options:
        sys.stdout.write(json.dumps(asdict(summary)) + "\n")


if __name__ == "__main__":
    main()
