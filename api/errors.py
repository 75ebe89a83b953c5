"""The one table from what went wrong to an HTTP status, as problem details (RFC 9457)."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from broker import errors
from broker.access import Denied

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
STATUS: Mapping[type[errors.MitoyenError], tuple[int, str]] = {
    errors.Malformed: (422, "Not what was expected"),
    errors.Refused: (422, "Refused by the rules"),
    errors.NotFound: (404, "Not found"),
    errors.Conflict: (409, "In conflict with what there is"),
    errors.StoreUnavailable: (503, "The store does not answer"),
    errors.Unavailable: (503, "A part of the broker does not answer"),
}


class Problem(Exception):
    """An answer that is no success, decided in this room."""

    def __init__(
        self, status: int, title: str, detail: str, reason: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.reason = reason
        self.headers = headers or {}


def unauthenticated() -> Problem:
    return Problem(401, "No valid key", "Send a valid key as `Authorization: Bearer KEY`.", "no_valid_key")


def forbidden(detail: str, reason: str = "not_yours") -> Problem:
    return Problem(403, "Not permitted", detail, reason)


def denied(decision: Denied) -> Problem:
    return forbidden(decision.detail, decision.reason)


def install(app: FastAPI) -> None:
    """Answer every error as a problem document."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(errors.MitoyenError, _mitoyen_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


def document(status: int, title: str, detail: str, **more: object) -> JSONResponse:
    """A problem document."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}  # noqa: PLR2004 - RFC 9110, 15.5.2
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def answer(problem: Problem) -> JSONResponse:
    """A problem as it is answered."""
    made = document(problem.status, problem.title, problem.detail, reason=problem.reason)
    made.headers.update(problem.headers)
    return made


def place_of(error: BaseException) -> str:
    """Where it was raised, for the log: its text may hold what was observed, or a key."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{at.filename}:{at.lineno}"


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return answer(error)


async def _mitoyen_error(_: Request, error: Exception) -> JSONResponse:
    status, title = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), (500, "Failed"))
    reason = {"reason": error.reason} if isinstance(error, errors.Refused) else {}
    return document(status, title, str(error), **reason)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [{"where": "/".join(str(part) for part in e["loc"]), "what": str(e["msg"])} for e in error.errors()]
    detail = "; ".join(f"{e['where']}: {e['what']}" for e in found)[:1000]
    return document(422, "Not what was expected", detail, reason="invalid", errors=found)


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return document(error.status_code, str(error.detail), str(error.detail))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.error("request_failed", path=request.url.path, reason=type(error).__name__, at=place_of(error))
    return document(500, "Failed", "This should not have happened; it was logged.")
