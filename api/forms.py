"""What is sent and what is answered, as pydantic models: the wire's shapes and nothing else."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from broker import times
from broker.errors import Malformed
from broker.licence import HighValue
from broker.place import Place
from broker.privacy.profile import Profile

Id: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,63}$")]
AnOrganisation: TypeAlias = Annotated[Id, Path(examples=["air-lyon"])]
AGateway: TypeAlias = Annotated[Id, Path(examples=["roof-1"])]
ADatastream: TypeAlias = Annotated[Id, Path(examples=["pm25-roof-1"])]
AnOffer: TypeAlias = Annotated[Id, Path(examples=["air-by-minute"])]
ARelease: TypeAlias = Annotated[Id, Path(examples=["release-52f3c6a39d08d50140bd"])]
AnApplication: TypeAlias = Annotated[Id, Path(examples=["smog-alert"])]
ACharge: TypeAlias = Annotated[Id, Path(examples=["november"])]
AFinding: TypeAlias = Annotated[Id, Path(examples=["school-streets"])]
ANotice: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9_-]{1,128}$"), Path(examples=["agreement-7f4a90c1d25e8b36a0fc-revoked"])
]
AnAgreement: TypeAlias = Annotated[Id, Path(examples=["agreement-7f4a90c1d25e8b36a0fc"])]
Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
Purpose: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/#-]{1,63}$")]
Prefix: TypeAlias = Annotated[str, StringConstraints(pattern=r"^urn:epc:(id|raw):[^\s]{1,200}$")]


def _time(value: str) -> str:
    try:
        times.parse(value)
    except Malformed as error:
        raise ValueError(str(error)) from error
    return value


Time: TypeAlias = Annotated[str, AfterValidator(_time), Field(examples=["2026-11-22T20:00:00Z"])]


def _window(value: str) -> str:
    try:
        fits = times.parse_duration(value) <= times.DAY
    except Malformed as error:
        raise ValueError(str(error)) from error
    if not fits:
        raise ValueError("expected a day at most: what is not seen for longer is another visit")
    return value


Window: TypeAlias = Annotated[str, StringConstraints(max_length=32), AfterValidator(_window)]


class Form(BaseModel):
    """A body that is sent: what is not named here is refused."""

    model_config = ConfigDict(extra="forbid")


def example(**body: JsonValue) -> ConfigDict:
    """A body as the tests send it, shown with the call."""
    return ConfigDict(json_schema_extra={"examples": [body]})


class NewOrganisation(Form):
    model_config = example(id="air-lyon", name="Air Lyon", contact="data@example.org", homepage="https://example.org")

    id: Id | None = None
    name: Text
    contact: Text | None = None
    homepage: Text | None = None


class OrganisationMade(BaseModel):
    id: str
    name: str
    key: str = Field(description="Shown once.")


class Changes(Form):
    """What is to be changed: what is left out stays."""

    def given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.model_fields_set}


class ChangedName(Changes):
    model_config = example(name="On the roof")

    name: Text = ""


class ChangedOrganisation(Changes):
    model_config = example(contact="sensors@example.org")

    name: Text = ""
    contact: Text | None = None
    homepage: Text | None = None


class OrganisationShown(BaseModel):
    id: str
    name: str
    contact: str | None = Field(description="Public: whom to ask about what it shares.")
    homepage: str | None
    suspended: str | None = Field(description="Why the operator suspended it; null if it is not.")


class AlsoAt(BaseModel):
    """Another place where MQTT is spoken."""

    url: str = Field(description="mqtts, ws or wss.")
    certificate: bool = Field(description="Whether a client certificate is asked for as well.")


class Mqtt(BaseModel):
    host: str
    port: int
    username: str
    password: str = Field(description="Shown once.")
    client_id_prefix: str = Field(
        description="Begin your client ids with it: nobody who can't guess it takes over your session."
    )
    also: list[AlsoAt] = Field(description="Over TLS or WebSockets, where the operator offers it.")


class GeoPoint(Form):
    """RFC 7946, WGS 84: longitude, latitude."""

    type: Literal["Point"]
    coordinates: Annotated[list[float], Field(min_length=2, max_length=3)]


def geo_point(place: Place | None) -> GeoPoint | None:
    """A place as it is written."""
    return GeoPoint(type="Point", coordinates=[place.longitude, place.latitude]) if place else None


class Origin(Form):
    """Where the datastream's observations stand in what a device says in its own format."""

    device: Annotated[str, StringConstraints(max_length=4_096)] = Field(
        "", description="As its format has it; empty where it names none."
    )
    property: Annotated[str, StringConstraints(min_length=1, max_length=4_096)] = Field(
        description="As its format has it; `epc` for tag reads."
    )
    unit: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        None, description="How the device spells a unit that is unknown, where you say what it means."
    )


