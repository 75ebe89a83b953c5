"""An InfluxDB 2.x server: written to by its own client over `/api/v2/write`, asked in InfluxQL over `/query` as one of 1.x is.

A database is a bucket here, and a token stands in place of name and password. A bucket answers InfluxQL under its own name,
which is 2.x's mapping for whoever sets up none.
https://docs.influxdata.com/influxdb/v2/api/, https://docs.influxdata.com/influxdb/v2/query-data/influxql/dbrp/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from broker import times
from broker.errors import StoreUnavailable
from broker.store.influxserver import Server, Token
from broker.store.lineprotocol import MEASUREMENT, identifier, tag

T = TypeVar("T")

_ANSWER_MS = 30_000  # as long as a query to a server of 1.x may take
_ERASE_MS = 600_000
_FOR_EVER = 0  # seconds a bucket keeps what is in it


class _Complaint(msgspec.Struct):
    message: str = ""
    error: str = ""


class Server2(Server):
    """The same as a server of 1.x to whoever uses it."""

    def __init__(self, url: str, token: Token) -> None:
        super().__init__(url, token.header)
        self._token = token
        self._client = self._connected(_ANSWER_MS)
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, database: str, body: bytes) -> str | None:
        try:
            self._called(lambda: self._writer.write(bucket=database, record=body))
        except ApiException as error:
            return self._refusal(error.status or 0, _message(error))
        return None

    def erase(self, database: str, stream: str, key: str | None = None) -> None:
        # DELETE in InfluxQL may not be mapped to a bucket's data on every 2.x; its own call is
        predicate = f'_measurement="{MEASUREMENT}" AND stream={identifier(tag(stream))}'
        if key is not None:
            predicate += f" AND key={identifier(tag(key))}"
        span = times.text(times.EARLIEST), times.text(times.LATEST)
        with self._connected(_ERASE_MS) as client:
            self._answered(lambda: client.delete_api().delete(*span, predicate, bucket=database))

    def create_bucket(self, name: str) -> None:
        """One that keeps for ever, if there is none of this name. Raises StoreUnavailable."""
        buckets = self._client.buckets_api()
        rule = BucketRetentionRules(type="expire", every_seconds=_FOR_EVER)
        if self._answered(lambda: buckets.find_bucket_by_name(name)) is None:
            self._answered(lambda: buckets.create_bucket(bucket_name=name, retention_rules=rule))

    def close(self) -> None:
        self._client.close()
        super().close()

    def _connected(self, timeout_ms: int) -> InfluxDBClient:
        url, token = str(self._url), self._token
        return InfluxDBClient(url, token.token, org=token.organisation, timeout=timeout_ms, retries=False)

    def _answered(self, call: Callable[[], T]) -> T:
        try:
            return self._called(call)
        except ApiException as error:
            raise self._unavailable(error.status or 0, _message(error)) from error

    def _called(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except (HTTPError, OSError) as error:
            raise StoreUnavailable(f"InfluxDB at {self._url} does not answer: {type(error).__name__}") from error


def _message(error: ApiException) -> str:
    """What the server complains of, else what its status means."""
    try:
        said = msgspec.json.decode(error.body or b"", type=_Complaint)
    except msgspec.DecodeError:
        return error.reason or ""
    return said.message or said.error
