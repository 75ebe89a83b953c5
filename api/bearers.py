"""What bearers of tags send and are answered about consent, as pydantic models."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, Field, StringConstraints

from api.forms import Form, Prefix, Purpose, example

Epc: TypeAlias = Annotated[str, StringConstraints(min_length=4, max_length=512)]


Code: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class Issued(Form):
    model_config = example(prefixes=["urn:epc:id:sgtin:0614141."])

    prefixes: Annotated[list[Prefix], Field(max_length=100)] = Field(description="Of EPC URIs; nobody else's overlap.")


class NewCode(Form):
    model_config = example(tag="urn:epc:id:sgtin:0614141.812345.6789")

    tag: Epc = Field(description="EPC, as a URI or in hexadecimal.")


class CodeMade(BaseModel):
    code: str = Field(description="Shown once.")
    expires: str


class WithCode(Form):
    model_config = example(tag="urn:epc:id:sgtin:0614141.812345.6789", code="ABCD-EFGH-JKLM")

    tag: Epc
    code: Code = Field(
        description="From whoever gave out the tag, or from the last answer. Good for one call; five attempts."
    )


class NewConsent(WithCode):
    model_config = example(tag="urn:epc:id:sgtin:0614141.812345.6789", code="ABCD-EFGH-JKLM", purposes=["research"])

    purposes: Annotated[list[Purpose], Field(min_length=1, max_length=50)] = Field(
        description='Of offers that may show it; "any": of all.'
    )


class ConsentGiven(BaseModel):
    purposes: list[str]
    since: str
    code: str = Field(description="For the next call, such as withdrawing. Shown once.")


class Withdrawal(WithCode):
    model_config = example(tag="urn:epc:id:sgtin:0614141.812345.6789", code="ABCD-EFGH-JKLM", erase=True)

    erase: Annotated[bool, Field(description="Also erase what was read before.")] = False


class Withdrawn(BaseModel):
    erase: bool
    code: str = Field(description="For the next call. Shown once.")


class ConsentShown(BaseModel):
    purpose: str
    given: str
    withdrawn: str | None = None


class ReadHeld(BaseModel):
    organisation: str
    datastream: str
    time: str
    record: str = Field(description="What else was read, as JSON.")


class Held(BaseModel):
    consents: list[ConsentShown]
    reads: list[ReadHeld]
    complete: bool = Field(description="Whether these are all: at most 10,000 are told.")
    code: str = Field(description="For the next call. Shown once.")
