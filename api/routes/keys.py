"""Keys for HTTP: several at once, each for what it is needed for, so that one follows another without a gap."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api import credentials, forms
from api.errors import forbidden
from api.routes.applications import own
from api.services import Known, Services, With
from broker import keys, times
from broker.errors import Refused
from broker.model import EVERYTHING, Caller, Key

router = APIRouter(prefix="/api/v1/keys", tags=["keys"])


@router.post("", status_code=201)
def add_key(body: credentials.NewKey, caller: Known, with_: With) -> credentials.KeyMade:
    """Another key of your own, of an application of yours, or (as operator) of an organisation; shown this once."""
    subject = _subject(with_, caller, body.organisation, body.application)
    now, secret = time.time_ns(), keys.new_key(subject.role)
    expires = times.parse(body.expires) if body.expires else None
    if expires is not None and expires <= now:
        raise Refused("expires_in_the_past", "expires: expected a time that is still to come")
    scopes = frozenset(body.scopes) if body.scopes is not None else EVERYTHING
    key = Key(keys.new_id("key"), body.name, scopes, now, expires)
    if caller.key is None or not key.within(caller.key):
        raise forbidden("A key makes none that may do more than it may itself, or for longer.", "scope")
    with_.registry.keyring.add(subject, key, secret, caller)
    return credentials.KeyMade(**_shown(key).model_dump(), key=secret)


@router.get("")
def list_keys(
    caller: Known,
    with_: With,
    organisation: Annotated[
        forms.Id | None, Query(description="The operator says whose", examples=["air-lyon"])
    ] = None,
    application: Annotated[
        forms.Id | None, Query(description="Of an application of yours", examples=["smog-alert"])
    ] = None,
) -> list[credentials.KeyShown]:
    """Your keys, the oldest first; never a secret. `last_used` is to the minute."""
    return [_shown(one) for one in with_.registry.keyring.keys(_subject(with_, caller, organisation, application))]


@router.delete("/{key}", status_code=204)
def revoke_key(
    key: Annotated[forms.Id, Path(examples=["key-8c1f0a5d2b7e94c63f01"])], caller: Known, with_: With
) -> None:
    """Give a key up. When this answers it opens nothing; what streams under it ends within a second."""
    whose = _own(with_, caller, with_.registry.keyring.subject(key))
    with_.registry.keyring.end(whose, key, caller, time.time_ns())
    with_.noticed()


def _subject(with_: Services, caller: Caller, organisation: str | None, application: str | None) -> Caller:
    """Whose keys are meant, if the caller may have to do with them. Raises Problem, NotFound."""
    if organisation is not None:
        return _own(with_, caller, Caller("organisation", organisation))
    if application is not None:
        return _own(with_, caller, Caller("application", application))
    return Caller(caller.role, caller.id)


def _own(with_: Services, caller: Caller, subject: Caller) -> Caller:
    """The subject, if it calls itself, or it is an application of the caller's, or an organisation and the operator calls."""
    if subject.role == "application":
        own(subject.id, caller, with_)
    elif subject.role == "organisation" and caller.role == "operator":
        with_.registry.organisation(subject.id)
    elif (subject.role, subject.id) != (caller.role, caller.id):
        raise forbidden("These keys are another's.")
    return subject


def _shown(key: Key) -> credentials.KeyShown:
    return credentials.KeyShown(
        id=key.id,
        name=key.name,
        scopes=sorted(key.scopes),
        created=times.text(key.created),
        expires=times.text(key.expires) if key.expires is not None else None,
        last_used=times.text(key.last_used) if key.last_used is not None else None,
    )
