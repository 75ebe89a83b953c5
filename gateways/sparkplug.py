"""Sparkplug B 3.0: births, data and deaths of an edge node and its devices, `spBv1.0/<group>/<type>/<node>[/<device>]`. Pure.

https://sparkplug.eclipse.org/specification/version/3.0/documents/sparkplug-specification-3.0.0.pdf

A birth names every metric, with its type and often an alias; data may then hold the alias alone. Messages of a node are
numbered 0 to 255. Where a number is missing, a birth may be, and with it what an alias means: names are still taken, aliases
are refused, and the node is asked for a rebirth, once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import NamedTuple

from broker import times
from broker.errors import Malformed
from broker.points import Value
from broker.reading import About, Answer, Custom, Reading, Understood
from gateways import foreign, moments, units
from gateways.foreign import Item, Json, Read
from gateways.protobuf import Schema

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
SCHEMA = Schema(
    "sparkplug",
    """
Payload: 1 uint64 timestamp, 2 Metric* metrics, 3 uint64 seq, 4 string uuid, 5 bytes body
Metric: 1 string name, 2 uint64 alias, 3 uint64 timestamp, 4 uint32 datatype, 5 bool is_historical, 6 bool is_transient, 7 bool is_null, 9 PropertySet properties, 10 uint32 int_value, 11 uint64 long_value, 12 float float_value, 13 double double_value, 14 bool boolean_value, 15 string string_value, 16 bytes bytes_value, 17 bytes dataset_value, 18 bytes template_value
PropertySet: 1 string* keys, 2 PropertyValue* values
PropertyValue: 1 uint32 type, 2 bool is_null, 3 uint32 int_value, 4 uint64 long_value, 5 float float_value, 6 double double_value, 7 bool boolean_value, 8 string string_value
""",
)
_TYPES = (
    "Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double", "Boolean", "String",
    "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template",
)  # fmt: skip
"""By their number; beyond are arrays and property sets."""
_SIGNED = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64}
"""Bits: a negative number is sent as its two's complement."""
_CONTROL = ("Node Control/", "Device Control/", "_types_/")
"""Metrics that are switches of the node itself, or define a type."""
_UNIT = ("engUnit", "engineeringUnits", "unit", "units", "Units")
"""Properties by which systems in use name a unit; the specification names none."""
MOST_NODES = 1_000
"""Edge nodes of one gateway that are remembered: a plant has dozens."""
MOST_METRICS = 10_000
"""Of one node: what a birth of the largest message holds."""
_NUMBERS = 256
"""Of messages: after 255 comes 0."""
_OF_NODE = ("NBIRTH", "NDATA", "NDEATH", "NCMD")


class _Metric(NamedTuple):
    name: str | None
    alias: int | None
    timestamp: int | None
    """ms since 1970."""
    type: str
    value: object
    """As it is sent; None: null."""
    unit: str | None


class _Known(NamedTuple):
    """What a birth said of a metric."""

    name: str
    type: str
    unit: units.Unit


@dataclass(slots=True)
class _Node:
    """What is known of an edge node since its birth."""

    seq: int | None = None
    """Of its last message; None: it was not born yet, or a number was missing."""
    asked: bool = False
    """For a rebirth, since the last birth."""
    births: int | None = None
    """bdSeq of the last birth."""
    by_alias: dict[int, _Known] = field(default_factory=dict)
    by_name: dict[tuple[str, str], _Known] = field(default_factory=dict)
    """(device, name)."""


def reader(_: Custom) -> Read:
    return _Host().read


