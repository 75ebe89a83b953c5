"""What was really the case, beside what was said: one row a record, so that accuracy and privacy can be measured. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.times import text as time_text

if TYPE_CHECKING:
    from simulators.city import City, Sensor
    from simulators.faults import Departure, Verdict


def row(city: City, gateway: str, sensor: Sensor, one: Departure, verdict: Verdict | None) -> dict[str, Any]:
    """`truth`: what a perfect sensor would have said, in `unit`; `said`: the value or EPC that was sent, null if none was.

    `verdict`: what the broker has to do with it (good, duplicate, refused), null for what never left.
    """
    found: dict[str, Any] = {
        "gateway": gateway,
        "datastream": sensor.id,
        "time": time_text(one.read_ns),
        "said": None if one.reading is None else one.reading.get("value", one.reading.get("epc")),
        "verdict": verdict,
    }
    if sensor.kind == "measurement":
        found |= {"truth": round(city.truth(sensor, one.read_ns), 4), "unit": sensor.unit}
    elif one.reading is not None:
        found["read_point"] = one.reading["read_point"]
    if one.unit != sensor.unit and one.reading is not None:
        found["said_unit"] = one.unit
    if one.written_ns != one.read_ns:
        found["said_time"] = time_text(one.written_ns)
    if one.faults:
        found["faults"] = one.faults
    return found
