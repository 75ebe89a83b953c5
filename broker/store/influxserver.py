"""An InfluxDB 1.x server: its two addresses `/write` and `/query`, and what its answers mean.

Answers come as MessagePack: most readers of JSON lose the sign of -0.0. A server of 2.x answers `/query` alike and is
written to otherwise: `influxserver2.py`.
https://docs.influxdata.com/influxdb/v1.8/tools/api/
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import httpx
import msgspec

from broker.errors import Malformed, StoreUnavailable
from broker.store.lineprotocol import MEASUREMENT, Found, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

_ANSWER_S = 30.0  # the server gives up a write after 10 s; a query over years may take longer
_CONNECT_S = 5.0  # a server that is there accepts within milliseconds, over the ocean within one second
_ERASE_S = 600.0  # 0.25 ms a series: a stream of a million tags takes 4 min
_REFUSALS = ("partial write", "unable to parse")  # another bad request is not about rows, but a proxy's
_LIMIT = "limit exceeded"  # of series or of values a tag: an operator can raise it, and the rows are taken
_ERASE = f'DELETE FROM "{MEASUREMENT}" WHERE "stream" = $stream'  # nosec B608  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Account:
    """A user of an InfluxDB server."""

    name: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """Who asks, as an HTTP header says it (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.name}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Token:
    """What may be done on a server of 2.x, in one of its organisations."""

    organisation: str
    token: str = field(repr=False)

    @property
    def header(self) -> str:
        return f"Token {self.token}"


class Series(msgspec.Struct):
    """Rows of a result that share their tags."""

    values: list[Found] = []
    tags: dict[str, str] = {}
    partial: bool = False


class _Sum(msgspec.Struct):
    values: list[tuple[int, int]] = []
    """The beginning of what was counted, and how many it is."""


class _Result(msgspec.Struct, Generic[T]):
    series: list[T] = []
    error: str = ""


class _Answer(msgspec.Struct, Generic[T]):
    results: list[_Result[T]] = []
    error: str = ""


class Server:
    """The two addresses of an InfluxDB server, and what its answers mean."""

    def __init__(self, url: str, authorization: str | None) -> None:
        self._url = _checked(url)
        who = {"Authorization": authorization} if authorization else {}
        self._http = httpx.Client(
            base_url=self._url,
            headers={"Accept": "application/x-msgpack", "Accept-Encoding": "identity", **who},
            trust_env=False,  # the password must not travel by a proxy, nor be replaced by one from ~/.netrc
        )

    def write(self, database: str, body: bytes) -> str | None:
        """Why the server will never take some of these lines; None if it took all."""
        answer = self._post("write", params={"db": database, "precision": "ns"}, content=body)
        return None if answer.is_success else self._refusal(answer.status_code, _said(answer))

    def erase(self, database: str, stream: str, key: str | None = None) -> None:
        """Forget every point of a stream, or those that have this key. Raises StoreUnavailable."""
        statement, bound = _ERASE, {"stream": tag(stream)}
        if key is not None:
            statement, bound = f'{_ERASE} AND "key" = $key', {**bound, "key": tag(key)}
        self.query(statement, database, bound, answer_s=_ERASE_S)

    def query(
        self,
        query: str,
        database: str = "",
        bound: Mapping[str, str | int] | None = None,
        *,
        answer_s: float | None = None,
    ) -> list[Series]:
        """All series that a query finds. Raises StoreUnavailable."""
        answer = self._asked(query, database, bound, answer_s)
        series = self._understood(answer, _Answer[Series])
        if any(one.partial for one in series):
            raise self._unavailable(answer.status_code, "its max-row-limit is too low")
        return series

    def count(self, query: str, database: str, bound: Mapping[str, str | int]) -> int:
        """What a query that counts finds. Raises StoreUnavailable."""
        found = self._understood(self._asked(query, database, bound, None), _Answer[_Sum])
        return sum(count for one in found for _, count in one.values)

    def close(self) -> None:
        self._http.close()

    def _asked(
        self, query: str, database: str, bound: Mapping[str, str | int] | None, answer_s: float | None
    ) -> httpx.Response:
        form = {
            "q": query,
            "db": database,
            "epoch": "ns",
            "params": msgspec.json.encode(bound or {}).decode(),
        }
        # the body, not the address: addresses are logged, and passwords would be with them
        return self._post("query", data=form, answer_s=answer_s)

    def _understood(self, answer: httpx.Response, kind: type[_Answer[T]]) -> list[T]:
        if not answer.is_success:
            raise self._unavailable(answer.status_code, _said(answer))
        try:
            found = msgspec.msgpack.decode(answer.content, type=kind)
        except msgspec.DecodeError as error:
            raise StoreUnavailable(
                f"InfluxDB at {self._url} answers what Mitoyen does not understand: {error}"
            ) from error
        complaint = found.error or next((result.error for result in found.results if result.error), "")
        if complaint:
            raise self._unavailable(answer.status_code, complaint)
        return [series for result in found.results for series in result.series]

    def _post(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        content: bytes | None = None,
        answer_s: float | None = None,
    ) -> httpx.Response:
        timeout = httpx.Timeout(answer_s or _ANSWER_S, connect=_CONNECT_S)
        try:
            return self._http.post(path, params=params, data=data, content=content, timeout=timeout)
        except httpx.TransportError as error:
            why = str(error) or type(error).__name__
            raise StoreUnavailable(f"InfluxDB at {self._url} does not answer: {why}") from error

    def _refusal(self, status: int, said: str) -> str:
        """Why rows will never be taken, if that is what a failed write says. Raises StoreUnavailable if it is not."""
        if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            return "larger than the server takes"
        bad = status in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY)
        if bad and any(refusal in said for refusal in _REFUSALS) and _LIMIT not in said:
            return _unquoted(said)
        raise self._unavailable(status, _unquoted(said))

    def _unavailable(self, status: int, said: str) -> StoreUnavailable:
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            return StoreUnavailable(f"InfluxDB at {self._url} refuses the user and password it was given: {said}")
        return StoreUnavailable(f"InfluxDB at {self._url} can't now: {said} (HTTP {status})")


def _checked(url: str) -> httpx.URL:
    expected = "address of InfluxDB: expected http(s)://host:port without user, password or query"
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        raise Malformed(expected) from None  # its message may repeat a password
    if address.scheme not in ("http", "https") or not address.host or address.query or address.userinfo:
        raise Malformed(expected)
    return address


def _said(answer: httpx.Response) -> str:
    """What the server complains of, in either of its formats; else what its status means."""
    is_json = "json" in answer.headers.get("content-type", "")
    decode = msgspec.json.decode if is_json else msgspec.msgpack.decode
    try:
        return decode(answer.content, type=_Answer[Series]).error
    except msgspec.DecodeError:
        return answer.reason_phrase


def _unquoted(said: str) -> str:
    """Without what the server quotes: rows of people's data, which no log may show."""
    return re.sub(r"'.*'|\".*\"", "…", said, flags=re.DOTALL)