@dataclass(slots=True)
class _Host:
    """What has been said before, by group and node."""

    nodes: dict[str, _Node] = field(default_factory=dict)

    def read(self, topic: str, payload: bytes, arrived: int) -> Understood:
        levels = topic.split("/")
        if not topic:
            return Understood(_alone(_message(payload)))
        if levels[0] != NAMESPACE or not 3 < len(levels) < 6:  # noqa: PLR2004 - namespace, group, type, node, perhaps device
            return _elsewhere(levels)
        group, kind, name = levels[1:4]
        message = _message(payload)
        node = self._node(f"{group}/{name}")
        device = "/".join((group, name, *levels[4:]))
        if (kind in _OF_NODE) != (len(levels) == 4):  # noqa: PLR2004 - without device
            raise Malformed(f"topic: {kind} {'has no' if kind in _OF_NODE else 'needs a'} device")
        match kind:
            case "NBIRTH" | "DBIRTH" | "NDATA" | "DDATA":
                items = self._data(node, kind, device, message)
                return Understood(items, _about(device, message), self._rebirth(node, group, name, arrived))
            case "NDEATH":
                self._die(f"{group}/{name}", message)
            case "DDEATH":
                _follow(node, message.get("seq"))
            case "NCMD" | "DCMD":
                pass
            case _:
                raise Malformed(f"topic: {kind[:20]!r} is no message of Sparkplug B")
        return Understood()

    def _node(self, named: str) -> _Node:
        if named not in self.nodes and len(self.nodes) >= MOST_NODES:
            raise Malformed(f"node {named[:80]!r}: at most {MOST_NODES} are remembered")
        return self.nodes.setdefault(named, _Node())

    def _data(self, node: _Node, kind: str, device: str, message: Json) -> list[Item]:
        metrics = _metrics(message)
        if kind == "NBIRTH":
            _be_born(node, message, metrics)
        else:
            _follow(node, message.get("seq"))
        if kind in ("NBIRTH", "DBIRTH"):
            _learn(node, device, metrics)
        return foreign.each(list(metrics), lambda metric: _item(node, device, metric, message.get("timestamp")))

    def _rebirth(self, node: _Node, group: str, name: str, arrived: int) -> list[Answer]:
        if node.seq is not None or node.asked:
            return []
        node.asked = True
        now = arrived // 1_000_000
        metric = {"name": REBIRTH, "timestamp": now, "datatype": _TYPES.index("Boolean"), "boolean_value": True}
        request = SCHEMA.make("Payload", timestamp=now, metrics=[metric])
        return [Answer(f"{NAMESPACE}/{group}/NCMD/{name}", request.SerializeToString())]

    def _die(self, node: str, message: Json) -> None:
        """A death is of the birth that its bdSeq names: one that comes late, after the next birth, is passed over."""
        said = _birth_number(_metrics(message))
        if said is None or self.nodes[node].births in (None, said):
            del self.nodes[node]


def _alone(message: Json) -> list[Item]:
    """What a payload says without its topic: the metrics that it names."""
    return foreign.each(list(_metrics(message)), lambda metric: _item(_Node(), "", metric, message.get("timestamp")))


def _elsewhere(levels: list[str]) -> Understood:
    if levels[:2] == [NAMESPACE, "STATE"]:
        return Understood()  # whether a host application is there
    raise Malformed(f"topic: expected {NAMESPACE}/{{group}}/{{type}}/{{node}}[/{{device}}]")


def _message(payload: bytes) -> Json:
    """A payload in protobuf, or as the specification prints it, in JSON (a payload in protobuf never begins so)."""
    if payload[:1] == b"{":
        return foreign.record(foreign.parse(payload), "a payload")
    return SCHEMA.parse("Payload", payload)


def _be_born(node: _Node, message: Json, metrics: list[_Metric]) -> None:
    node.by_alias, node.by_name = {}, {}
    node.seq, node.asked = foreign.whole(message, "seq") or 0, False
    node.births = _birth_number(metrics)


def _follow(node: _Node, seq: object) -> None:
    """Note a message's number. A message that comes once more has its number once more."""
    if node.seq is not None and seq not in (node.seq, (node.seq + 1) % _NUMBERS):
        node.seq = None
    elif node.seq is not None and isinstance(seq, int):
        node.seq = seq


