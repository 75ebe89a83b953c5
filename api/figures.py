"""What is sent and answered of use, costs, findings and previews: shapes, and nothing else. Amounts are of records, and of bytes as written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from api.forms import Form, GeoPoint, Id, NewTerms, Purpose, Text, Time, example
from broker.privacy.profile import Profile

UPPER_BOUND = (
    "Of MQTT, where Mosquitto delivers, it is counted what was published while the agreement was live. That is an upper bound:"
    " an application may have listened to less, or not at all. HTTP, with Server-Sent Events, is counted as it was sent."
)


class Amount(BaseModel):
    records: int = 0
    bytes: int = 0


class HourOfUse(BaseModel):
    hour: str = Field(description="Its beginning.")
    live: Amount = Field(description="Published over MQTT while the agreement was live: an upper bound.")
    http: Amount = Field(description="Sent over HTTP: history and Server-Sent Events.")


class QuotaLeft(BaseModel):
    per: str
    begins: str = Field(description="Of the present day or month.")
    ends: str
    records: int | None = Field(description="That may still be delivered; null: not limited.")
    bytes: int | None


class UseOfAgreement(BaseModel):
    agreement: str
    offer: str
    live: Amount = Field(description="Of all hours that are shown.")
    http: Amount
    live_is: str = UPPER_BOUND
    quota: QuotaLeft | None = Field(description="Null: its terms have none, or it has ended.")
    hours: list[HourOfUse]


class UseByOne(BaseModel):
    agreement: str | None = Field(
        description="Null: whoever came without one, where access is open; live, what was published at all."
    )
    live: Amount
    http: Amount
    hours: list[HourOfUse]


class UseOfOffer(BaseModel):
    offer: str
    live_is: str = UPPER_BOUND
    uses: list[UseByOne]


class NewCharge(Form):
    model_config = example(id="november", amount="12.50", currency="EUR", begins="2026-11-01T00:00:00Z")

    id: Id | None = None
    amount: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,4})?$")] = Field(
        description="Decimal, as text: no binary fraction is a cent."
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(description="ISO 4217.")
    begins: Time | None = Field(None, description="Of the time that is charged for.")
    ends: Time | None = None


class ChargeShown(BaseModel):
    id: str
    agreement: str
    amount: str
    currency: str
    created: str
    begins: str | None
    ends: str | None
    state: Literal["stated", "confirmed", "declined", "withdrawn"] = Field(
        description="`confirmed`: the other side says that it paid."
    )
    reason: str | None = Field(description="Why it was declined or withdrawn.")


class AnswerToCharge(Form):
    model_config = example(confirm=True)

    confirm: bool = Field(description="That it was paid.")
    reason: Text | None = Field(None, description="Why not; public.")


class NewFinding(Form):
    model_config = example(
        id="school-streets", title="Air at school gates, before and after", link="https://example.org/school-streets"
    )

    id: Id | None = None
    title: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] = Field(
        description="Public: name nobody in it."
    )
    link: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,1000}$")] = Field(
        description="A page that anyone may read."
    )


class FindingShown(BaseModel):
    id: str
    application: str
    title: str
    link: str
    published: str


class Money(BaseModel):
    currency: str
    amount: str


class SharesAndUses(BaseModel):
    """What an organisation shares with others, and what it uses of theirs and its own."""

    organisation: str
    offers: int = Field(description="That stand.")
    datastreams: int = Field(description="That are offered.")
    agreements_on_its_offers: int = Field(description="That are active.")
    applications: int
    agreements_of_its_applications: int = Field(description="That are active.")
    given_live: Amount = Field(description="To agreements on its offers: an upper bound.")
    given_http: Amount
    used_live: Amount = Field(description="By agreements of its applications: an upper bound.")
    used_http: Amount
    charged: list[Money] = Field(description="By it: stated and not declined or withdrawn.")
    received: list[Money] = Field(description="Of that, confirmed by the other side.")
    paid: list[Money] = Field(description="That it confirmed to others.")


class OfferInUse(BaseModel):
    offer: str
    organisation: str
    access: str
    licence: str
    price: str | None = Field(description="As its terms state it.")
    withdrawn: str | None
    agreements: dict[str, int] = Field(description="By state.")
    purposes: dict[str, int] = Field(description="Of agreements that are active.")
    refusals: int
    readers: dict[str, str] = Field(
        description="Applications with an agreement that is active, each with its purposes, separated by blanks."
    )
    published: Amount = Field(description="Live, once each, whoever listened.")
    live: Amount = Field(description="To all agreements together: an upper bound.")
    http: Amount = Field(description="Also without an agreement, where access is open.")
    charged: list[Money]
    received: list[Money]


class Transparency(BaseModel):
    """Who shares what and who uses what. No personal data: ids only, whose names stand where they can be changed."""

    time: str = Field(description="When this was drawn up; at most a minute ago.")
    live_is: str = UPPER_BOUND
    organisations: list[SharesAndUses]
    offers: list[OfferInUse]
    findings: list[FindingShown]


class NewPreview(Form):
    model_config = example(
        datastream="pm25-roof-1",
        profile={"name": "halves", "operators": [{"op": "quantise", "step": 0.5}]},
        terms={"licence": "CC-BY-4.0", "attribution": "Air Lyon", "purposes": ["any"]},
        application="smog-alert",
        start="2026-11-23T00:00:00Z",
        end="2026-11-24T00:00:00Z",
    )

    datastream: Id
    profile: Profile
    terms: NewTerms
    application: Id = Field(description="Whose eyes to look through.")
    purpose: Purpose | None = Field(None, description="Left out: one that the terms permit.")
    start: Time | None = Field(None, description="Of what is looked at. Left out: an hour before the end.")
    end: Time | None = Field(None, description="Left out: the newest that there is.")
    limit: Annotated[int, Field(ge=1, le=1_000)] = Field(100, description="Of observations that are shown, the newest.")


class PreviewedLive(BaseModel):
    topic: str
    properties: dict[str, str] = Field(description="MQTT 5 user properties of every message.")
    retained: Any = Field(description="What is heard at once, where the newest was looked at; null: nothing is.")
    messages: list[Any] = Field(description="Those that would have been published had the offer stood already.")


class PreviewShown(BaseModel):
    permitted: bool
    reason: str | None = Field(description="Why it would see nothing: a code.")
    detail: str | None
    after_approval: bool = Field(description="Only when you have granted its request.")
    location: GeoPoint | None
    past: list[Any] = Field(
        description="What history would hold. Of personal data an offer shows nothing from before it."
    )
    live: PreviewedLive | None
    withheld: dict[str, int] | None = Field(
        description="Of the past, by reason. Null for personal data, of which only what would be released is told."
    )
    looked_at: int | None = Field(description="Records. Null for personal data.")
    start: str | None
    end: str | None
    complete: bool = Field(description="Whether all of this time was looked at, and all that it shows is here.")


class NewAudit(Form):
    model_config = example(
        datastreams=["pm25-roof-1"],
        profile={"name": "halves", "operators": [{"op": "quantise", "step": 0.5}]},
        days=7,
    )

    datastreams: Annotated[list[Id], Field(min_length=1, max_length=100)]
    profile: Profile
    purposes: list[Purpose] = Field(["any"], min_length=1, description="Whose names are shown depends on them.")
    days: Annotated[int, Field(ge=1, le=14)] = Field(7, description="The last, up to your newest record.")


class AttackShown(BaseModel):
    """Shares are from 0 to 1; null where there are fewer than five to try it on."""

    attack: str
    success: float | None
    chance: float | None = Field(description="What the same reader achieves without the release.")
    raw: float | None = Field(
        description="What would be achieved if the raw data, or the usual weak protection, were released."
    )
    tried: int = Field(description="How many targets the share is of.")
    sentence: str


class AuditShown(BaseModel):
    attacks: list[AttackShown]
    detail: str = Field(description="Why there is nothing to attack; empty if there is.")
    start: str | None
    end: str | None
    complete: bool = Field(description="Whether all of this time was attacked, and not the newest records alone.")


class ReleaseReconciled(BaseModel):
    release: str
    offer: str
    datastream: str
    released: int = Field(description="Records that came under it.")
    delivered: int = Field(
        description="That history holds what it shows of, by themselves or in a window; live published the same."
    )
    withheld: dict[str, int] = Field(description="By reason.")
    waiting: int = Field(description="For their window, or until they are old enough.")


class Reconciliation(BaseModel):
    """accepted = stored + refused, where settled; released = delivered + withheld + waiting, always."""

    settled: bool = Field(description="Whether all that was accepted is kept; if not, ask again in a moment.")
    accepted: int = Field(description="Records that were journalled.")
    rejected: int = Field(description="Records that were not, with the reasons that their gateways show.")
    stored: int
    refused: dict[str, int] = Field(description="After they were accepted, by reason.")
    releases: list[ReleaseReconciled] = Field(
        description="Releases that show the same share one count; by cell it is that of all datastreams of the offer."
    )
