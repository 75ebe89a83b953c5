"""Registering simulated hardware at a broker, over HTTP, as its owners would."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from broker.errors import Malformed, Unavailable
from simulators.city import City, Sensor
from simulators.encoders.make import FormatName, make
from simulators.loading import carry
from simulators.simulation import Gateway, Mqtt, Simulation

_TERMS = {"licence": "CC-BY-4.0", "purposes": ["any"]}
_RAW = {"name": "raw", "operators": []}
_PSEUDONYMOUS = {"name": "pseudonymous", "operators": [{"op": "pseudonymise", "rotate": "P1D"}]}
_LOGIN = ("host", "port", "username", "password", "client_id_prefix")


async def post(api: httpx.AsyncClient, key: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the broker answers. Raises Unavailable when it refuses."""
    answer = await api.post(f"/api/v1/{what}", json=body, headers={"Authorization": f"Bearer {key}"})
    if not answer.is_success:
        raise Unavailable(f"{what}: {answer.status_code} {answer.text[:300]}")
    found: dict[str, Any] = answer.json()
    return found


def login(mqtt: dict[str, Any]) -> dict[str, Any]:
    """Of what registering a gateway answered, what logging in takes."""
    return {name: mqtt[name] for name in _LOGIN}


def datastream(sensor: Sensor, spoken: FormatName = "json") -> dict[str, Any]:
    """What an owner says of a sensor, and how it is called in the format that it speaks."""
    longitude, latitude = sensor.location
    origin = make(spoken).origin(sensor)
    body: dict[str, Any] = {
        "id": sensor.id,
        "gateway": sensor.gateway,
        "kind": sensor.kind,
        "observed_property": sensor.observed_property,
        "unit": sensor.unit,
        "theme": sensor.theme,
        "description": sensor.description,
        "location": {"type": "Point", "coordinates": [longitude, latitude]},
        "personal_data": sensor.personal_data,
        "privacy_unit": sensor.privacy_unit,
        "asset_prefixes": list(sensor.asset_prefixes),
        "simulated": True,
        "origin": {"device": origin[0], "property": origin[1]} if origin else None,
    }
    return {name: value for name, value in body.items() if value is not None}


def register(simulation: Simulation, logins: Path, say: Callable[[str], None]) -> Simulation:
    """The simulation with the logins of its gateways, registered at its broker the first time, and kept in a file of mode 0600.

    Raises Malformed if that file does not fit, and Unavailable when the broker refuses.
    """
    if simulation.broker is None:
        return simulation
    if not logins.exists():
        key = simulation.broker.operator_key_file.read_text(encoding="utf-8").strip()
        found = asyncio.run(_registered(simulation, simulation.broker.http, key, say))
        with os.fdopen(os.open(logins, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(found, file)
    known: dict[str, Any] = json.loads(logins.read_text(encoding="utf-8"))
    if missing := sorted({gateway.prefix for gateway in simulation.gateways} - known.keys()):
        raise Malformed(f"{logins}: has no login of {missing[0]}; it is of another simulation, or of a smaller city")
    gateways = [gateway.model_copy(update={"mqtt": Mqtt(**known[gateway.prefix])}) for gateway in simulation.gateways]
    return simulation.model_copy(update={"gateways": tuple(gateways)})


async def _registered(
    simulation: Simulation, http: str, operator_key: str, say: Callable[[str], None]
) -> dict[str, Any]:
    """The logins, by the topics of their gateways."""
    carried = carry(simulation, City(simulation.seed, simulation.sensors))
    of: dict[str, list[Gateway]] = {}
    for gateway in simulation.gateways:
        of.setdefault(gateway.organisation, []).append(gateway)
    say(f"Registering {sum(map(len, carried.values()))} sensors of {len(of)} organisations at {http}.")
    logins: dict[str, Any] = {}
    async with httpx.AsyncClient(base_url=http, timeout=60, trust_env=False) as api, asyncio.TaskGroup() as group:
        for organisation, gateways in of.items():
            group.create_task(_owner(api, operator_key, organisation, gateways, carried, logins), name=organisation)
    return logins


async def _owner(
    api: httpx.AsyncClient,
    operator_key: str,
    organisation: str,
    gateways: list[Gateway],
    carried: dict[str, tuple[Sensor, ...]],
    logins: dict[str, Any],
) -> None:
    """An organisation with its gateways, their sensors, and an offer of what measures and of what reads tags."""
    key = (await post(api, operator_key, "organisations", {"id": organisation, "name": organisation}))["key"]
    own: list[Sensor] = []
    for gateway in gateways:
        made = await post(api, key, "gateways", {"id": gateway.id, "format": gateway.format})
        logins[gateway.prefix] = login(made["mqtt"])
        for sensor in carried[gateway.prefix]:
            await post(api, key, "datastreams", datastream(sensor, gateway.format) | {"gateway": gateway.id})
        own += carried[gateway.prefix]
    for kind, profile, access in (("measurement", _RAW, "open"), ("rfid", _PSEUDONYMOUS, "click")):
        ids = [sensor.id for sensor in own if sensor.kind == kind]
        terms = {**_TERMS, "attribution": organisation, "access": access}
        if ids:
            await post(api, key, "offers", {"datastreams": ids, "profile": profile, "terms": terms})
