"""Shelly, first generation and the ones after it. Pure.

https://shelly-api-docs.shelly.cloud/gen1/ , https://shelly-api-docs.shelly.cloud/gen2/General/Notifications

    <id>/events/rpc                {"src", "method": "NotifyStatus", "params": {"ts", "switch:0": {…}}}   since Gen2: what changed
    <id>/status/switch:0           {"id", "apower", …}                                                   since Gen2: a component
    shellies/<id>/relay/0/power    45.2                                                                  Gen1: a value a topic
    {"src", "result": {…}}, or a status alone                                                            an answer of GetStatus

A notification is an overlay: what it leaves out is as before and observed nothing, null takes a member away. What says how the
device itself does (Wi-Fi, cloud, memory, scripts) is no measurement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from broker.errors import Malformed
from broker.points import Value
from broker.reading import Custom, Reading, Understood
from gateways import foreign, moments, units
from gateways.foreign import Json, Read

_SYSTEM = {
    "sys", "wifi", "cloud", "mqtt", "ws", "ble", "eth", "script", "ui", "knx", "modbus", "matter", "schedule", "webhook", "kvs",
    "bthome", "wifi_sta", "wifi_ap", "wifi_sta1", "update", "actions_stats", "serial", "has_update", "mac", "cfg_changed_cnt",
    "ram_total", "ram_free", "fs_size", "fs_free", "uptime", "time", "unixtime", "ram_size", "ts", "online", "announce", "info",
    "command", "inputs_cnt", "v", "loader", "dali", "plugs_ui", "service", "settings",
}  # fmt: skip
"""Components and members of the device itself."""
_NO_VALUES = {
    "id", "source", "errors", "minute_ts", "by_minute", "counters", "timer_started", "timer_duration", "timer_remaining",
    "timer_started_at", "has_timer", "is_valid", "timestamp", "transition", "flags", "overpower_value", "calibrated", "tF",
}  # fmt: skip
"""Members that number, time or repeat a measurement."""
_UNITS = {
    "apower": "W", "power": "W", "act_power": "W", "total_act_power": "W", "aprt_power": "V.A", "total_aprt_power": "V.A",
    "reactive": "V.A", "voltage": "V", "current": "A", "total_current": "A", "n_current": "A", "freq": "Hz", "tC": "Cel",
    "tmp.value": "Cel", "aenergy.total": "W.h", "ret_aenergy.total": "W.h", "total_act_energy": "W.h", "total_act_ret_energy": "W.h",
    "total_act": "W.h", "total_act_ret": "W.h", "energy": None, "rh": "%", "hum.value": "%", "lux": "lx", "lux.value": "lx",
    "percent": "%", "bat.value": "%", "battery": "%", "brightness": "%", "current_pos": "%", "temperature": "Cel", "humidity": "%",
    "temperature_f": "[degF]", "overtemperature": None,
}  # fmt: skip
"""By the last words of a member's name. Gen1 counts energy of relays in watt-minutes, of meters (`emeter`) in watt-hours."""
_PHASES = ("a_", "b_", "c_")


def reader(_: Custom) -> Read:
    def read(topic: str, payload: bytes, _arrived: int) -> Understood:
        levels = topic.split("/")
        if levels[0] == "shellies" and len(levels) > 2:  # noqa: PLR2004 - shellies/<id>/…
            return _gen1(levels[1], levels[2:], payload)
        message = foreign.record(foreign.parse(payload), "a status")
        if "method" in message or "src" in message:
            return _rpc(message)
        if len(levels) > 2 and levels[-2] == "status":  # noqa: PLR2004 - <id>/status/<component>
            return Understood(_readings("/".join(levels[:-2]), {levels[-1]: message}, None))
        return _status(topic.partition("/")[0], message)

    return read


def _rpc(message: Json) -> Understood:
    """A notification or an answer; events (a button was pushed) are no state."""
    device = foreign.text(message, "src") or ""
    if message.get("method") in ("NotifyStatus", "NotifyFullStatus"):
        params = foreign.part(message, "params")
        ts = foreign.real(params, "ts")
        return Understood(_readings(device, params, None if ts is None else moments.since_1970(ts)))
    result = foreign.part(message, "result")
    return Understood(_readings(device, result, _now(result)) if result else ())


def _status(device: str, message: Json) -> Understood:
    """A whole status, alone or as device dumps have it, beside `shelly` and `settings` or `config`."""
    whose = foreign.part(message, "shelly")
    settings = foreign.part(message, "settings")
    device = foreign.text(whose, "id") or foreign.text(foreign.part(settings, "device"), "hostname") or device
    status = foreign.part(message, "status") or message
    where = foreign.part(foreign.part(foreign.part(message, "config"), "sys"), "location")
    place = foreign.place(where.get("lon"), where.get("lat")) or foreign.place(settings.get("lng"), settings.get("lat"))
    name, model = foreign.text(whose, "name"), foreign.text(whose, "model") or foreign.text(whose, "type")
    return Understood(_readings(device, status, _now(status)), foreign.about(device, name, model, place))


def _now(status: Json) -> int | None:
    """What the device's own clock says; 0 or nothing until it was set."""
    seconds = foreign.whole(status, "unixtime") or foreign.whole(foreign.part(status, "sys"), "unixtime")
    return moments.since_1970(seconds) if seconds else None


def _readings(device: str, status: Json, time: int | None) -> list[Reading]:
    return [
        Reading(device, name, value, time, *_unit(name))
        for component, found in status.items()
        if component and component.partition(":")[0] not in _SYSTEM
        for name, value in _members(component, found)
    ]


def _members(component: str, found: object) -> Iterator[tuple[str, Value]]:
    for name, value in foreign.scalars(found, component):
        if _NO_VALUES.isdisjoint(name.split(".")):
            yield name, value


def _gen1(device: str, levels: list[str], payload: bytes) -> Understood:
    if levels[0] in _SYSTEM or levels[-1] in ("command", "set"):
        return Understood()
    text = payload.decode()
    if text[:1] in ("{", "["):
        return Understood(_readings(device, {".".join(levels): foreign.parse(payload)}, None))
    value = foreign.value(text)
    if value is None or value == "":
        raise Malformed("an empty payload: expected a value")
    name = ".".join(levels)
    return Understood([Reading(device, name, value, None, *_gen1_unit(levels, name))])


def _gen1_unit(levels: list[str], name: str) -> units.Unit:
    if levels[-1] in ("energy", "returned_energy", "total", "total_returned"):
        return units.Unit("W.h" if levels[0] == "emeter" else "W.min")
    return _unit(name)


def _unit(name: str) -> units.Unit:
    words = name.split(".")
    last = words[-1]
    if last[:2] in _PHASES:
        last = last[2:]
    if words[0] in ("meters", "emeters") and last == "total":
        return units.Unit("W.h" if words[0] == "emeters" else "W.min")
    known: Mapping[str, str | None] = _UNITS
    return units.Unit(known.get(".".join(words[-2:]), known.get(last)))
