"""Requests for data, disputes and sign-ups as they are sent and shown: the wire's shapes and nothing else."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Path
from pydantic import BaseModel, Field

from api.forms import Form, Id, Text, example
from broker.proceedings import Grievance, Outcome
from broker.signup import Mode, State

ARequest: TypeAlias = Annotated[Id, Path(examples=["request-7f4a90c1d25e8b36a0fc"])]
ASignup: TypeAlias = Annotated[Id, Path(examples=["signup-7f4a90c1d25e8b36a0fc"])]
ADispute: TypeAlias = Annotated[Id, Path(examples=["dispute-7f4a90c1d25e8b36a0fc"])]


class NewRequest(Form):
    """For data of another organisation that is closed (`datastream`), or whose `offer` does not do."""

    model_config = example(
        of="noise-lyon",
        datastream="noise-roof-1",
        wish="To compare noise and air around schools, hourly means would do",
    )

    of: Id = Field(description="Whose it is.")
    datastream: Id | None = Field(None, description="One that nobody offers; see the directory.")
    offer: Id | None = Field(None, description="Or an offer that refuses you, or whose terms do not do.")
    wish: Text = Field(description="What you ask for, and what for; public.")


class GivenAnswer(Form):
    model_config = example(outcome="will_open", text="From January on, as hourly means")

    outcome: Outcome
    text: Text = Field(description="Public.")
    offer: Id | None = Field(None, description="The offer by which it was opened.")


class AnswerShown(BaseModel):
    outcome: Outcome
    text: str
    time: str
    offer: str | None


class RequestShown(BaseModel):
    id: str
    by: str
    of: str
    datastream: str | None
    offer: str | None
    wish: str
    created: str
    supporters: list[str]
    answer: AnswerShown | None = Field(description="The owner's; null until there is one.")


class NewDispute(Form):
    """About one of the three: an agreement of yours that was refused, suspended or revoked, an offer, or a request that was declined."""

    model_config = example(
        offer="noise-hourly", over="discrimination", statement="Others were granted the same purpose the day before"
    )

    over: Grievance
    agreement: Id | None = None
    offer: Id | None = None
    request: Id | None = None
    statement: Text = Field(description="What happened, and why it is unfair; public.")


class GivenRuling(Form):
    model_config = example(upheld=True, reasons="The criterion that was named is none of those that are published")

    upheld: bool = Field(description="Whether the complaint is.")
    reasons: Text = Field(description="Public.")


class RulingShown(BaseModel):
    upheld: bool
    reasons: str
    time: str


class DisputeShown(BaseModel):
    id: str
    by: str
    against: str
    over: Grievance
    agreement: str | None
    offer: str | None
    request: str | None
    statement: str
    created: str
    ruling: RulingShown | None = Field(description="The operator's; null until there is one.")


class SignupRules(BaseModel):
    mode: Mode = Field(description="`automatic`; by published `criteria`; or `closed`: the operator alone registers.")
    criteria: list[str]
    unused_after_s: int = Field(description="Seconds after which what nobody decided or used ends by itself.")


class NewSignup(Form):
    model_config = example(
        id="tree-friends",
        name="Friends of the Trees",
        contact="trees@example.org",
        statement="We care for 300 trees and share their soil sensors",
    )

    id: Id | None = None
    name: Text
    contact: Text | None = None
    homepage: Text | None = None
    statement: Text | None = Field(None, description="How you meet the criteria; for the operator alone.")


class SignupMade(BaseModel):
    signup: str
    id: str = Field(description="The organisation's.")
    name: str
    key: str = Field(description="Shown once.")
    state: State = Field(description="`granted`: the key opens what is yours; `requested`: as soon as it is granted.")


class SignupShown(BaseModel):
    signup: str
    state: State
    criterion: str | None = Field(description="The published one by which it was refused.")
    reason: str | None


class SignupWaiting(BaseModel):
    signup: str
    id: str
    name: str
    contact: str | None
    homepage: str | None
    statement: str | None
    created: str