class NewDatastream(Form):
    model_config = example(
        id="pm25-roof-1",
        gateway="roof-1",
        kind="measurement",
        observed_property="PM2.5",
        unit="ug/m3",
        location={"type": "Point", "coordinates": [4.835, 45.767]},
        theme="air quality",
        description="On the roof of the town hall, 18 m above the street",
    )

    id: Id | None = None
    gateway: Id
    kind: Literal["measurement", "rfid", "camera"]
    observed_property: Text | None = None
    unit: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        None, description="UCUM code. A datastream that has one takes numbers only."
    )
    location: GeoPoint | None = None
    theme: Text | None = None
    personal_data: bool | None = Field(None, description="Left out: true for rfid and cameras, false for measurement.")
    location_h3: Annotated[int, Field(ge=0, le=15)] | None = Field(
        None,
        description="The exact place is private, such as a balcony: nobody is told more than the centre of its H3 cell of this resolution.",
    )
    privacy_unit: Text | None = Field(None, description="Whom `k` counts: tag (left out), household, owner, …")
    privacy_unit_id: Text | None = Field(
        None, description="Which household or owner, where all records are of one. Never published."
    )
    asset_prefixes: Annotated[list[Prefix], Field(max_length=100)] = []
    description: Text | None = None
    origin: Origin | None = None
    simulated: bool = Field(
        default=False, description="Whether it is made up, to try things with; shown wherever it is."
    )
    smooth: Window | None = Field(
        None,
        description="Of rfid: in place of its reads a tag's arrival, that it is still there, once every so long, and its departure, after not being seen for so long, such as PT10S.",
    )
    closed: Text | None = Field(None, description="Why it is not offered; public, while no offer has it.")


class DatastreamShown(BaseModel):
    id: str
    organisation: str
    gateway: str
    kind: str
    observed_property: str | None
    unit: str | None
    location: GeoPoint | None
    theme: str | None
    personal_data: bool
    location_h3: int | None
    privacy_unit: str | None
    privacy_unit_id: str | None
    asset_prefixes: list[str]
    description: str | None
    origin: Origin | None
    simulated: bool
    smooth: str | None
    closed: str | None = Field(description="Why it is not offered.")


class Listed(BaseModel):
    """A datastream as everyone is told of it, whether it is offered or not."""

    organisation: str
    id: str
    kind: str
    observed_property: str | None
    theme: str | None
    personal_data: bool
    simulated: bool
    location: GeoPoint | None = Field(description="Coarse: the centre of an H3 cell of some 5 km².")
    offers: list[str] = Field(description="Those that it is in; none: it is closed.")
    closed: str | None = Field(description="Why it is closed, as its owner says.")


class ChangedDatastream(Changes):
    model_config = example(
        description="Moved to the south corner", location={"type": "Point", "coordinates": [4.8351, 45.7669]}
    )

    observed_property: Text | None = None
    location: GeoPoint | None = None
    theme: Text | None = None
    description: Text | None = None
    origin: Origin | None = None
    closed: Text | None = None


class NewQuota(Form):
    """How much one agreement may be delivered, live and history together."""

    per: Literal["day", "month"] = Field(description="Calendar day or month, UTC.")
    records: Annotated[int, Field(ge=1, le=2**53)] | None = None
    bytes: Annotated[int, Field(ge=1, le=2**53)] | None = None


