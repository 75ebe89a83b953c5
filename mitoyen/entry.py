"""Where `mitoyen` begins. A gateway that is to run loads no other command: on a small machine that would take longer than all it needs itself."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    command, *arguments = sys.argv[1:] or [""]
    files = [argument for argument in arguments if not argument.startswith("-")]
    if command == "gateway" and len(files) == 1 and {*arguments} <= {*files, "--json"}:
        from mitoyen import gateway  # noqa: PLC0415 - as above

        gateway.run(Path(files[0]), as_json="--json" in arguments)
    else:
        from mitoyen.command import app  # noqa: PLC0415 - as above

        app()
