"""`mitoyen backup` and `mitoyen restore`: a home in one file, taken while the broker runs.

A tar of copies, each consistent by itself, in an order that makes them consistent together: first how far the
keeper came, then the stores, which hold at least that, then the journal, which holds all that came after it and meanwhile is not
trimmed, then the registry. Restored, the keeper does once more what lies between, and a point written twice is one point. A window with noise is not:
so what was drawn is copied again at the end, and a window that the stores' copy shows is not drawn a second time. What lies on NATS or in PostgreSQL so that several machines
find it is written as the files that it would be on one; InfluxDB copies itself, by a command that is run between.

What must not outlive its destruction is left out: the secrets of pseudonyms, and the key that seals them. What runs is made anew.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import shlex
import shutil
import sqlite3
import subprocess  # nosec B404 - for the command that the operator names
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec
from pydantic import ValidationError

from broker import control, times
from broker.errors import Malformed, Unavailable
from broker.home import Home
from broker.opening import transport
from broker.settings.settings import Settings
from broker.transport.protocol import ACCESS
from mitoyen.copies import Copies

FORMAT = 1
HEADING = "mitoyen-backup.json"
NEEDED = ("keeper.sqlite", "journal.sqlite", "logins.json")
KEYS = ("operator.key", "logins.json", "ledger.key", "tags.key", "webhooks.key")
_WHOLE = {"raw.sqlite", "released.sqlite", "pictures.sqlite", "registry.sqlite", *KEYS}
_OF_PARTITION = re.compile(r"(partitions/[0-9]{1,4}/)?(keeper|journal|meter)\.sqlite")
HOLD_AGAIN_S = 600.0  # how often what is not trimmed is held for longer while a command runs


class _Heading(msgspec.Struct):
    format: int
    created: str


def backup(home: Home, file: Path, stores: str | None = None) -> list[str]:
    """Write a home to a file that only its owner reads; returns the names of what is in it.

    `stores`: the command that copies InfluxDB's databases, where that has the stores. Raises Unavailable, Malformed, and OSError.
    """
    settings = _settings(home)
    _check_stores(settings, stores)
    partitions = _partitions(home)
    if not (settings and settings.elsewhere) and not (home.root / partitions[0] / "keeper.sqlite").exists():
        raise Unavailable(f"{home.root} is no home of a broker that ran: it has no {partitions[0]}keeper.sqlite")
    new = file.with_name(f"{file.name}.new")
    new.touch(mode=0o600)
    new.chmod(0o600)
    try:
        names = _write(home, settings, new, partitions, stores)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
    return names


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


def _write(home: Home, settings: Settings | None, to: Path, partitions: Sequence[str], stores: str | None) -> list[str]:
    with (
        _untrimmed(home, settings) as hold,
        tempfile.TemporaryDirectory(dir=to.parent, prefix=".mitoyen-backup-") as folder,
        tarfile.open(to, "w") as tar,
    ):
        _add(tar, HEADING, msgspec.json.encode(_Heading(FORMAT, times.text(time.time_ns()))))
        for name, copy in _copied(Copies(home, settings, Path(folder)), partitions, stores, hold):
            tar.add(copy, name)
            copy.unlink()
        for name in KEYS:
            if (home.root / name).exists():
                _add(tar, name, (home.root / name).read_bytes())
        return tar.getnames()[1:]


def _copied(
    copies: Copies, partitions: Sequence[str], stores: str | None, hold: Callable[[], None]
) -> Iterator[tuple[str, Path]]:
    """Names and copies of all databases, in the order that makes them fit. Raises Unavailable."""
    for own in partitions:
        hold()
        copies.remember(own)
    if stores is not None:
        _run(stores, hold)
    steps = (
        *((name, partial(copies.make, name)) for name in ("raw.sqlite", "released.sqlite")),
        *((f"{own}journal.sqlite", partial(copies.make_journal, own)) for own in partitions),
        *((name, partial(copies.make, name)) for name in (f"{own}meter.sqlite" for own in partitions)),
        *((name, partial(copies.make, name)) for name in ("pictures.sqlite", "registry.sqlite")),
        *((f"{own}keeper.sqlite", partial(copies.end, own)) for own in partitions),
    )
    for name, make in steps:
        hold()
        if copy := make():
            yield name, copy


def _partitions(home: Home) -> list[str]:
    """Where the files of each partition lie in the home."""
    return [f"partitions/{folder.name}/" for folder in sorted(home.partitions.glob("*"))] or [""]


def _settings(home: Home) -> Settings | None:
    """With which it ran last. Raises Malformed."""
    try:
        return Settings.model_validate_json(home.settings.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, one["loc"])) or one["msg"] for one in error.errors())
        raise Malformed(
            f"{home.settings} is not as this version of Mitoyen writes it ({wrong}): "
            "expected the version that the broker ran with last, or start it with this one first"
        ) from error


def _check_stores(settings: Settings | None, stores: str | None) -> None:
    """Whether it is said who copies the stores, and only where that is asked. Raises Malformed."""
    in_influx = settings is not None and settings.store != "sqlite"
    if in_influx and stores is None:
        raise Malformed(
            "the stores are in InfluxDB: expected --stores COMMAND, which copies them when their turn comes"
        )
    if stores is not None and not in_influx:
        raise Malformed("the stores are in the home, and are copied with it: expected no --stores")


@contextmanager
def _untrimmed(home: Home, settings: Settings | None) -> Iterator[Callable[[], None]]:
    """Where a broker runs: what it is given is called to have it trim nothing from its journal for a while."""
    home.make()
    with (home.run / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if settings is None:
                raise Unavailable(f"{home.root} is being made ready: try again") from None
            with closing(transport(settings, home)) as calls:
                yield _Hold(calls.to(ACCESS))
        else:
            # none runs here, nor is one started meanwhile; that no standby elsewhere trimmed is seen by the journal's copy
            yield lambda: None


class _Hold:
    """Each call holds the journal for `control.HELD_S` more. Raises Unavailable where the broker does not answer, or is another one."""

    def __init__(self, access: control.Control) -> None:
        self._access = access
        self._who: bytes | None = None

    def __call__(self) -> None:
        who = bytes(self._access.call(control.HoldJournal()))
        if self._who not in (None, who):
            raise Unavailable("the broker was started again meanwhile, and may have trimmed its journal: try again")
        self._who = who


def _run(command: str, hold: Callable[[], None]) -> None:
    """Until it is done. Raises Unavailable where it fails, Malformed, and OSError where there is no such command."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise Malformed(f"--stores {command!r}: {error}") from error
    if not words:
        raise Malformed("--stores: expected a command")
    with subprocess.Popen(words) as running:  # noqa: S603 # nosec B603 - the operator's own
        try:
            while running.poll() is None:
                hold()
                with suppress(subprocess.TimeoutExpired):
                    running.wait(HOLD_AGAIN_S)
        except BaseException:
            running.terminate()
            raise
    if running.returncode:
        raise Unavailable(f"the stores were not copied: {command!r} ended with status {running.returncode}")


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