class NewTerms(Form):
    model_config = example(
        licence="CC-BY-4.0",
        attribution="Air Lyon",
        purposes=["any"],
        quota={"per": "day", "records": 100000},
        approval="manual",
        criteria=["The purpose is named in a sentence that anyone understands"],
    )

    licence: Text = Field(description="SPDX id or URI; checked.")
    attribution: Text
    access: Literal["click", "open"] = Field("click", description="`open` needs neither key nor agreement.")
    purposes: Annotated[list[Purpose], Field(min_length=1, max_length=50)]
    redistribution: bool | None = None
    expires: Time | None = None
    price: Text | None = Field(None, description="A statement of cost; stated, not collected.")
    quota: NewQuota | None = None
    justification: Text | None = Field(
        None, description="Why purposes are restricted; public. Needed where the operator asks for it."
    )
    approval: Literal["automatic", "manual"] = Field(
        "automatic", description="`manual`: you decide on each request by your published criteria."
    )
    criteria: Annotated[list[Text], Field(max_length=20)] = []
    high_value: HighValue | None = Field(
        None, description="A high-value dataset of this category, Regulation (EU) 2023/138: free, for any purpose."
    )


class NewOffer(Form):
    model_config = example(
        id="air-by-minute",
        datastreams=["pm25-roof-1"],
        profile={
            "name": "by the minute",
            "operators": [{"op": "round_time", "to": "PT1M"}, {"op": "quantise", "step": 0.5}],
        },
        terms={"licence": "CC-BY-4.0", "attribution": "Air Lyon", "purposes": ["any"]},
    )

    id: Id | None = None
    datastreams: Annotated[list[Id], Field(min_length=1, max_length=10_000)]
    profile: Profile
    terms: NewTerms


class ReleaseShown(BaseModel):
    id: str
    datastream: str
    profile: str
    topic: str
    kind: str
    observed_property: str | None
    unit: str | None
    theme: str | None
    description: str | None
    simulated: bool
    location: GeoPoint | None = Field(description="As the profile has it: exact, the centre of a cell, or left out.")


class LicenceShown(BaseModel):
    id: str = Field(description="SPDX id or URI.")
    name: str | None = Field(description="Where it is one that is known by name.")
    uri: str
    open: bool | None = Field(description="Whether it is an open one; null: not known here.")


class LinkabilityShown(BaseModel):
    """How often people are found again under their next name, as `make audit` measured of such profiles: see docs/privacy.md."""

    rate: float = Field(description="The share of names that a reader pairs with the right one of the next epoch.")
    chance: float = Field(description="Of a pair at random.")


class OfferShown(BaseModel):
    id: str
    organisation: str
    profile: dict[str, Any]
    linkability: LinkabilityShown | None = Field(description="Null where nobody is named.")
    version: int = Field(description="Of the terms.")
    terms: dict[str, Any]
    licence: LicenceShown
    duties: list[str] = Field(description="What whoever uses it must do or leave.")
    simulated: bool = Field(description="Whether all of it is made up, to try things with.")
    created: str
    withdrawn: str | None = Field(description="When its owner took it back; null if it stands.")
    releases: list[ReleaseShown]


class ListedWhole(Listed):
    """A datastream with all that is offered of it."""

    unit: str | None
    description: str | None
    offered: list[OfferShown] = Field(description="Each with its release of this datastream alone.")


class SandboxRelease(BaseModel):
    """Made-up data, to try things with."""

    release: str
    offer: str
    datastream: str
    observed_property: str | None
    unit: str | None
    licence: str
    attribution: str
    live: str = Field(description="Server-Sent Events.")
    latest: str = Field(description="The newest alone: of a camera the picture.")
    observations: str | None = Field(description="History; a camera has none.")


class LedgerKey(BaseModel):
    algorithm: Literal["Ed25519"] = "Ed25519"
    key: str = Field(description="Base64 of its 32 bytes.")


class CheckpointShown(BaseModel):
    """A signed statement that the ledger was so."""

    checkpoint: int = Field(description="The seq of the last entry.")
    time: str
    hash: str = Field(description="Of that entry.")
    key: str = Field(description="The public key that proves it.")
    signature: str = Field(description="Ed25519 over the others, in base64.")


class Reason(Form):
    """Put on the public record."""

    model_config = example(reason="The sensor is faulty")

    reason: Text
