"""What is answered to a call, and how whoever asked reads it: one JSON object, whatever carries it."""

from __future__ import annotations

import msgspec
import structlog

from broker.control import Call, Serve
from broker.errors import LeaseLost, MitoyenError, Refused, Unavailable

log = structlog.get_logger()


class _Reply(msgspec.Struct):
    answer: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None
    refused: tuple[str, str] | None = None
    """Reason and detail, where the rules say no."""


async def replied(asked: bytes, answer: Serve) -> bytes | None:
    """What to reply to a call; None where it is for another to reply, who has the lease by now."""
    try:
        called = msgspec.json.decode(asked, type=Call)
        reply = _Reply(msgspec.Raw(msgspec.json.encode(await answer(called))))
    except Refused as refused:
        reply = _Reply(refused=(refused.reason, refused.detail))
    except LeaseLost as error:
        log.warning("control_call_left_to_another", reason=str(error))
        return None
    except (MitoyenError, msgspec.DecodeError, TimeoutError) as error:
        log.warning("control_call_failed", reason=str(error))
        reply = _Reply(error=str(error) or type(error).__name__)
    return msgspec.json.encode(reply)


def answer_of(reply: bytes) -> msgspec.Raw:
    """The answer's JSON. Raises Unavailable, where there is none, and Refused."""
    try:
        read = msgspec.json.decode(reply, type=_Reply)
    except msgspec.DecodeError as error:
        raise Unavailable(f"the broker does not answer: {error}") from error
    if read.refused is not None:
        raise Refused(*read.refused)
    if read.error is not None:
        raise Unavailable(f"the broker could not do it: {read.error}")
    return read.answer
