"""What is sent and answered about applications, their webhooks, agreements and notices, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from api.forms import Form, Id, Mqtt, Purpose, Text, example
from broker.model import NoticeEvent


class NewApplication(Form):
    model_config = example(id="smog-alert", name="Smog alert")

    id: Id | None = None
    name: Text | None = None


class ApplicationMade(BaseModel):
    id: str
    key: str = Field(description="Shown once.")
    mqtt: Mqtt


class NewWebhook(Form):
    model_config = example(url="https://hooks.example.org/mitoyen")

    url: Annotated[str, StringConstraints(min_length=1, max_length=2_000)] = Field(
        description="Public and https; every notice is posted there."
    )


class WebhookMade(BaseModel):
    url: str
    secret: str = Field(description="To verify signatures with. Shown once.")


class DeliveryShown(BaseModel):
    notice: str
    event: str
    attempts: int
    outcome: Literal["delivered", "waiting", "failed"]
    detail: str = Field(description="Of the last attempt: the answer's status, or why there was none.")
    time: str
    again: str | None = Field(description="When it is tried again.")


class WebhookShown(BaseModel):
    url: str
    created: str
    delivered: int = Field(description="Notices, as the next two.")
    waiting: int
    failed: int
    attempts: int
    last: list[DeliveryShown] = Field(description="The newest first.")


class ApplicationShown(BaseModel):
    id: str
    organisation: str
    name: str


class NewAgreement(Form):
    model_config = example(offer="air-by-minute", application="smog-alert", purpose="public-information", accept=True)

    offer: Id
    application: Id
    purpose: Purpose
    accept: Literal[True] = Field(description="That the offer's terms are accepted.")


class ReleaseGranted(BaseModel):
    id: str
    topic: str
    status: str = Field(description="The topic that tells silence from failure.")
    observations: str | None = Field(description="The path of its history; null for a camera, which has none.")
    latest: str = Field(description="The path of what was released last; of a camera the picture.")


class AgreementShown(BaseModel):
    id: str
    offer: str
    application: str
    purpose: str
    state: Literal["requested", "active", "suspended", "refused", "revoked", "expired"]
    reason: str | None = Field(description="Why it ended or is suspended, or the criterion by which it was refused.")
    version: int = Field(description="Of the terms that were agreed to; the offer may have newer ones.")
    terms: dict[str, Any]
    releases: list[ReleaseGranted]


class Decision(Form):
    """On a request: granted, or refused by one of the criteria that the terms publish."""

    grant: bool
    criterion: Text | None = Field(None, description="The one that failed, as the terms have it.")
    reason: Text | None = Field(None, description="Why it failed; public.")

    model_config = example(grant=True)


class Renewal(Form):
    accept: Literal[True] = Field(description="That the offer's present terms are accepted.")

    model_config = example(accept=True)


class NoticeShown(BaseModel):
    id: str
    event: NoticeEvent
    agreement: str
    offer: str
    time: str
    until: str = Field(description="When it is taken down by itself.")
    reason: str | None = None
