"""The topics as an AsyncAPI 3.0 document. Pure; made of the same definitions as the topics. https://www.asyncapi.com/docs/reference/specification/v3.0.0

Operations say what the one who reads the document does: an application receives on `live/…`, a gateway sends on `in/…`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from broker import topics
from broker.model import NoticeEvent
from broker.presence import Reason
from broker.statistics import Statistic

Document: TypeAlias = dict[str, object]
Who: TypeAlias = Literal["application", "gateway", "owner"]

_TIME: Document = {"type": "string", "format": "date-time", "description": "RFC 3339 in UTC, to the nanosecond."}
_VALUE: Document = {"type": ["number", "string", "boolean"]}
_ID: Document = {"type": "string", "pattern": "^[a-z0-9_-]{1,63}$"}
_PLACE: Document = {"type": "object", "required": ["type", "coordinates"], "description": "A GeoJSON Point."}
_READ = {
    "read_point": {"type": "string"},
    "antenna": {"type": "integer"},
    "rssi": {"type": "number", "description": "dBm"},
    "biz_step": {"type": "string", "description": "Of an event what became of the tag: `arriving`, as EPCIS says it."},
}


def _object(properties: Mapping[str, object], optional: str = "", *, closed: bool = False) -> Document:
    required = [name for name in properties if name not in optional.split()]
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        **({"additionalProperties": False} if closed else {}),
    }


def _packed(one: Document) -> Document:
    """One, or an array of them: what came in as a pack leaves as one."""
    return {"oneOf": [one, {"type": "array", "minItems": 1, "items": one}]}


_STATISTICS = {name: {"type": "number"} for name in get_args(Statistic)}
_MEASURED = {
    "datastream": _ID,
    "time": _TIME,
    "until": {**_TIME, "description": "The end of a window, which does not count."},
    "value": _VALUE,
    "unit": {"type": "string", "description": "A UCUM code."},
    "statistics": _object(_STATISTICS, " ".join(_STATISTICS)),
    "cell": {
        "type": "string",
        "description": "Of several datastreams together: their H3 cell, in place of `datastream`.",
    },
    "location": _PLACE,
    "read_point": {"type": "string", "description": "Whose tags were counted."},
    "district": {"type": "string", "description": "Whose read points' tags were counted."},
}
SCHEMAS: Mapping[str, Document] = {
    "observation": _packed(_object(_MEASURED, "datastream until unit statistics cell location read_point district")),
    "tagRead": _packed(
        {
            **_object(
                {"datastream": _ID, "time": _TIME, "tag": {"type": "string"}, "epc": {"type": "string"}, **_READ},
                "tag epc read_point antenna rssi biz_step",
            ),
            "oneOf": [{"required": ["tag"]}, {"required": ["epc"]}],
        }
    ),
    "picture": {"type": "string", "description": "A JPEG's bytes.", "contentMediaType": "image/jpeg"},
    "measurement": _packed(_object({"time": _TIME, "value": _VALUE}, "time", closed=True)),
    "read": _packed(
        _object(
            {"time": _TIME, "epc": {"type": "string"}, **_READ}, "time read_point antenna rssi biz_step", closed=True
        )
    ),
    "presence": {"type": "string", "enum": ["online", "offline"]},
    "receipt": _object(
        {
            "stored": {"type": "integer", "minimum": 0},
            "rejected": {
                "type": "array",
                "items": _object({"index": {"type": "integer"}, "reason": {"type": "string"}}),
            },
        },
        "stored rejected",
    ),
    "status": _object(
        {
            "datastream": _ID,
            "gateway": _ID,
            "state": {"type": "string", "enum": ["live", "silent", "withheld"]},
            "since": _TIME,
            "reason": {
                "type": "string",
                "description": f"Of a silence {', '.join(get_args(Reason))}; else why it is withheld.",
            },
        },
        "datastream gateway since reason",
    ),
    "notices": {
        "type": "array",
        "description": "All that stand, the oldest first.",
        "items": _object(
            {
                "id": {"type": "string"},
                "event": {"type": "string", "enum": list(get_args(NoticeEvent))},
                "agreement": {"type": "string"},
                "offer": _ID,
                "time": _TIME,
                "until": _TIME,
                "reason": {"type": "string"},
            },
            "reason",
        ),
    },
    "thing": _object(
        {
            "@iot.selfLink": {"type": "string", "format": "uri"},
            "@iot.id": {"type": "integer"},
            "phenomenonTime": {"type": "string", "description": "RFC 3339; of a window an ISO 8601 interval."},
            "result": _VALUE,
            "resultTime": {"type": ["string", "null"]},
            "parameters": {"type": "object"},
            "Datastream@iot.navigationLink": {"type": "string", "format": "uri"},
            "FeatureOfInterest@iot.navigationLink": {"type": "string", "format": "uri"},
        },
        "parameters",
    ),
}
"""JSON Schema of every payload, by message."""
_RELEASED = ("observation", "tagRead", "thing")
_PROPERTIES = {
    **_object({name: {"type": "string"} for name in ("licence", "attribution", "profile")}),
    "description": "MQTT 5 user properties.",
}
_AT = "2026-11-22T20:00:00Z"
_LINK = "http://127.0.0.1:8080/v1.1/Observations(4296764768)"
EXAMPLES: Mapping[str, Sequence[object]] = {
    "observation": [
        {"datastream": "pm25-roof-1", "time": _AT, "value": 12.3, "unit": "ug/m3"},
        {"datastream": "pm25-roof-1", "time": _AT, "until": "2026-11-22T20:05:00Z", "value": 12.1, "unit": "ug/m3", "statistics": {"mean": 12.1, "count": 5.0}},
        [{"datastream": "door-1", "time": _AT, "value": True}, {"datastream": "door-1", "time": "2026-11-22T20:00:01Z", "value": False}],
    ],
    "tagRead": [{"datastream": "gate-1", "time": _AT, "tag": "3f6c0d1e", "read_point": "north", "antenna": 1, "rssi": -52.5}],
    "measurement": [{"time": _AT, "value": 21.5}, [{"value": 1}, {"value": "open"}]],
    "read": [{"time": _AT, "epc": "urn:epc:id:sgtin:0614141.112345.400", "antenna": 1}],
    "presence": ["online", "offline"],
    "receipt": [{"stored": 2}, {"stored": 1, "rejected": [{"index": 1, "reason": "value: expected a number that is finite"}]}],
    "status": [{"datastream": "pm25-roof-1", "state": "live"}, {"gateway": "roof-1", "state": "silent", "since": _AT, "reason": "last_will"}],
    "notices": [[{"id": "agreement-7f4a90c1d25e8b36a0fc-revoked", "event": "revoked", "agreement": "agreement-7f4a90c1d25e8b36a0fc", "offer": "air-by-minute", "time": _AT, "until": "2026-12-22T20:00:00Z", "reason": "The study ended"}]],
    "thing": [
        {
            "@iot.selfLink": _LINK,
            "@iot.id": 4296764768,
            "phenomenonTime": _AT,
            "result": 12.3,
            "resultTime": _AT,
            "Datastream@iot.navigationLink": f"{_LINK}/Datastream",
            "FeatureOfInterest@iot.navigationLink": f"{_LINK}/FeatureOfInterest",
        }
    ],
}  # fmt: skip
"""Payloads of each message that is text."""


@dataclass(frozen=True, slots=True)
class _Channel:
    name: str
    address: str
    about: str
    messages: tuple[str, ...]
    action: Literal["send", "receive"]
    who: Who
    qos: int = 1
    retain: bool = False
    reply: str = ""


_O, _G, _F, _D = "{organisation}", "{gateway}", "{offer}", "{datastream}"
CHANNELS = (
    _Channel("live", topics.live(_O, _F, _D), "What an offer releases of a datastream, the last one retained; by cell the last level is the H3 cell.", ("observation", "tagRead", "picture"), "receive", "application", retain=True),
    _Channel("status", topics.status(_O, _F, _D), "Whether a release is live, silent or withheld, and why.", ("status",), "receive", "application", retain=True),
    _Channel("things", topics.OBSERVATIONS, "Every observation of every open offer, as SensorThings' GET gives it.", ("thing",), "receive", "application", qos=0),
    _Channel("thingsOfDatastream", topics.observations(0).replace("(0)", "({id})"), "The same of one Datastream.", ("thing",), "receive", "application", qos=0),
    _Channel("notices", topics.notices("{application}"), "What becomes of an application's agreements.", ("notices",), "receive", "application", retain=True),
    _Channel("gatewayStatus", topics.status_of_gateway(_O, _G), "Whether a gateway is there, for its owner's applications.", ("status",), "receive", "owner", retain=True),
    _Channel("in", topics.input_template(_O, _G), "What a gateway observes; SenML of one name as well. Gateways of other formats publish as their devices do.", ("measurement", "read"), "send", "gateway", reply="receipts"),
    _Channel("presence", topics.presence(_O, _G), "A gateway's first word and its last will.", ("presence",), "send", "gateway"),
    _Channel("frames", topics.frame(_O, _G, _D), "A camera's frames.", ("picture",), "send", "gateway", qos=0),
    _Channel("receipts", topics.receipts(_O, _G), "One answer for each message that named this as its MQTT 5 response topic, with its correlation data.", ("receipt",), "receive", "gateway"),
)  # fmt: skip
"""Every topic that is anyone's but the broker's own."""
_PARAMETERS = {
    "organisation": "An organisation's id.",
    "offer": "An offer's id.",
    "datastream": "A datastream's id.",
    "gateway": "A gateway's id.",
    "application": "An application's id.",
    "id": "A Datastream's number, its `@iot.id`.",
}


def asyncapi(endpoints: Sequence[str], version: str) -> Document:
    """The document. `endpoints`: where Mosquitto listens, as URLs, the plain one first."""
    servers = {f"listener{number}" if number else "plain": _server(url) for number, url in enumerate(endpoints)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mitoyen",
            "version": version,
            "description": "Topics of a city's broker. What reaches an application is what its agreements cover, decided at each delivery.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": servers,
        "channels": {one.name: _channel(one) for one in CHANNELS},
        "operations": {f"{one.action}{one.name[0].upper()}{one.name[1:]}": _operation(one) for one in CHANNELS},
        "components": {
            "messages": {name: _message(name) for name in SCHEMAS},
            "securitySchemes": {"login": {"type": "userPassword", "description": "As the account's answer had it."}},
        },
    }


def _server(url: str) -> Document:
    scheme, _, host = url.partition("://")
    return {
        "host": host,
        "protocol": scheme,
        "protocolVersion": "5",
        "security": [{"$ref": "#/components/securitySchemes/login"}],
    }


def _channel(one: _Channel) -> Document:
    named = [name for name in _PARAMETERS if f"{{{name}}}" in one.address]
    return {
        "address": one.address,
        "description": one.about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in one.messages},
        **({"parameters": {name: {"description": _PARAMETERS[name]} for name in named}} if named else {}),
    }


def _operation(one: _Channel) -> Document:
    reply = {"reply": {"channel": {"$ref": f"#/channels/{one.reply}"}}} if one.reply else {}
    return {
        "action": one.action,
        "channel": {"$ref": f"#/channels/{one.name}"},
        "summary": f"An {one.who} {one.action}s" if one.who != "gateway" else f"A gateway {one.action}s",
        "bindings": {"mqtt": {"qos": one.qos, "retain": one.retain}},
        **reply,
    }


def _message(name: str) -> Document:
    texts = [{"payload": example} for example in EXAMPLES.get(name, ())]
    return {
        "name": name,
        "contentType": "image/jpeg"
        if name == "picture"
        else "text/plain"
        if name == "presence"
        else "application/json",
        "payload": SCHEMAS[name],
        **({"headers": _PROPERTIES} if name in _RELEASED else {}),
        **({"examples": texts} if texts else {}),
    }
