"""The public record: to read, to take a copy that proves something, and the operator's one way to erase a text of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from api import forms
from api.paging import MOST, link_next
from api.services import Operator, Services, With
from broker.control import Sign
from broker.errors import Malformed
from broker.registry.checkpoint import Checkpoint

router = APIRouter(prefix="/api/v1/ledger", tags=["ledger"])

PIECE = 500  # entries that leave together: a quarter of a megabyte
NDJSON = "application/x-ndjson"
Limit = Annotated[int, Query(ge=1, le=MOST, examples=[1000])]
After = Annotated[int, Query(ge=0, le=2**53, description="The seq of the last one that you have", examples=[1])]


@router.get("", response_model=list[dict[str, Any]])
def read_ledger(
    request: Request,
    response: Response,
    with_: With,
    limit: Limit = 100,
    after: After = 0,
    format: Annotated[  # noqa: A002 - the interface's name
        Literal["json", "ndjson"] | None,
        Query(description="`ndjson`: the whole with its checkpoints, to keep and to verify", examples=["ndjson"]),
    ] = None,
) -> list[dict[str, Any]] | StreamingResponse:
    """The public record, oldest first. Each entry carries the hash of the one before."""
    if format == "ndjson" or (format is None and NDJSON in request.headers.get("accept", "")):
        if request.query_params.keys() & {"limit", "after"}:
            raise Malformed("limit and after: expected neither, since the export is whole")
        newest = _sign(with_)  # before the first byte, so that a broker which does not answer is told by the status
        return StreamingResponse(_export(with_, newest), media_type=NDJSON)
    entries = with_.registry.ledger(after, limit)
    if len(entries) == limit:
        link_next(request, response, after=str(after + limit))
    return [dict(entry) for entry in entries]


@router.get("/key")
def show_ledger_key(with_: With) -> forms.LedgerKey:
    """Who signs checkpoints. Keep it: with it an export proves who vouched for it."""
    return forms.LedgerKey(key=with_.registry.announced_key())


@router.get("/checkpoints")
def list_checkpoints(
    request: Request, response: Response, with_: With, limit: Limit = 100, after: After = 0
) -> list[forms.CheckpointShown]:
    """What was signed, oldest first: at the operator's interval, and whenever somebody asked."""
    found = with_.registry.checkpoints(after, limit=limit)
    if len(found) == limit:
        link_next(request, response, after=str(found[-1].seq))
    return [_shown(one) for one in found]


@router.post("/checkpoints", status_code=201)
def sign_checkpoint(with_: With) -> forms.CheckpointShown:
    """Sign the ledger as it is now; anyone may ask. If nothing was added since, the answer is the one that there is."""
    return _shown(_sign(with_))


@router.delete("/{seq}/texts/{field}", status_code=204)
def erase_text(
    seq: Annotated[int, Path(ge=1, le=2**53, examples=[3])],
    field: Annotated[forms.Id, Path(examples=["name"])],
    body: forms.Reason,
    _: Operator,
    with_: With,
) -> None:
    """Erase what somebody wrote (a name, a reason) from an entry. Its digest stays, so the chain holds; this act is on the record."""
    with_.registry.public_record.erase_text(seq, field, body.reason, time.time_ns())
    with_.changed()


def _export(with_: Services, newest: Checkpoint) -> Iterator[bytes]:
    """Everything up to a checkpoint that covers it, however much is added meanwhile: an erasure comes with its act."""
    after = 0
    while newest.seq > after:
        piece = []
        for line in with_.registry.whole_ledger(after, newest.seq):
            piece.append(msgspec.json.encode(line))
            if len(piece) == PIECE:
                yield b"\n".join([*piece, b""])
                piece = []
        yield b"\n".join([*piece, b""])
        after, newest = newest.seq, _sign(with_)


def _sign(with_: Services) -> Checkpoint:
    """Raises Unavailable."""
    return msgspec.json.decode(with_.control.call(Sign()), type=Checkpoint)


def _shown(one: Checkpoint) -> forms.CheckpointShown:
    return forms.CheckpointShown.model_validate(one.fields())
