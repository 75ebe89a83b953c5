"""Notices: what applications are told about their agreements."""

from __future__ import annotations

import time

from fastapi import APIRouter

from api import consumers, forms
from api.errors import forbidden
from api.services import Known, With, speaks_for
from broker import message
from broker.errors import NotFound

router = APIRouter(prefix="/api/v1/notices", tags=["agreements"])


@router.get("")
def list_notices(caller: Known, with_: With) -> list[consumers.NoticeShown]:
    """What stands for your applications, the oldest first; also retained on `notices/{application}`."""
    if caller.role == "operator":
        raise forbidden("The operator is no party of an agreement: look at the ledger.")
    return [consumers.NoticeShown(**message.notice(one)) for one in with_.registry.notices(caller)]


@router.delete("/{notice}", status_code=204)
def dismiss_notice(notice: forms.ANotice, caller: Known, with_: With) -> None:
    """Take one down that was read."""
    found = next((one for one in with_.registry.notices() if one.id == notice), None)
    if found is None:
        raise NotFound(f"there is no notice {notice}")
    if not speaks_for(caller, found.application, with_.registry.application(found.application).organisation):
        raise forbidden(f"The notice {notice} is another's.")
    with_.registry.end_notice(notice, time.time_ns())
    with_.changed()
