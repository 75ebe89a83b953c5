"""Reading an export of the ledger, line by line: it may be larger than memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from broker.errors import Malformed
from broker.registry.ledger import EntryFields


def read(path: Path) -> Iterator[EntryFields]:
    """Its entries and checkpoints as they stand there. Raises Malformed."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield _object(line, f"{path}, line {number}")
    except OSError as error:
        raise Malformed(f"{path}: {error.strerror}") from error


def _object(line: bytes, where: str) -> EntryFields:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise Malformed(f"{where}: expected a JSON object: {error}") from error
    if not isinstance(found, dict):
        raise Malformed(f"{where}: expected a JSON object")
    return found
