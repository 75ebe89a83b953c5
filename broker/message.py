"""How a released point looks to whoever reads it, live and in history alike. Pure.

{"datastream", "time", "until"?, "value", "unit"?, "statistics"?, "revised"?}  of a measurement; `revised`, when it was, in history
{"time", "until", "value", "unit"?, "statistics", "cell", "location"}          of a cell, where several datastreams are one
{"datastream", "time", "tag" | "epc", "read_point"?, "antenna"?, "rssi"?, "biz_step"?}  of a tag read, or of an event of its tag
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from broker import times
from broker.model import Notice, Release
from broker.points import Point, tag_key
from broker.privacy.profile import Profile

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode
_pack = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Form:
    """The parts of a release's messages that never change, made once."""

    before: bytes
    named: bytes
    after: bytes

    def message(self, point: Point) -> bytes:
        """One JSON object."""
        time = times.text(point.time).encode()
        tail = b"," + point.extra[1:].encode() if len(point.extra) > 2 else b"}"  # noqa: PLR2004 - longer than {}
        return b"".join((self.before, time, self.named, _encode(point.value), self.after, tail))

    def messages(self, points: list[Point]) -> bytes:
        """One JSON object for one point, an array for several: what came in as a pack leaves as one."""
        if len(points) == 1:
            return self.message(points[0])
        return b"[" + b",".join([self.message(point) for point in points]) + b"]"


def split(payload: bytes) -> list[bytes]:
    """The messages of a payload: what was put together by `messages`."""
    return [bytes(one) for one in _pack(payload)] if payload[:1] == b"[" else [payload]


def point(message: bytes) -> Point:
    """The released point that a message tells of: the way back from `Form.message`."""
    said = _decode(message)
    who = said.pop("tag", None) or said.pop("epc", None)
    time, value = times.parse(str(said.pop("time"))), said.pop("value", None)
    for name in ("datastream", "unit"):
        said.pop(name, None)
    told = (
        tag_key(str(who), said.get("read_point"), said.get("antenna"), said.get("biz_step"))
        if who
        else said.get("cell") or said.get("read_point") or said.get("district")
    )
    shown = str(who) if who else value
    assert isinstance(shown, (bool, int, float, str))
    return Point(time, shown, str(told or ""), _encode(said).decode() if said else "")


def notices(standing: Sequence[Notice]) -> bytes:
    """What an application is told: [{"id", "event", "agreement", "offer", "time", "until", "reason"?}], the oldest first."""
    return _encode([notice(one) for one in standing])


def notice(one: Notice) -> dict[str, str]:
    said = {
        "id": one.id,
        "event": one.event,
        "agreement": one.agreement,
        "offer": one.offer,
        "time": times.text(one.time),
        "until": times.text(one.until),
    }
    return {**said, "reason": one.reason} if one.reason else said


def status(what: str, name: str, state: str, since: int | None, reason: str | None) -> bytes:
    """What is told, as JSON: {"datastream" | "gateway", "state", "since"?, "reason"?}."""
    told = {what: name, "state": state}
    if since is not None:
        told["since"] = times.text(since)
    if reason:
        told["reason"] = reason
    return _encode(told)


def form(release: Release, profile: Profile, statistics: Sequence[str] | None = None) -> Form:
    """The form of what a release says; with `statistics`, of what a downsampling of it by these says."""
    datastream = release.datastream
    if statistics is None and profile.aggregate is not None:
        statistics = profile.aggregate.statistics
    unit = b""
    if statistics is not None or datastream.kind == "measurement":
        named = b'","value":'
        spelled = (
            "1" if statistics and statistics[0] == "count" else datastream.unit
        )  # a count is a plain number in UCUM
        if spelled is not None:
            unit = b',"unit":' + _encode(spelled)
    else:
        named = b'","tag":' if profile.pseudonymise else b'","epc":'
    whose = b"" if profile.by_cell else b'"datastream":' + _encode(datastream.id) + b","
    return Form(b"{" + whose + b'"time":"', named, unit)
