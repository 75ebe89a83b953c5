"""What the registry knows, as plain values: SensorThings' and ODRL's words, no behaviour. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NewType, TypeAlias

from broker import times, topics
from broker.licence import Terms
from broker.place import Place
from broker.privacy.profile import Profile

Kind: TypeAlias = Literal["measurement", "rfid", "camera"]
FormatName: TypeAlias = Literal[
    "json", "senml", "senml-cbor", "ttn", "chirpstack", "sensor-community", "opensensemap", "tasmota", "zigbee2mqtt", "shelly",
    "home-assistant", "sparkplug", "impinj", "zebra", "epcis", "ngsi", "cloudevents", "gbfs", "gtfs-rt", "gateway",
]  # fmt: skip
"""The formats that a gateway may speak, as configuration, interface and command line call them."""
OrganisationId = NewType("OrganisationId", str)
ApplicationId = NewType("ApplicationId", str)
OfferId = NewType("OfferId", str)
ReleaseId = NewType("ReleaseId", str)
AgreementId = NewType("AgreementId", str)


@dataclass(frozen=True, slots=True)
class Organisation:
    id: OrganisationId
    name: str
    contact: str | None = None
    homepage: str | None = None
    suspended: str | None = None
    """Why the operator suspended it; None if it is not."""


@dataclass(frozen=True, slots=True)
class MqttAccount:
    """A client of the MQTT broker: its name, and its password as Mosquitto's plugin stores it."""

    username: str
    password_hash: str
    """PBKDF2-HMAC-SHA-512, base64."""
    salt: str
    iterations: int
    name: str = ""
    """What its owner calls it, to tell it from others."""
    created: int = 0
    """ns since 1970."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """An MQTT client that publishes for one organisation."""

    organisation: OrganisationId
    id: str
    name: str
    format: FormatName
    accounts: tuple[MqttAccount, ...]
    """How it may log in; several while one follows another."""
    zone: str = "UTC"
    """Time zone of its devices' clocks, for times that name none."""

    @property
    def role(self) -> str:
        """What Mosquitto calls it; also the name of its first account."""
        return f"gateway.{self.organisation}.{self.id}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a datastream's observations stand in what its gateway says, if that speaks a device's own format."""

    device: str
    """As the format has it; empty where it names none."""
    property: str
    unit: str | None = None
    """How the device spells a unit that is no known one, where its owner says what it means."""


@dataclass(frozen=True, slots=True)
class Datastream:
    organisation: OrganisationId
    id: str
    gateway: str
    kind: Kind
    observed_property: str | None = None
    unit: str | None = None
    """UCUM code. A datastream that has one takes numbers only."""
    place: Place | None = None
    theme: str | None = None
    personal_data: bool = False
    location_h3: int | None = None
    """The place is private: nobody is told more than its H3 cell of this resolution."""
    privacy_unit: str | None = None
    """Whom `k` counts: tag, household, owner."""
    privacy_unit_id: str | None = None
    """Which household or owner, where all records are of one; never published."""
    asset_prefixes: tuple[str, ...] = ()
    description: str | None = None
    origin: Origin | None = None
    simulated: bool = False
    """Whether nothing is observed: made up, to try things with."""
    smooth: str | None = None
    """Of tag reads: they become the events of their tags (`broker/smoothing.py`), with this window (ISO 8601)."""
    closed: str | None = None
    """Why it is not offered, as its owner says; public."""

    @property
    def stream(self) -> str:
        """Where its points rest in the raw store."""
        return f"{self.organisation}/{self.id}"

    @property
    def topic(self) -> str:
        """Where its gateway publishes, in Mitoyen's own format; in another it stands for it."""
        return f"in/{self.organisation}/{self.gateway}/{self.id}"

    @property
    def smooth_ns(self) -> int | None:
        return None if self.smooth is None else times.parse_duration(self.smooth)


@dataclass(frozen=True, slots=True)
class Application:
    id: ApplicationId
    organisation: OrganisationId
    name: str
    accounts: tuple[MqttAccount, ...]
    """How it may log in; several while one follows another."""

    @property
    def role(self) -> str:
        """What Mosquitto calls it; also the name of its first account."""
        return f"application.{self.id}"


