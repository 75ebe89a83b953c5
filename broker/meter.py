"""Counting what each agreement is delivered, by hour, live and over HTTP: what quotas decide by, and what use is made public.

The broker process is its only writer. For MQTT, where Mosquitto delivers, it counts what was published while the agreement was
live: an upper bound, since an application may have listened to less or not at all.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from broker import times
from broker.access import NOTHING, Used, remaining
from broker.errors import Unavailable
from broker.model import Agreement, AgreementId
from broker.registry.snapshot import Snapshot

REST_NS = 15 * times.SECOND
"""How long what is delivered under agreements without a quota may wait to be written down: to write for 10,000 takes 50 ms."""
ANYONE = ""
"""In an agreement's place: what was delivered to whoever came, without an agreement; live, what was published at all."""
_SCHEMA = """
create table if not exists hours (
    offer text, agreement text, hour integer, live_records integer not null, live_bytes integer not null,
    http_records integer not null, http_bytes integer not null, primary key (agreement, hour, offer)) without rowid;
"""
_ADD = """
insert into hours values (?, ?, ?, ?, ?, ?, ?) on conflict do update set live_records = live_records + excluded.live_records,
    live_bytes = live_bytes + excluded.live_bytes, http_records = http_records + excluded.http_records,
    http_bytes = http_bytes + excluded.http_bytes
"""


class Delivered(NamedTuple):
    """What went over HTTP, to an agreement or to ANYONE."""

    offer: str
    agreement: str
    records: int
    bytes: int


@dataclass(slots=True)
class Hour:
    """What an agreement was delivered in an hour."""

    live_records: int = 0
    live_bytes: int = 0
    http_records: int = 0
    http_bytes: int = 0


class Row(NamedTuple):
    """An hour as it is kept; `hour`: its beginning, ns since 1970."""

    offer: str
    agreement: str
    hour: int
    live_records: int
    live_bytes: int
    http_records: int
    http_bytes: int


class Meter:
    """Counts in memory, and on disk when it is told to."""

    def __init__(self, path: Path) -> None:
        self._db = _opened(path)
        self._published: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        """By offer, and in nobody's account yet."""
        self._unused: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        """The same of what quotas are on, and not in `_used` yet: that is looked at ten times a second."""
        self._new: dict[tuple[str, str], Hour] = defaultdict(Hour)
        self._began = self._flushed = 0
        self._used: dict[AgreementId, Used] = {}
        self._period: dict[AgreementId, int] = {}
        self._under: Mapping[str, tuple[Agreement, ...]] = {}
        self._limited: Mapping[str, tuple[Agreement, ...]] = {}
        """Those with a quota."""

    def follow(self, snapshot: Snapshot, now: int) -> None:
        """From now on these agreements are counted; what came before belongs to those that were."""
        self._began = self._began or now
        self._use_up()
        self._share(list(self._published))
        under: dict[str, list[Agreement]] = defaultdict(list)
        for of in snapshot.agreements.values():
            for agreement in of:
                under[agreement.offer].append(agreement)
        self._under = {offer: tuple(agreements) for offer, agreements in under.items()}
        limited = {offer: tuple(one for one in of if one.terms.quota) for offer, of in under.items()}
        self._limited = {offer: of for offer, of in limited.items() if of}
        self._begin_periods(now)

    def published(self, offer: str, records: int, size: int) -> None:
        """A message left on an offer's topics."""
        _count(self._published[offer], records, size)
        if offer in self._limited:
            _count(self._unused[offer], records, size)

    def delivered(self, what: Iterable[Delivered]) -> None:
        """Something was answered over HTTP."""
        for one in what:
            hour = self._new[one.offer, one.agreement]
            hour.http_records += one.records
            hour.http_bytes += one.bytes
            self._use(AgreementId(one.agreement), one.records, one.bytes)

    def used(self, now: int) -> Mapping[AgreementId, Used]:
        """Of those with a quota, in the period that `now` falls in."""
        self._use_up()
        self._begin_periods(now)
        return self._used

    def exhausted(self, now: int) -> frozenset[AgreementId]:
        """Agreements that had their quota."""
        return exhausted((one for of in self._limited.values() for one in of), self.used(now))

    def tidy(self, now: int) -> None:
        """Write down what quotas decide by; and all, every now and then and with the hour. Raises Unavailable; then it goes on counting."""
        if now - self._flushed >= REST_NS or now // times.HOUR != self._began // times.HOUR:
            self.flush(now)
        else:
            self._share([offer for offer in self._limited if offer in self._published])
            self._write(now)

    def flush(self, now: int) -> None:
        """Write down what was counted since the last time, in the hour that it began in. Raises the same."""
        self._share(list(self._published))
        self._write(now)
        self._flushed = now

    def close(self, now: int) -> None:
        self.flush(now)
        self._db.close()

    def _write(self, now: int) -> None:
        began = self._began or now
        hour = began - began % times.HOUR
        rows = [(*of, hour, h.live_records, h.live_bytes, h.http_records, h.http_bytes) for of, h in self._new.items()]
        try:
            if rows:
                self._db.execute("begin immediate")
                self._db.executemany(_ADD, rows)
                self._db.execute("commit")
        except sqlite3.OperationalError as error:
            raise Unavailable(f"what was delivered can't be written down: {error}") from error
        finally:
            if self._db.in_transaction:
                self._db.execute("rollback")
        self._began = now
        self._new.clear()

    def _share(self, offers: Iterable[str]) -> None:
        """Give what was published of these to every agreement that is on them."""
        for offer in offers:
            records, size = self._published.pop(offer)
            for agreement in (ANYONE, *(one.id for one in self._under.get(offer, ()))):
                hour = self._new[offer, agreement]
                hour.live_records += records
                hour.live_bytes += size

    def _use_up(self) -> None:
        """Take what was published from quotas."""
        unused, self._unused = self._unused, defaultdict(lambda: [0, 0])
        for offer, (records, size) in unused.items():
            for agreement in self._limited.get(offer, ()):
                self._use(agreement.id, records, size)

    def _use(self, agreement: AgreementId, records: int, size: int) -> None:
        used = self._used.get(agreement)
        if used is not None:
            self._used[agreement] = Used(used.records + records, used.bytes + size)

    def _begin_periods(self, now: int) -> None:
        """Count anew where a period began since; what is known of it from before a restart is read."""
        for agreement in (one for of in self._limited.values() for one in of):
            assert agreement.terms.quota is not None
            begin, _ = agreement.terms.quota.period(now)
            if self._period.get(agreement.id) != begin:
                self.flush(now)
                self._period[agreement.id] = begin
                self._used[agreement.id] = _sum(self._db, agreement.id, begin)


