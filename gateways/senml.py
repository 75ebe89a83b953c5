"""SenML, in JSON and in CBOR. Pure. https://www.rfc-editor.org/rfc/rfc8428, units: https://www.rfc-editor.org/rfc/rfc8798

Base values carry over to the records after them; a time below 2^28 counts from the arrival; a sum integrates a value over
seconds. A pack is taken whole or not at all, as section 4.4 has it for a label that must be understood and is not.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from decimal import Decimal

import cbor2
import msgspec

from broker.entry import Refusal
from broker.errors import Malformed
from broker.points import Value
from broker.reading import Custom, Reading, Understood
from gateways import moments, units
from gateways.foreign import Item, Read

VERSION = 10
"""Of SenML, section 4.4: what says that it is newer can't be read."""
RELATIVE = 1 << 28
"""Section 4.5.3: below, a time is relative to now."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*", re.ASCII)
_URN = re.compile(r"(urn:dev:(?:mac|ow|org|os|ops):[^:/._]+)[:/._]?(.*)", re.ASCII)
_OTHERWISE = re.compile(r"(?:(.*)[:/])?([^:/]*)", re.ASCII)
_MARKS = ("n", "bn", "v", "bv", "vs", "vb", "vd", "s")
_LABELS = {
    -1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs", 0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t",
    7: "ut", 8: "vd",
}  # fmt: skip
"""Section 6: labels in CBOR."""


class _Record(msgspec.Struct, gc=False):
    bn: str = ""
    bt: Decimal | None = None
    bu: str | None = None
    bv: float | None = None
    bs: float | None = None
    bver: int | None = None
    n: str = ""
    u: str | None = None
    v: int | float | None = None
    vs: str | None = None
    vb: bool | None = None
    vd: str | None = None
    s: int | float | None = None
    t: Decimal = Decimal(0)


_pack = msgspec.json.Decoder(list[_Record]).decode
_labels = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


def json_reader(_: Custom) -> Read:
    return lambda _topic, payload, arrived: Understood(resolve(of_json(payload), arrived))


def cbor_reader(_: Custom) -> Read:
    return lambda _topic, payload, arrived: Understood(resolve(_of_cbor(payload), arrived))


def is_pack(found: object) -> bool:
    """Whether JSON is meant as SenML: its labels, and none of Mitoyen's own."""
    first = found[0] if isinstance(found, list) and found else None
    return isinstance(first, dict) and not first.keys().isdisjoint(_MARKS) and first.keys().isdisjoint(("value", "epc"))


def of_json(payload: bytes) -> list[_Record]:
    """A pack's records. Raises Malformed, and msgspec.DecodeError."""
    if b'_"' in payload:
        _understand_all({label for record in _labels(payload) for label in record})
    return _pack(payload)


def resolve(pack: Sequence[_Record], arrived: int) -> list[Item]:
    """The readings of a pack. Raises Malformed."""
    if not pack:
        raise Malformed("an empty pack: expected at least one record")
    items: list[Item] = []
    base = _Record()
    for index, record in enumerate(pack):
        _carry(base, record)
        value = _value(base, record)
        if value is None and record.s is None and base.bs is None:
            continue  # base values alone
        device, name = split(base.bn + record.n)
        unit = units.senml(record.u or base.bu)
        try:
            time = _time(base.bt, record.t, arrived)
        except Malformed as error:
            items.append(Refusal(index, str(error)))
            continue
        name = name or record.u or base.bu or "value"
        if value is not None:
            items.append(Reading(device, name, value, time, unit.code, unit.known))
        if record.s is not None or base.bs is not None:
            total, of = _sum(record.s, base.bs), _times_seconds(unit)
            items.append(Reading(device, f"{name}.sum", total, time, of.code, of.known))
    return items


def split(name: str) -> tuple[str, str]:
    """The device and the property that a resolved name is made of: at the end of a device URN (RFC 9039), else at the last
    colon or slash. Raises Malformed.
    """
    if not _NAME.fullmatch(name):
        raise Malformed(f"name {name[:80]!r}: expected letters, digits and - : . / _, a letter or digit first")
    found = _URN.fullmatch(name) or _OTHERWISE.fullmatch(name)
    assert found is not None  # the second takes any name
    return found[1] or "", found[2]


def _carry(base: _Record, record: _Record) -> None:
    base.bn = record.bn or base.bn
    base.bt = base.bt if record.bt is None else record.bt
    base.bu = record.bu or base.bu
    base.bv = base.bv if record.bv is None else record.bv
    base.bs = base.bs if record.bs is None else record.bs
    if record.bver is not None and not 0 < record.bver <= VERSION:
        raise Malformed(f"bver {record.bver}: expected at most {VERSION}")


def _value(base: _Record, record: _Record) -> Value | None:
    given: list[Value] = [v for v in (record.v, record.vs, record.vb, record.vd) if v is not None]
    if len(given) > 1:
        raise Malformed("a record with two values: expected one of v, vs, vb, vd")
    if base.bv is not None and (not given or record.v is not None):
        if not given and record.s is not None:
            return None
        return _sum(record.v, base.bv)
    return given[0] if given else None


def _sum(one: float | None, base: float | None) -> float:
    """Either left out is 0 (RFC 8428, 4.1). An integer may have 300 digits, which no float has."""
    try:
        return (one or 0) + (base or 0)
    except OverflowError as error:
        raise Malformed("value: a number beyond all floats can't be added to a fraction") from error


def _time(base: Decimal | None, own: Decimal, arrived: int) -> int | None:
    try:
        seconds = (base or 0) + own
    except ArithmeticError as error:  # infinities that cancel out, or a sum beyond all decimals
        raise Malformed("time: expected a number of seconds") from error
    if not seconds:
        return None
    if not seconds.is_finite():
        raise Malformed("time: expected a finite number of seconds")
    return moments.since(arrived if seconds < RELATIVE else 0, seconds)


def _times_seconds(unit: units.Unit) -> units.Unit:
    if unit.code is None:
        return unit
    code = f"{unit.code}.s" if unit.known else f"{unit.code} s"
    return units.Unit(code, unit.known)


def _of_cbor(payload: bytes) -> list[_Record]:
    try:
        found = cbor2.loads(payload)
    except Exception as error:
        raise Malformed(f"no CBOR: {error}") from error
    if not isinstance(found, list):
        raise Malformed("expected an array of records")
    return [_of_map(record) for record in found]


def _of_map(found: object) -> _Record:
    if not isinstance(found, dict):
        raise Malformed("a record: expected a map")
    named = {_LABELS.get(label, label) if isinstance(label, int) else label: value for label, value in found.items()}
    _understand_all({label for label in named if isinstance(label, str)})
    fields: dict[str, object] = {}
    for label, value in named.items():
        if label in _Record.__struct_fields__:
            fields[str(label)] = _plain(str(label), value)
    return msgspec.convert(fields, _Record)


def _plain(label: str, value: object) -> object:
    """A value as JSON has it: data in base64 without padding, times in decimals."""
    if label in ("t", "bt"):
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise Malformed(f"{label}: expected a number")
        return value if isinstance(value, Decimal) else Decimal(repr(value))
    if isinstance(value, bytes):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    return float(value) if isinstance(value, Decimal) else value


def _understand_all(labels: set[str]) -> None:
    beyond = sorted(label for label in labels if label.endswith("_"))
    if beyond:
        raise Malformed(f"label {beyond[0][:80]!r} must be understood, and is not")
