"""Where each of several Mosquittos listens, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from broker.partition import spread
from broker.settings.settings import Settings

CLUSTER: dict[str, Any] = {
    "home": Path("city"), "mqtt": "10.0.0.6:1883", "edges": "10.0.0.7:1883", "partitions": 2, "journal": "nats://10.0.0.1:4222",
}  # fmt: skip


def urls(listeners: tuple[tuple[Any, ...], ...]) -> list[list[str]]:
    return [[f"{one.kind} {one.host}:{one.port}" for one in of] for of in listeners]


def test_each_has_its_own_of_every_kind_and_the_name_that_is_told_is_its_own_or_everyones() -> None:
    several = Settings(**CLUSTER, mqtts="10.0.0.6:8883 10.0.0.7:8884", mqtt_ws="10.0.0.6:9001", mqtt_host="a b")
    assert urls(several.listeners) == [
        ["mqtt 10.0.0.6:1883", "mqtts 10.0.0.6:8883", "ws 10.0.0.6:9001"],
        ["mqtt 10.0.0.7:1883", "mqtts 10.0.0.7:8884"],
    ]
    assert urls(several.told_listeners) == [
        ["mqtt a:1883", "mqtts a:8883", "ws a:9001"],
        ["mqtt b:1883", "mqtts b:8884"],
    ]
    assert urls(Settings(**CLUSTER, mqtt_host="one").told_listeners) == [["mqtt one:1883"], ["mqtt one:1883"]]


def test_a_place_for_one_gateway_is_at_its_organisations() -> None:
    organisations = {spread(name, 2): name for name in ("north", "city")}
    for mosquitto, name in organisations.items():
        mounting = Settings(**CLUSTER, mqtt_mounted=f"10.0.0.9:1884={name}/g")
        assert [one.mount for one in mounting.listeners_of(mosquitto)] == ["", f"in/{name}/g/"]
        assert [one.mount for one in mounting.listeners_of(1 - mosquitto)] == [""]


@pytest.mark.parametrize("setting", ["mqtts", "mqtt_wss"])
def test_more_places_than_mosquittos_are_refused(setting: str) -> None:
    with pytest.raises(ValidationError, match="more than there are Mosquittos"):
        Settings(**CLUSTER, **{setting: "10.0.0.6:1 10.0.0.7:1 10.0.0.8:1"})
