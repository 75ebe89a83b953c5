"""GTFS-Realtime 2.0: where vehicles are, how late trips are, and alerts. Pure. https://gtfs.org/documentation/realtime/reference/

A trip's delays are readings of the trip, by stop; a vehicle's position and load are readings of the vehicle; an alert's cause,
effect and header are readings of the alert. Licence plates are not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from broker.errors import Malformed
from broker.points import Value
from broker.reading import Custom, Reading, Understood
from gateways import foreign, moments
from gateways.foreign import Item, Json, Read
from gateways.protobuf import Schema

SCHEMA = Schema(
    "transit_realtime",
    """
FeedMessage: 1 FeedHeader header, 2 FeedEntity* entity
FeedHeader: 1 string gtfs_realtime_version, 2 Incrementality incrementality, 3 uint64 timestamp
FeedEntity: 1 string id, 2 bool is_deleted, 3 TripUpdate trip_update, 4 VehiclePosition vehicle, 5 Alert alert
TripUpdate: 1 TripDescriptor trip, 2 StopTimeUpdate* stop_time_update, 3 VehicleDescriptor vehicle, 4 uint64 timestamp, 5 int32 delay
StopTimeUpdate: 1 uint32 stop_sequence, 2 StopTimeEvent arrival, 3 StopTimeEvent departure, 4 string stop_id
StopTimeEvent: 1 int32 delay, 2 int64 time, 3 int32 uncertainty
VehiclePosition: 1 TripDescriptor trip, 2 Position position, 3 uint32 current_stop_sequence, 4 VehicleStopStatus current_status, 5 uint64 timestamp, 6 CongestionLevel congestion_level, 7 string stop_id, 8 VehicleDescriptor vehicle, 9 OccupancyStatus occupancy_status, 10 uint32 occupancy_percentage
Position: 1 float latitude, 2 float longitude, 3 float bearing, 4 double odometer, 5 float speed
TripDescriptor: 1 string trip_id, 2 string start_time, 3 string start_date, 5 string route_id, 6 uint32 direction_id
VehicleDescriptor: 1 string id, 2 string label
Alert: 1 TimeRange* active_period, 5 EntitySelector* informed_entity, 6 Cause cause, 7 Effect effect, 8 TranslatedString url, 10 TranslatedString header_text, 11 TranslatedString description_text
TimeRange: 1 uint64 start, 2 uint64 end
EntitySelector: 1 string agency_id, 2 string route_id, 3 int32 route_type, 4 TripDescriptor trip, 5 string stop_id
TranslatedString: 1 Translation* translation
Translation: 1 string text, 2 string language
enum Incrementality: FULL_DATASET=0, DIFFERENTIAL=1
enum VehicleStopStatus: INCOMING_AT=0, STOPPED_AT=1, IN_TRANSIT_TO=2
enum CongestionLevel: UNKNOWN_CONGESTION_LEVEL=0, RUNNING_SMOOTHLY=1, STOP_AND_GO=2, CONGESTION=3, SEVERE_CONGESTION=4
enum OccupancyStatus: EMPTY=0, MANY_SEATS_AVAILABLE=1, FEW_SEATS_AVAILABLE=2, STANDING_ROOM_ONLY=3, CRUSHED_STANDING_ROOM_ONLY=4, FULL=5, NOT_ACCEPTING_PASSENGERS=6, NO_DATA_AVAILABLE=7, NOT_BOARDABLE=8
enum Cause: UNKNOWN_CAUSE=1, OTHER_CAUSE=2, TECHNICAL_PROBLEM=3, STRIKE=4, DEMONSTRATION=5, ACCIDENT=6, HOLIDAY=7, WEATHER=8, MAINTENANCE=9, CONSTRUCTION=10, POLICE_ACTIVITY=11, MEDICAL_EMERGENCY=12
enum Effect: NO_SERVICE=1, REDUCED_SERVICE=2, SIGNIFICANT_DELAYS=3, DETOUR=4, ADDITIONAL_SERVICE=5, MODIFIED_SERVICE=6, OTHER_EFFECT=7, UNKNOWN_EFFECT=8, STOP_MOVED=9, NO_EFFECT=10, ACCESSIBILITY_ISSUE=11
""",
)
_POSITION = {"latitude": "deg", "longitude": "deg", "bearing": "deg", "odometer": "m", "speed": "m/s"}
_STATES = {
    "current_status": None,
    "congestion_level": None,
    "occupancy_status": None,
    "occupancy_percentage": "%",
    "stop_id": None,
}


def reader(_: Custom) -> Read:
    return lambda _topic, payload, _arrived: Understood(_feed(_message(payload)))


def _message(payload: bytes) -> Json:
    """A feed in protobuf, or, as the specification prints its examples, in protobuf's text format."""
    if payload.lstrip()[:6] == b"header" or payload[:1] == b"#":
        return SCHEMA.parse_text("FeedMessage", payload.decode())
    return SCHEMA.parse("FeedMessage", payload)


