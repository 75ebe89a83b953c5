"""What is sent and answered about gateways and their devices' payloads, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.forms import Form, GeoPoint, Id, Mqtt, Prefix, Text, Window
from broker.model import FormatName

LONGEST_PAYLOAD = 65_536
"""Characters of a payload that is decoded on demand: GBFS feeds and other large ones are for the command line."""


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("expected a name of the time zone database, such as Europe/Paris") from error
    return value


Zone: TypeAlias = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]


class GatewayMqtt(Mqtt):
    topic: str = Field(
        description="Where to publish; fill in the datastream's id, or the device's own topic if it speaks a format of its own."
    )
    will_topic: str = Field(description="For a last will, `offline`, and a first word, `online`.")


class NewGateway(Form):
    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "roof-1", "name": "Roof of the town hall"}]})

    id: Id | None = None
    name: Text | None = None
    format: FormatName = "json"
    zone: Zone = Field("UTC", description="Time zone of its devices' clocks, for times that name none.")


class GatewayMade(BaseModel):
    id: str
    mqtt: GatewayMqtt


class OutboxShown(BaseModel):
    """Records on the owner's machine: those that wait, and since the outbox was made those that never come, by reason."""

    pending: int
    dropped: int = Field(description="For want of room in the outbox.")
    missed: int = Field(description="Faster than its disk, or pictures while there was no connection.")
    unreadable: int = Field(description="Not as their format says.")
    undated: int = Field(description="Retained before it listened, without a time.")
    withheld: int = Field(description="By privacy at the edge.")


class GatewayShown(BaseModel):
    id: str
    name: str
    format: str
    zone: str
    state: Literal["live", "silent"]
    since: str | None = Field(description="Since when; null: it was never heard.")
    reason: str | None = Field(description="Of its silence: `last_will`, `timeout` or `never_heard`.")
    last_seen: str | None
    accepted: int
    rejected: int
    outbox: OutboxShown | None = Field(description="What `mitoyen gateway` said of it last; null: this one has none.")


class Rejection(BaseModel):
    time: str
    topic: str
    index: int
    reason: str
    payload: str
    encoding: Literal["base64"] | None = None


class Payload(Form):
    """A device's payload, to see what would be understood of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "format": "tasmota",
                    "topic": "tele/cellar/SENSOR",
                    "payload": '{"Time": "2026-11-22T21:00:00", "BME280": {"Temperature": 21.7}, "TempUnit": "C"}',
                    "zone": "Europe/Paris",
                }
            ]
        }
    )

    format: FormatName
    payload: Annotated[str, StringConstraints(max_length=LONGEST_PAYLOAD)]
    encoding: Literal["base64"] | None = Field(None, description="For a payload that is no text.")
    topic: Annotated[str, StringConstraints(max_length=1_000)] = Field(
        "", description="The device's own, which follows the gateway's."
    )
    zone: Zone = "UTC"


class AboutShown(BaseModel):
    """What a device tells of itself."""

    device: str
    name: str | None = None
    model: str | None = None
    location: GeoPoint | None = None


class Decoded(BaseModel):
    items: list[dict[str, Any]] = Field(
        description="As `mitoyen decode` prints them: device, property, time, value and unit; or epc; or refused and why. Empty: it is no data."
    )
    about: list[AboutShown]


class SuggestionShown(BaseModel):
    """A property of a device that no datastream is made of yet."""

    device: str
    property: str
    kind: str
    value: bool | int | float | str = Field(description="As it was heard last.")
    unit: str | None = Field(description="UCUM code, or as the device spells it.")
    unit_known: bool
    first: str
    last: str
    heard: int
    name: str | None
    model: str | None
    location: GeoPoint | None


class Adoption(Form):
    """A device that is to become datastreams."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"device": "cellar", "properties": ["BME280.Temperature"]}]}
    )

    device: Annotated[str, StringConstraints(max_length=4_096)] = Field(description="As the suggestion has it.")
    properties: Annotated[list[str], Field(min_length=1, max_length=1_000)] | None = Field(
        None, description="Left out: all that is suggested of it."
    )
    location: GeoPoint | None = Field(None, description="Where it stands, in place of what it says itself.")
    theme: Text | None = None
    personal_data: bool | None = Field(None, description="Left out: tag reads are, all else is not.")
    asset_prefixes: Annotated[list[Prefix], Field(max_length=100)] = Field(
        [], description="Of its tags that are your own things."
    )
    smooth: Window | None = Field(
        None, description="Of its tags: their events in place of their reads, as a datastream's."
    )