@dataclass(frozen=True, slots=True)
class Release:
    """One datastream as one offer shows it."""

    id: ReleaseId
    offer: OfferId
    datastream: Datastream
    stream: str
    """Where its points rest in the released store; releases that compute the same share one."""
    number: int = field(default=0, compare=False)
    """The registry's own, from 1 on: for standards whose ids are integers. 0: not registered yet."""


@dataclass(frozen=True, slots=True)
class Offer:
    id: OfferId
    organisation: OrganisationId
    profile: Profile
    terms: Terms
    releases: tuple[Release, ...]
    created: int
    """ns since 1970."""
    version: int = 1
    """Of its terms: each change of them is another."""
    withdrawn: int | None = None
    """When (ns) its owner took it back."""
    suspended: bool = False
    """Whether its organisation is."""

    def topic(self, release: Release) -> str:
        """Where a release of it is published; by cell, a filter of the topics of all cells."""
        return topics.live(self.organisation, self.id, topics.ANY if self.profile.by_cell else release.datastream.id)


AgreementState: TypeAlias = Literal["requested", "active", "suspended", "refused", "revoked"]


@dataclass(frozen=True, slots=True)
class Agreement:
    id: AgreementId
    offer: OfferId
    application: ApplicationId
    purpose: str
    state: AgreementState
    created: int
    holder: OrganisationId
    """Whose application it is."""
    terms: Terms
    """As they were agreed to: the offer's, in its `version` of then."""
    version: int = 1
    reason: str | None = None
    """Why it ended, is suspended, or was refused."""
    suspended: bool = False
    """Whether its holder is."""


NoticeEvent: TypeAlias = Literal[
    "accepted", "refused", "suspended", "resumed", "revoked", "expiring", "expired", "terms_changed"
]


@dataclass(frozen=True, slots=True)
class Notice:
    """What an application is told about an agreement of its own. Times in ns since 1970."""

    id: str
    application: ApplicationId
    agreement: AgreementId
    offer: OfferId
    event: NoticeEvent
    time: int
    until: int
    """When it is taken down by itself."""
    reason: str | None = None


Scope: TypeAlias = Literal["read", "history", "live", "manage"]
EVERYTHING: frozenset[Scope] = frozenset({"read", "history", "live", "manage"})


@dataclass(frozen=True, slots=True)
class Key:
    """A key for HTTP, without its secret. Times in ns since 1970."""

    id: str
    name: str
    scopes: frozenset[Scope] = EVERYTHING
    """What it may be used for: `read` what is its subject's own, `history` and `live` of releases, `manage` whatever changes anything."""
    created: int = 0
    expires: int | None = None
    last_used: int | None = None
    """To the minute."""

    def within(self, other: Key) -> bool:
        """Whether it may do nothing that the other may not, and for no longer."""
        ends = other.expires is None or (self.expires is not None and self.expires <= other.expires)
        return self.scopes <= other.scopes and ends


ChargeState: TypeAlias = Literal["stated", "confirmed", "declined", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Charge:
    """What an offer's owner states that an agreement cost, and what the other side says to it. Times in ns since 1970."""

    id: str
    agreement: AgreementId
    amount: Decimal
    currency: str
    """ISO 4217."""
    created: int
    begins: int | None = None
    """Of the time that is charged for."""
    ends: int | None = None
    state: ChargeState = "stated"
    """`confirmed`: the other side paid it. `withdrawn`: taken back, or given back."""
    reason: str | None = None
    """Why it was declined or withdrawn."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What an application learned from what it reads: a page that anyone may read."""

    id: str
    application: ApplicationId
    holder: OrganisationId
    """Whose application it is."""
    title: str
    link: str
    created: int
    """ns since 1970."""


@dataclass(frozen=True, slots=True)
class Consent:
    """That a tag may be shown by name for a purpose. Times in ns since 1970."""

    tag: str
    """Its keyed hash."""
    purpose: str
    """One, or `any`."""
    given: int
    withdrawn: int | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a key belongs to. The operator's id is empty."""

    role: Literal["operator", "organisation", "application"]
    id: str
    suspended: bool = False
    """Whether its organisation is."""
    key: Key | None = field(default=None, compare=False)
    """The one that was shown."""
