"""Counting what each agreement is delivered, by hour, live and over HTTP: what quotas decide by, and what use is made public.

The broker process is its only writer. For MQTT, where Mosquitto delivers, it counts what was published while the agreement was
live: an upper bound, since an application may have listened to less or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from broker import times
from broker.access import NOTHING, Used, remaining
from broker.model import Agreement, AgreementId
from broker.registry.snapshot import Snapshot
from broker.tables.protocol import Read, Source, Tables

REST_NS = 15 * times.SECOND
"""How long what is delivered under agreements without a quota may wait to be written down: to write for 10,000 takes 50 ms."""
ANYONE = ""
"""In an agreement's place: what was delivered to whoever came, without an agreement; live, what was published at all."""
SCHEMA = """
create table if not exists hours (
    offer text, agreement text, hour integer, live_records integer not null, live_bytes integer not null,
    http_records integer not null, http_bytes integer not null, primary key (agreement, hour, offer)) without rowid;
"""
_ADD = """
insert into hours values (?, ?, ?, ?, ?, ?, ?) on conflict (agreement, hour, offer) do update set
    live_records = hours.live_records + excluded.live_records, live_bytes = hours.live_bytes + excluded.live_bytes,
    http_records = hours.http_records + excluded.http_records, http_bytes = hours.http_bytes + excluded.http_bytes
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

    def __init__(self, tables: Tables) -> None:
        """Whoever opened the tables closes them."""
        self._tables = tables
        tables.make(SCHEMA)
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

    def _write(self, now: int) -> None:
        began = self._began or now
        hour = began - began % times.HOUR
        rows = [(*of, hour, h.live_records, h.live_bytes, h.http_records, h.http_bytes) for of, h in self._new.items()]
        if rows:
            with self._tables.changing():
                self._tables.execute_many(_ADD, rows)
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
                self._used[agreement.id] = _sum(self._tables.execute, agreement.id, begin)


def exhausted(agreements: Iterable[Agreement], used: Mapping[AgreementId, Used]) -> frozenset[AgreementId]:
    """Those that had their quota."""
    return frozenset(one.id for one in agreements if one.terms.quota and 0 in _left(one, used.get(one.id, NOTHING)))


def used_of(source: Source, agreements: Iterable[Agreement], now: int) -> dict[AgreementId, Used]:
    """What those with a quota used, as it is on disk: before the broker runs. Raises Unavailable."""
    with source.reading() as read:
        return {
            one.id: _sum(read, one.id, one.terms.quota.period(now)[0])
            for one in agreements
            if one.terms.quota is not None
        }


def hours(source: Source, start: int, end: int, offer: str | None = None, agreement: str | None = None) -> list[Row]:
    """The hours that begin in this time (ns), of an offer, an agreement or all; the oldest first. Raises Unavailable."""
    chosen = {"offer = ?": offer, "agreement = ?": agreement}
    asked = {condition: value for condition, value in chosen.items() if value is not None}
    where = " and ".join(("hour >= ?", "hour < ?", *asked))
    query = f"select * from hours where {where} order by hour, offer, agreement"  # nosec B608  # noqa: S608 - the conditions above
    with source.reading() as read:
        return [Row(*row) for row in read(query, (start, end, *asked.values()))]


def totals(source: Source) -> list[Row]:
    """All that was ever counted, by offer and agreement; `hour`: of the first. Raises Unavailable."""
    sums = ", ".join(f"cast(sum({column}) as bigint)" for column in Row._fields[3:])
    query = f"select offer, agreement, min(hour), {sums} from hours group by offer, agreement order by offer, agreement"  # nosec B608  # noqa: S608 - its own columns
    with source.reading() as read:
        return [Row(*row) for row in read(query, ())]


def _count(of: list[int], records: int, size: int) -> None:
    of[0] += records
    of[1] += size


def _left(agreement: Agreement, used: Used) -> tuple[int | None, int | None]:
    assert agreement.terms.quota is not None
    left = remaining(agreement.terms.quota, used)
    return left.records, left.bytes


def _sum(read: Read, agreement: str, since: int) -> Used:
    found = read(
        "select cast(coalesce(sum(live_records + http_records), 0) as bigint), cast(coalesce(sum(live_bytes + http_bytes), 0) as bigint)"
        " from hours where agreement = ? and hour >= ?",
        (agreement, since),
    )
    return Used(*found[0]) if found else NOTHING
