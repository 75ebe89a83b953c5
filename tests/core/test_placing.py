"""Readings find the datastream that is of them; what finds none is suggested."""

from __future__ import annotations

from broker import times
from broker.entry import Refusal
from broker.model import Datastream, OrganisationId, Origin
from broker.placing import place
from broker.points import Point
from broker.reading import TAG, About, Reading, TagRead, Understood
from broker.suggestions import MOST, Suggestions
from gateways import units

ARRIVED = times.parse("2026-11-22T20:00:00Z")
GATEWAY = ("o", "g")


def stream(
    name: str, property_: str, unit: str | None = None, *, kind: str = "measurement", spelt: str | None = None
) -> Datastream:
    return Datastream(
        OrganisationId("o"),
        name,
        "g",
        "rfid" if kind == "rfid" else "measurement",
        unit=unit,
        origin=Origin("d", property_, spelt),
    )


STREAMS = {
    (s.origin.device, s.origin.property): s
    for s in (
        stream("t", "temp", "Cel"),
        stream("n", "noise", "dB[SPL]", spelt="dBx"),
        stream("l", "label"),
        stream("gate", TAG, kind="rfid"),
    )
    if s.origin
}


def placed(*items: Reading | TagRead | Refusal) -> tuple[dict[str, list[Point]], dict[int, str]]:
    found = place(Understood(items), STREAMS, units.convert, ARRIVED, 5 * times.MINUTE)
    return dict(found.points), {refusal.index: refusal.reason for refusal in found.refusals}


def test_each_reading_goes_to_its_datastream_at_its_time_or_its_arrival() -> None:
    points, refusals = placed(
        Reading("d", "temp", 1.5),
        Reading("d", "label", "on"),
        Reading("d", "temp", 2.5),
        Reading("d", "temp", 3.5, ARRIVED - 1),
    )
    assert not refusals
    assert points == {
        "t": [Point(ARRIVED, 1.5), Point(ARRIVED + 1, 2.5), Point(ARRIVED - 1, 3.5)],
        "l": [Point(ARRIVED, "on")],
    }


def test_another_unit_is_converted_or_refused() -> None:
    points, refusals = placed(
        Reading("d", "temp", 50, unit="[degF]"), Reading("d", "temp", 1, unit="m"), Reading("d", "temp", 2, unit="hot", unit_known=False),
        Reading("d", "noise", 60, unit="dBx", unit_known=False), Reading("d", "noise", 61, unit="dBy", unit_known=False),
    )  # fmt: skip
    assert {name: [p.value for p in of] for name, of in points.items()} == {"t": [10.0], "n": [60]}
    assert set(refusals) == {1, 2, 4}


def test_the_rules_of_every_record_hold_and_places_are_the_messages() -> None:
    _, refusals = placed(
        Refusal(0, "bad"), Reading("d", "temp", "21"), Reading("d", "temp", 1, ARRIVED + times.HOUR), TagRead("d", "urn:epc:x"),
        Reading("d", TAG, 1), Reading("x", "temp", 1),
    )  # fmt: skip
    assert set(refusals) == {0, 1, 2, 4, 5}
    assert "future" in refusals[2]
    assert "adopt" in refusals[5]


def test_a_tag_read_is_the_point_that_the_canonical_format_makes_of_it() -> None:
    points, _ = placed(TagRead("d", "urn:epc:id:x", None, "east", 2, -50.5))
    assert points == {
        "gate": [
            Point(ARRIVED, "urn:epc:id:x", "urn:epc:id:x|east|2", '{"read_point":"east","antenna":2,"rssi":-50.5}')
        ]
    }


def test_what_no_datastream_takes_is_suggested_until_one_does() -> None:
    suggestions = Suggestions()
    for at in (1, 2):
        suggestions.note(GATEWAY, [Reading("d", "temp", at, unit="Cel"), TagRead("d", "urn:epc:id:x")], [], at)
    suggestions.note(GATEWAY, [], [About("d", name="Attic")], 3)
    tag, temperature = suggestions.of(GATEWAY, {})
    assert (temperature.value, temperature.unit, temperature.first, temperature.last, temperature.heard) == (
        2,
        "Cel",
        1,
        2,
        2,
    )
    assert (tag.kind, tag.value, tag.name) == ("rfid", "urn:epc:id:x", "Attic")
    assert suggestions.of(GATEWAY, STREAMS) == []
    assert suggestions.of(("o", "other"), {}) == []


def test_a_gateway_that_makes_names_up_fills_no_memory() -> None:
    suggestions = Suggestions()
    suggestions.note(
        GATEWAY, [Reading("d", str(n), n) for n in range(MOST * 2)], [About(str(n), "n") for n in range(MOST * 20)], 1
    )
    assert len(suggestions.of(GATEWAY, {})) == MOST
