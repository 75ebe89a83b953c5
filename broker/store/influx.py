"""A store in an InfluxDB database (1.x) or bucket (2.x), asked in InfluxQL: for a city that has outgrown one machine.

Values are bound, never pasted into a query. InfluxDB orders by time only, so points of one time are fetched
whole and sorted here. Every key is a series, and a query opens each series of its stream: a stream of 100,000
tags costs far more than its points.
https://docs.influxdata.com/influxdb/v1.8/tools/api/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.errors import StoreUnavailable
from broker.points import Columns
from broker.store.influxserver import Server, Token
from broker.store.lineprotocol import (
    COLUMNS,
    MEASUREMENT,
    identifier,
    line,
    literal,
    point,
    tag,
    untag,
)
from broker.store.sift import keep_all
from broker.times import EARLIEST, LATEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from broker.points import Cursor, Point, Rows
    from broker.store.influxserver import Account, Series
    from broker.store.influxserver2 import Server2
    from broker.store.lineprotocol import Found

_PAGE = 9_999  # points a query, 4 MB; with the one more that is asked for, the lowest max-row-limit shipped
_STREAMS = 100  # streams a query for last points: 0.3 s over a year of history
_RECENT = "8d"  # where a living stream's last point is: two shards at most instead of all
_SPAN = '"stream" = $stream AND time >= $start AND time < $end'
_SELECT = f'SELECT {COLUMNS} FROM "{MEASUREMENT}" WHERE'  # nosec B608  # noqa: S608 - two constants


class InfluxStore:
    """Points in one database. A write is on the server's disk before it answers (`wal-fsync-delay` is 0)."""

    def __init__(self, url: str, database: str, *, account: Account | Token | None = None) -> None:
        self._server = _server(url, account)
        self._database = database

    def write(self, rows: Rows) -> None:
        keep_all(rows, self._keep)

    def read(
        self,
        stream: str,
        start: int,
        end: int,
        *,
        after: Cursor | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> list[Point]:
        start, end = max(start, EARLIEST), min(end, LATEST)
        if after is not None and newest_first:
            end, after = (after[0] + 1, after) if after[0] < end else (end, None)
        elif after is not None:
            start, after = (after[0], after) if after[0] >= start else (start, None)
        points: list[Point] = []
        while len(points) < limit and start < end:
            again = after is not None  # the point at `after` comes once more
            wanted = min(limit - len(points) + again, _PAGE)
            page = self._page(stream, start, end, wanted, newest_first=newest_first)
            points += page if after is None else [one for one in page if _later(one, after, newest_first=newest_first)]
            if len(page) < wanted:
                break
            after = None
            start, end = (start, page[-1].time) if newest_first else (page[-1].time + 1, end)
        return points[: max(limit, 0)]

    def columns(self, stream: str, start: int, end: int, *, after: Cursor | None = None, limit: int) -> Columns:
        return Columns.of(self.read(stream, start, end, after=after, limit=limit))

    def count(self, stream: str, start: int, end: int) -> int:
        query = f'SELECT COUNT("kind") FROM "{MEASUREMENT}" WHERE {_SPAN}'  # nosec B608  # noqa: S608 - constants
        return self._server.count(query, self._database, _span(stream, max(start, EARLIEST), min(end, LATEST)))

    def latest(self, streams: Iterable[str]) -> dict[str, Point]:
        missing = list(dict.fromkeys(streams))
        found: dict[str, Point] = {}
        for span in (f" AND time >= now() - {_RECENT}", ""):
            for first in range(0, len(missing), _STREAMS):
                found |= self._newest(missing[first : first + _STREAMS], span)
            missing = [stream for stream in missing if stream not in found]
        return found

    def erase(self, stream: str) -> None:
        self._server.erase(self._database, stream)

    def erase_keys(self, stream: str, keys: Iterable[str]) -> None:
        for key in keys:
            self._server.erase(self._database, stream, key)

    def close(self) -> None:
        self._server.close()

    def _keep(self, rows: Rows) -> str | None:
        try:
            body = "\n".join(map(line, rows)).encode()
        except UnicodeEncodeError as error:
            return str(error)
        return self._server.write(self._database, body)

    def _page(self, stream: str, start: int, end: int, wanted: int, *, newest_first: bool) -> list[Point]:
        """At least `wanted` points in order, if there are so many; of one time all or none."""
        points = self._select(stream, start, end, wanted + 1, newest_first=newest_first)
        if len(points) <= wanted:
            return points
        cut = points[-1].time
        whole = [point for point in points if point.time != cut]
        if len(whole) == wanted:
            return whole
        return whole + self._select(stream, cut, cut + 1, newest_first=newest_first)

    def _select(
        self, stream: str, start: int, end: int, limit: int | None = None, *, newest_first: bool = False
    ) -> list[Point]:
        order = "DESC" if newest_first else "ASC"
        most = f" LIMIT {limit}" if limit is not None else ""
        found = self._query(f"{_SELECT} {_SPAN} ORDER BY time {order}{most}", _span(stream, start, end))
        return sorted((_point(row) for series in found for row in series.values), key=_cursor, reverse=newest_first)

    def _newest(self, streams: list[str], span: str) -> dict[str, Point]:
        """Last points. Two a stream are asked for: if they share a time, the greatest key must be found."""
        any_of = " OR ".join(f'"stream" = $s{number}' for number in range(len(streams)))
        bound = {f"s{number}": tag(stream) for number, stream in enumerate(streams)}
        query = f'{_SELECT} ({any_of}){span} GROUP BY "stream" ORDER BY time DESC LIMIT 2'
        newest: dict[str, Point] = {}
        for series in self._query(query, bound):
            stream = untag(series.tags["stream"])
            first, *second = (_point(row) for row in series.values)
            tied = bool(second) and second[0].time == first.time
            rivals = self._select(stream, first.time, first.time + 1) if tied else []
            newest[stream] = max([first, *rivals], key=_cursor)
        return newest

    def _query(self, query: str, bound: Mapping[str, str | int]) -> list[Series]:
        return self._server.query(query, self._database, bound)


def prepare(
    url: str,
    prefix: str,
    *,
    admin: Account | None = None,
    writer: Account | None = None,
    reader: Account | None = None,
    shard: str = "4w",  # a year is 13 shards: last values of silent streams are looked for in each
) -> None:
    """Create `{prefix}_raw` and `{prefix}_released`, which keep for ever, and who may use them.

    `writer` may do all to both, `reader` may read what was released. A server that asks for no password needs
    none of the accounts. Doing it again changes nothing. Raises StoreUnavailable with what the server says,
    also if a user exists with another password or a database with another retention.
    """
    server = _server(url, admin)
    try:
        for statement in preparation(prefix, writer=writer, reader=reader, shard=shard):
            server.query(statement)
    finally:
        server.close()


def preparation(prefix: str, *, writer: Account | None, reader: Account | None, shard: str) -> list[str]:
    """The statements of `prepare`."""
    raw, released = identifier(f"{prefix}_raw"), identifier(f"{prefix}_released")
    statements = [
        f'CREATE DATABASE {database} WITH DURATION INF SHARD DURATION {shard} NAME "forever"'
        for database in (raw, released)
    ]
    for account, grants in (
        (writer, (f"ALL ON {raw}", f"ALL ON {released}")),
        (reader, (f"READ ON {released}",)),
    ):
        if account is not None:
            name = identifier(account.name)
            statements.append(f"CREATE USER {name} WITH PASSWORD {literal(account.password)}")
            statements += [f"GRANT {grant} TO {name}" for grant in grants]
    return statements


def prepare_buckets(url: str, prefix: str, admin: Token) -> None:
    """Create `{prefix}_raw` and `{prefix}_released` on a server of 2.x, which keep for ever. Raises StoreUnavailable.

    Tokens for them are the operator's to make: a server of 2.x chooses them itself.
    """
    server = _server2(url, admin)
    try:
        for which in ("raw", "released"):
            server.create_bucket(f"{prefix}_{which}")
    finally:
        server.close()


def _server(url: str, account: Account | Token | None) -> Server:
    if isinstance(account, Token):
        return _server2(url, account)
    return Server(url, account.header if account else None)


def _server2(url: str, token: Token) -> Server2:
    from broker.store.influxserver2 import Server2  # noqa: PLC0415 - its client takes 0.1 s to load, in every process

    return Server2(url, token)


def _point(found: Found) -> Point:
    try:
        return point(found)
    except ValueError as error:
        raise StoreUnavailable(f"the database holds points that Mitoyen did not write: {error}") from error


def _cursor(point: Point) -> Cursor:
    return point.cursor


def _later(point: Point, after: Cursor, *, newest_first: bool) -> bool:
    return point.cursor < after if newest_first else point.cursor > after


def _span(stream: str, start: int, end: int) -> dict[str, str | int]:
    """What _SPAN binds."""
    return {"stream": tag(stream), "start": start, "end": end}
