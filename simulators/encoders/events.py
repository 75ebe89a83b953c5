"""Events with an envelope: EPCIS 2.0 ObjectEvents with sensor elements, CloudEvents. And NGSI-LD entities. Pure.

https://ref.gs1.org/standards/epcis/ , https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md ,
https://www.etsi.org/deliver/etsi_gs/CIM/001_099/009/01.08.01_60/gs_CIM009v010801p.pdf
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simulators import chance
from simulators.encoders.encoder import Packed, Report, array, compact, slug

if TYPE_CHECKING:
    from simulators.city import Sensor

_CODES = {
    "Cel": "CEL",
    "[degF]": "FAH",
    "%": "P1",
    "ug/m3": "GQ",
    "mg/m3": "GP",
    "km/h": "KMH",
    "m/s": "MTS",
    "1": "C62",
}
"""UCUM: the common code of UN/CEFACT's Recommendation 20. A level that is weighted, or vehicles an hour, has none."""
_PACK = 25
"""Events or entities in one message: a batch, a document's list, an array."""
_CITY = "0614141"
"""The company prefix of the examples in GS1's standards."""
_TYPES = {"air temperature": "gs1:Temperature", "relative humidity": "gs1:RelativeHumidity", "wind speed": "gs1:Speed"}
_MODELS = {
    "air": "AirQualityObserved",
    "noise": "NoiseLevelObserved",
    "traffic": "TrafficFlowObserved",
    "weather": "WeatherObserved",
    "parking": "OffStreetParking",
    "bike share": "BikeHireDockingStation",
    "public transport": "Vehicle",
}
"""Smart Data Models' entities, by the theme of a sensor."""
_CONTEXT = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"


def _asset(sensor: Sensor) -> str:
    return f"urn:epc:id:giai:{_CITY}.{sensor.id}"


def _epcis_type(sensor: Sensor) -> str:
    return _TYPES.get(sensor.observed_property, slug(sensor))


def _epcis_origin(sensor: Sensor) -> tuple[str, str]:
    if sensor.kind == "rfid":
        return sensor.read_point or "", "epc"
    return _asset(sensor), _epcis_type(sensor).removeprefix("gs1:")


def _epcis(reports: Sequence[Report]) -> bytes:
    document = {
        "@context": "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": reports[-1].time,
        "epcisBody": {"eventList": [_object_event(report.sensor, report) for report in reports]},
    }
    return compact(document).encode()


def _object_event(sensor: Sensor, report: Report) -> dict[str, Any]:
    event: dict[str, Any] = {
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "eventTime": report.time,
        "eventTimeZoneOffset": "+00:00",
    }
    if sensor.kind == "rfid":
        return event | {"epcList": [report.said["epc"]], "readPoint": {"id": report.said["read_point"]}}
    return event | {"sensorElementList": [_element(sensor, report)]}


def _element(sensor: Sensor, report: Report) -> dict[str, Any]:
    said: dict[str, Any] = {"type": _epcis_type(sensor)}
    if isinstance(report.value, bool):
        said["booleanValue"] = report.value
    else:
        said["value"] = report.value
    if code := _CODES.get(report.unit or ""):
        said["uom"] = code
    return {"sensorMetadata": {"time": report.time, "deviceID": _asset(sensor)}, "sensorReport": [said]}


def _cloudevent(sensor: Sensor, report: Report) -> bytes:
    number = chance.draw(chance.named(sensor.id), report.time_ns)
    event = {
        "specversion": "1.0",
        "id": f"{number:016x}",
        "source": "/city/sensors",
        "subject": sensor.id,
        "type": "city.observation",
        "time": report.time,
        "datacontenttype": "application/json",
        "data": {slug(sensor): report.value},
    }
    return compact(event).encode()


def _entity(sensor: Sensor) -> str:
    return f"urn:ngsi-ld:{_MODELS[sensor.theme]}:{sensor.id}"


def _ngsi(sensor: Sensor, report: Report) -> bytes:
    observed: dict[str, Any] = {"type": "Property", "value": report.value, "observedAt": report.time}
    if code := _CODES.get(report.unit or ""):
        observed["unitCode"] = code
    point = {"type": "Point", "coordinates": list(sensor.location)}
    entity = {
        "id": _entity(sensor),
        "type": _MODELS[sensor.theme],
        slug(sensor): observed,
        "location": {"type": "GeoProperty", "value": point},
        "@context": [_CONTEXT],
    }
    return compact(entity).encode()


EPCIS = Packed(_epcis_origin, lambda _: "epcis", _epcis, _PACK, breaks=("truncated",))
CLOUDEVENTS = Packed(
    lambda sensor: (f"/city/sensors/{sensor.id}", slug(sensor)), lambda _: "events", array(_cloudevent), _PACK
)
NGSI = Packed(lambda sensor: (_entity(sensor), slug(sensor)), lambda _: "entities", array(_ngsi), _PACK)
