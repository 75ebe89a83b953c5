"""What is sent and answered about keys and MQTT logins, as pydantic models."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from api.forms import Form, Id, Text, Time, example
from broker.model import Scope


class NewLogin(Form):
    model_config = example(name="after the move")

    name: Text = Field(description="To tell it from others.")


class LoginShown(BaseModel):
    username: str
    name: str
    created: str


class NewKey(Form):
    model_config = example(name="notebook", scopes=["read", "history"])

    name: Text = Field(description="To tell it from others.")
    scopes: Annotated[list[Scope], Field(min_length=1)] | None = Field(
        None,
        description="`read`: what is your own; `history`, `live`: of releases; `manage`: whatever changes anything. Left out: all.",
    )
    expires: Time | None = None
    application: Id | None = Field(None, description="Of an application of yours; left out: your own.")
    organisation: Id | None = Field(None, description="The operator says whose.")


class KeyShown(BaseModel):
    id: str
    name: str
    scopes: list[Scope]
    created: str
    expires: str | None
    last_used: str | None = Field(description="To the minute.")


class KeyMade(KeyShown):
    key: str = Field(description="Shown once.")