def exhausted(agreements: Iterable[Agreement], used: Mapping[AgreementId, Used]) -> frozenset[AgreementId]:
    """Those that had their quota."""
    return frozenset(one.id for one in agreements if one.terms.quota and 0 in _left(one, used.get(one.id, NOTHING)))


def used_of(path: Path, agreements: Iterable[Agreement], now: int) -> dict[AgreementId, Used]:
    """What those with a quota used, as it is on disk: before the broker runs."""
    with closing(_opened(path)) as db:
        return {
            one.id: _sum(db, one.id, one.terms.quota.period(now)[0])
            for one in agreements
            if one.terms.quota is not None
        }


def hours(path: Path, start: int, end: int, offer: str | None = None, agreement: str | None = None) -> list[Row]:
    """The hours that begin in this time (ns), of an offer, an agreement or all; the oldest first."""
    with closing(_opened(path)) as db:
        rows = db.execute(
            "select * from hours where hour >= ?1 and hour < ?2 and (?3 is null or offer = ?3) and (?4 is null or agreement = ?4)"
            " order by hour, offer, agreement",
            (start, end, offer, agreement),
        )
        return [Row(*row) for row in rows]


def totals(path: Path) -> list[Row]:
    """All that was ever counted, by offer and agreement; `hour`: of the first."""
    with closing(_opened(path)) as db:
        rows = db.execute(
            "select offer, agreement, min(hour), sum(live_records), sum(live_bytes), sum(http_records), sum(http_bytes)"
            " from hours group by offer, agreement order by offer, agreement"
        )
        return [Row(*row) for row in rows]


def _count(of: list[int], records: int, size: int) -> None:
    of[0] += records
    of[1] += size


def _left(agreement: Agreement, used: Used) -> tuple[int | None, int | None]:
    assert agreement.terms.quota is not None
    left = remaining(agreement.terms.quota, used)
    return left.records, left.bytes


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=5)
    db.execute("pragma journal_mode = wal")
    db.executescript(_SCHEMA)
    return db


def _sum(db: sqlite3.Connection, agreement: str, since: int) -> Used:
    found = db.execute(
        "select total(live_records + http_records), total(live_bytes + http_bytes) from hours where agreement = ? and hour >= ?",
        (agreement, since),
    ).fetchone()
    return Used(int(found[0]), int(found[1]))