def _learn(node: _Node, device: str, metrics: list[_Metric]) -> None:
    for metric in metrics:
        if metric.name and len(node.by_name) < MOST_METRICS:
            known = _Known(metric.name, metric.type, units.ucum(metric.unit))
            node.by_name[device, metric.name] = known
            if metric.alias is not None:
                node.by_alias[metric.alias] = known


def _item(node: _Node, device: str, found: object, sent: object) -> list[Item]:
    assert isinstance(found, _Metric)
    known = _known(node, device, found)
    if known.name == "bdSeq" or known.name.startswith(_CONTROL) or found.value is None:
        return []
    timestamp = found.timestamp if found.timestamp is not None else sent
    time = moments.since_1970(timestamp, 1_000_000) if isinstance(timestamp, int) and timestamp else None
    unit = known.unit if found.unit is None else units.ucum(found.unit)
    value = _value(known.name, known.type if found.type == "Unknown" else found.type, found.value)
    return [Reading(device, known.name, value, time, *unit)]


def _known(node: _Node, device: str, metric: _Metric) -> _Known:
    if metric.name:
        return node.by_name.get((device, metric.name), _Known(metric.name, metric.type, units.NO_UNIT))
    if metric.alias is None:
        raise Malformed("a metric without name and alias")
    if node.seq is None:
        raise Malformed(
            f"alias {metric.alias}: a message was missed, so what it means is not known until the next birth"
        )
    known = node.by_alias.get(metric.alias)
    if known is None:
        raise Malformed(f"alias {metric.alias}: no birth gave it a name")
    return known


def _value(name: str, kind: str, found: object) -> Value:
    if isinstance(found, bool | str):
        return found
    if isinstance(found, int):
        if kind in _SIGNED:
            bits = _SIGNED[kind]
            found &= (1 << bits) - 1
            return found - (1 << bits) if found >> (bits - 1) else found
        return times.text(moments.since_1970(found, 1_000_000)) if kind == "DateTime" else found
    if isinstance(found, float) and isfinite(found):
        return found
    raise Malformed(f"{name[:80]}: a {kind} is no single value")


def _about(device: str, message: Json) -> list[About]:
    said = {m.name: m.value for m in _metrics(message) if m.name and m.name.startswith("Properties/")}
    words = [said.get(f"Properties/Hardware {word}") for word in ("Make", "Model")]
    return foreign.about(device, model=" ".join(str(word) for word in words if word))


def _birth_number(metrics: list[_Metric]) -> int | None:
    said = [metric.value for metric in metrics if metric.name == "bdSeq"]
    return said[0] if said and isinstance(said[0], int) else None


def _metrics(message: Json) -> list[_Metric]:
    found = message.get("metrics", [])
    if not isinstance(found, list):
        raise Malformed("metrics: expected an array")
    return [_metric(foreign.record(one, "a metric")) for one in found]


def _metric(found: Json) -> _Metric:
    number = found.get("datatype", 0)
    kind = found.get("dataType") or (_TYPES[number] if isinstance(number, int) and number < len(_TYPES) else "Array")
    values = [value for name, value in found.items() if name == "value" or name.endswith("_value")]
    value = None if found.get("is_null") is True or not values else values[0]
    return _Metric(
        foreign.text(found, "name"),
        foreign.whole(found, "alias"),
        foreign.whole(found, "timestamp"),
        str(kind),
        value,
        _unit_of(foreign.part(found, "properties")),
    )


def _unit_of(properties: Json) -> str | None:
    keys, values = properties.get("keys"), properties.get("values")
    if not isinstance(keys, list) or not isinstance(values, list):
        return None
    said = {key: value.get("string_value") for key, value in zip(keys, values, strict=False) if isinstance(value, dict)}
    named = [said[name] for name in _UNIT if isinstance(said.get(name), str)]
    return named[0] if named else None