def _feed(feed: Json) -> list[Item]:
    header = foreign.part(feed, "header")
    if not foreign.text(header, "gtfs_realtime_version"):
        raise Malformed("expected a feed whose header says its gtfs_realtime_version")
    entities = feed.get("entity", [])
    assert isinstance(entities, list)  # as the schema has it
    return foreign.each(entities, lambda found: list(_entity(foreign.record(found, "an entity"), header)))


def _entity(entity: Json, header: Json) -> Iterator[Item]:
    if entity.get("is_deleted") is True:
        return
    if update := foreign.part(entity, "trip_update"):
        yield from _trip(update, _time(update, header))
    if vehicle := foreign.part(entity, "vehicle"):
        yield from _vehicle(entity, vehicle, _time(vehicle, header))
    if alert := foreign.part(entity, "alert"):
        yield from _alert(foreign.text(entity, "id") or "", alert, _time(alert, header))


def _trip(update: Json, time: int | None) -> Iterator[Item]:
    """Delays (s), and times (s since 1970) where they are predicted, by stop; the delay of the trip where it has one itself."""
    trip = foreign.part(update, "trip")
    device = foreign.text(trip, "trip_id") or foreign.text(trip, "route_id") or _own_id(update)
    if (delay := foreign.whole(update, "delay")) is not None:
        yield Reading(device, "delay", delay, time, "s")
    stops = update.get("stop_time_update", [])
    assert isinstance(stops, list)  # as the schema has it
    for one in stops:
        stop = foreign.record(one, "a stop")
        of = foreign.text(stop, "stop_id") or foreign.whole(stop, "stop_sequence")
        for event in ("arrival", "departure"):
            told = foreign.part(stop, event)
            for name in ("delay", "time"):
                if (value := foreign.whole(told, name)) is not None:
                    yield Reading(device, f"{event}_{name}.{of}", value, time, "s")


def _vehicle(entity: Json, vehicle: Json, time: int | None) -> Iterator[Item]:
    device = _own_id(vehicle) or foreign.text(entity, "id") or ""
    position = foreign.part(vehicle, "position")
    for found, of in ((position, _POSITION), (vehicle, _STATES)):
        for name, unit in of.items():
            value = found.get(name)
            if isinstance(value, int | float | str) and value != "":
                yield Reading(device, name, value, time, unit)


def _alert(device: str, alert: Json, time: int | None) -> Iterator[Item]:
    said: dict[str, Value | None] = {name: foreign.text(alert, name) for name in ("cause", "effect")}
    said["header_text"] = _first(foreign.part(alert, "header_text"))
    said["description_text"] = _first(foreign.part(alert, "description_text"))
    for name, value in said.items():
        if value is not None:
            yield Reading(device, name, value, time)


def _own_id(of: Json) -> str:
    vehicle = foreign.part(of, "vehicle")
    return foreign.text(vehicle, "id") or foreign.text(vehicle, "label") or ""


def _first(translated: Json) -> str | None:
    found = translated.get("translation")
    return (
        foreign.text(foreign.record(found[0], "a translation"), "text") if isinstance(found, list) and found else None
    )


def _time(told: Json, header: Json) -> int | None:
    seconds = foreign.whole(told, "timestamp") or foreign.whole(header, "timestamp")
    return moments.since_1970(seconds) if seconds else None
