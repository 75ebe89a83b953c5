"""What is asked for and disputed in public, as plain values: requests for data, and disputes over how it was refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from broker.model import AgreementId, OfferId, OrganisationId

Outcome: TypeAlias = Literal["opened", "will_open", "declined"]
Grievance: TypeAlias = Literal["refusal", "discrimination", "suspension", "revocation"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the owner says to a request, in public."""

    outcome: Outcome
    text: str
    time: int
    """ns since 1970."""
    offer: OfferId | None = None
    """The one by which it was opened."""


@dataclass(frozen=True, slots=True)
class DataRequest:
    """One organisation's wish for another's data that is closed or was refused; others may support it."""

    id: str
    by: OrganisationId
    of: OrganisationId
    wish: str
    """What is asked for, and what for."""
    created: int
    datastream: str | None = None
    """Which of the owner's is closed,"""
    offer: OfferId | None = None
    """or which offer does not do."""
    supporters: tuple[OrganisationId, ...] = ()
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the operator decides on a dispute."""

    upheld: bool
    """Whether the complaint is."""
    reasons: str
    time: int


@dataclass(frozen=True, slots=True)
class Dispute:
    """An organisation's complaint that another refused it or treated it unlike others."""

    id: str
    by: OrganisationId
    against: OrganisationId
    over: Grievance
    statement: str
    created: int
    agreement: AgreementId | None = None
    """What it is about: an agreement that was refused, suspended or revoked,"""
    offer: OfferId | None = None
    """an offer,"""
    request: str | None = None
    """or a request that was declined."""
    ruling: Ruling | None = None
