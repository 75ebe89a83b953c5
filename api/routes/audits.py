"""Audits: what attacks would make of an offer, before it is made. The broker has them run by a process of its own."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter

from api.errors import Problem
from api.figures import AttackShown, AuditShown, NewAudit
from api.services import OfOrganisation, With
from broker import control, times
from broker.errors import Refused
from broker.privacy import suitability
from broker.registry.reading import PROFILE

router = APIRouter(prefix="/api/v1/audits", tags=["offers"])

_REFUSED = {
    "audit_running": (
        409,
        "In conflict with what there is",
        "An audit runs already: one at a time, of half a minute at most.",
    ),
    "too_many_audits": (429, "Too many", "At most 20 audits an hour: wait a little."),
}


@router.post("")
def audit(body: NewAudit, caller: OfOrganisation, with_: With) -> AuditShown:
    """What would a curious reader make of datastreams of yours under this profile? Plays the attacks of `docs/privacy.md` on what it would show of the last days.

    One at a time, 25 s and 50,000 records at most, 20 an hour. A share is of five or more, or not told. That you looked at personal data is on the ledger.
    """
    if len(set(body.datastreams)) < len(body.datastreams):
        raise Refused("datastream_twice", "datastreams: name each once")
    suitability.check(body.profile, [with_.registry.datastream(caller.id, name) for name in body.datastreams])
    profile = PROFILE.dump_json(body.profile).decode()
    asked = control.Audit(caller.id, body.datastreams, profile, body.purposes, body.days)
    found = msgspec.json.decode(with_.control.call(asked, control.AUDIT_S), type=control.Audited)
    if found.refused in _REFUSED:
        raise Problem(*_REFUSED[found.refused], reason=found.refused)
    if found.refused:
        raise Refused(found.refused, found.detail)
    return AuditShown(
        attacks=[AttackShown(**msgspec.structs.asdict(one)) for one in found.attacks],
        detail=found.detail,
        start=times.text(found.start) if found.attacks else None,
        end=times.text(found.end) if found.attacks else None,
        complete=found.complete,
    )
