"""`mitoyen backup` and `mitoyen restore`: a home in one file, taken while the broker runs.

A tar of copies, each consistent by itself (SQLite's own backup), in an order that makes them consistent together: first how far the
keeper came, then the stores, which hold at least that, then the journal, which holds all that came after it and meanwhile is not
trimmed, then the registry. Restored, the keeper does once more what lies between, and a point written twice is one point. A journal on NATS is
read out into the file that it would be on one machine.

What must not outlive its destruction is left out: the secrets of pseudonyms, and the key that seals them. What runs is made anew.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from broker import control, times
from broker.errors import Malformed, Unavailable
from broker.home import Home
from broker.settings.settings import Settings
from broker.transport.protocol import ACCESS
from broker.transport.sockets import Sockets
from mitoyen.readout import read_out

FORMAT = 1
HEADING = "mitoyen-backup.json"
NEEDED = ("keeper.sqlite", "journal.sqlite", "logins.json")
KEYS = ("operator.key", "logins.json", "ledger.key", "tags.key", "webhooks.key")
_WHOLE = {"raw.sqlite", "released.sqlite", "pictures.sqlite", "registry.sqlite", *KEYS}
_OF_PARTITION = re.compile(r"(partitions/[0-9]{1,4}/)?(keeper|journal|meter)\.sqlite")
PATIENCE_S = 60.0


class _Heading(msgspec.Struct):
    format: int
    created: str


def backup(home: Home, file: Path) -> list[str]:
    """Write a home to a file that only its owner reads; returns the names of what is in it. Raises Unavailable, and OSError."""
    in_order = _in_order(home)
    settings = _settings(home)
    if settings is not None and settings.elsewhere:
        raise Unavailable(
            f"what the partitions of {home.root} remember is in PostgreSQL, and a copy of the journal beside it would fit no copy of that: "
            "back up PostgreSQL, the streams and the stores by their own means, while nothing runs"
        )
    if not (home.root / in_order[0]).exists():
        raise Unavailable(f"{home.root} is no home of a broker that ran: it has no {in_order[0]}")
    new = file.with_name(f"{file.name}.new")
    new.touch(mode=0o600)
    new.chmod(0o600)
    with (
        _untrimmed(home) as hold,
        tempfile.TemporaryDirectory(dir=file.parent, prefix=".mitoyen-backup-") as folder,
        tarfile.open(new, "w") as tar,
    ):
        _add(tar, HEADING, msgspec.json.encode(_Heading(FORMAT, times.text(time.time_ns()))))
        copy = Path(folder) / "copy"
        for name in in_order:
            source = home.root / name
            beside = source.with_name("beside.sqlite") if source.name == "journal.sqlite" else source
            if source.exists() or beside.exists():
                hold()
                _copy(source if source.exists() else beside, copy)
                if not source.exists():
                    read_out(_on_nats(settings, home), home, _partition(name), copy)
                tar.add(copy, name)
                copy.unlink()
        for name in KEYS:
            if (home.root / name).exists():
                _add(tar, name, (home.root / name).read_bytes())
        names = tar.getnames()
    new.replace(file)
    return names[1:]


def restore(file: Path, home: Home) -> list[str]:
    """Write what is in a backup to a home that does not exist yet; returns the names. Raises Malformed, and OSError."""
    if home.root.exists() and any(home.root.iterdir()):
        raise Malformed(f"{home.root} is not empty: restore into a new home")
    try:
        with tarfile.open(file) as tar:
            _check(tar)
            home.make()
            names = [member.name for member in tar.getmembers() if member.name != HEADING]
            for name in names:
                _extract(tar, name, home.root / name)
    except (tarfile.TarError, KeyError, msgspec.DecodeError) as error:
        raise Malformed(f"{file} is no backup of Mitoyen: {error}") from error
    return names


def _in_order(home: Home) -> list[str]:
    """The databases of a home, in the order in which they are copied."""
    own = [f"partitions/{folder.name}/" for folder in sorted(home.partitions.glob("*"))] or [""]
    keepers, journals, meters = ([f"{one}{name}.sqlite" for one in own] for name in ("keeper", "journal", "meter"))
    return [*keepers, "raw.sqlite", "released.sqlite", *journals, *meters, "pictures.sqlite", "registry.sqlite"]


def _partition(name: str) -> int:
    """Whose `partitions/N/…` is."""
    return int(name.split("/")[1]) if "/" in name else 0


def _settings(home: Home) -> Settings | None:
    """With which it ran last."""
    try:
        return Settings.model_validate_json(home.settings.read_bytes())
    except FileNotFoundError:
        return None


def _on_nats(settings: Settings | None, home: Home) -> Settings:
    if settings is None or settings.journal == "sqlite":
        raise Unavailable(
            f"the journal of {home.root} is on NATS, and nothing there says where: start the broker first"
        )
    return settings


@contextmanager
def _untrimmed(home: Home) -> Iterator[Callable[[], None]]:
    """Where a broker runs: what it is given is called to have it trim nothing from its journal for a while."""
    home.make()
    with (home.run / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield _Hold(home)
        else:
            yield lambda: None  # none runs, nor is one started meanwhile


class _Hold:
    """Each call holds the journal for `control.HELD_S` more. Raises Unavailable where the broker does not answer, or is another one."""

    def __init__(self, home: Home) -> None:
        self._control = Sockets(home, partitions=1).to(ACCESS)  # where it is elsewhere, no backup is taken
        self._who: bytes | None = None

    def __call__(self) -> None:
        who = bytes(self._control.call(control.HoldJournal()))
        if self._who not in (None, who):
            raise Unavailable("the broker was started again meanwhile, and may have trimmed its journal: try again")
        self._who = who


def _copy(source: Path, copy: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=PATIENCE_S)) as reading,
        closing(sqlite3.connect(copy)) as writing,
    ):
        reading.backup(writing)  # all in one step: one moment of it


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
    tar.addfile(entry, io.BytesIO(content))


def _check(tar: tarfile.TarFile) -> None:
    """Only what `backup` writes: no other name, no link, nothing that lies elsewhere. Raises Malformed, KeyError."""
    read = tar.extractfile(HEADING)
    heading = msgspec.json.decode(read.read() if read else b"", type=_Heading)
    if heading.format != FORMAT:
        raise Malformed(f"a backup of format {heading.format}: this Mitoyen reads {FORMAT}")
    if strange := [one.name for one in tar.getmembers() if not (one.isfile() and _is_known(one.name))]:
        raise Malformed(f"{', '.join(strange)[:200]}: not what a backup holds")
    if missing := set(NEEDED) - {name.rpartition("/")[2] for name in tar.getnames()}:
        raise Malformed(f"{', '.join(missing)} is missing")


def _is_known(name: str) -> bool:
    return name == HEADING or name in _WHOLE or _OF_PARTITION.fullmatch(name) is not None


def _extract(tar: tarfile.TarFile, name: str, to: Path) -> None:
    read = tar.extractfile(name)
    assert read is not None
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(read, file)
    if to.suffix == ".sqlite":
        with closing(sqlite3.connect(to)) as db:
            if (said := db.execute("pragma quick_check(1)").fetchone()[0]) != "ok":
                raise Malformed(f"{name} is damaged: {said}")
