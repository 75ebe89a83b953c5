"""Who is signed in to the portal: a cookie that no script reads, for a key that the browser does not keep.

A session opens what its key opens, for as long as the key lives, and no longer than LIFE. It is kept in this process's memory alone:
after a restart one signs in again. What changes anything has to carry the session's CSRF token as well, which no other site can read.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from fastapi import Request, Response

from broker import keys

COOKIE = "mitoyen_session"
CSRF = "Mitoyen-Csrf"
LIFE_S = 12 * 3600  # a working day
MOST = 10_000  # that are kept, some 5 MB; whoever signed in first is forgotten first


@dataclass(frozen=True, slots=True)
class Session:
    key_hash: str
    """Of the key that was shown."""
    csrf: str = field(repr=False)
    expires: float
    """In seconds since 1970."""


class Sessions:
    """Belongs to the process; dictionaries are safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Session] = OrderedDict()

    def begin(self, key: str) -> tuple[str, Session]:
        """Returns what the cookie says, of which a hash is kept, and the session."""
        token = secrets.token_urlsafe(32)
        session = Session(keys.key_hash(key), secrets.token_urlsafe(24), time.time() + LIFE_S)
        self._kept[keys.key_hash(token)] = session
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return token, session

    def of(self, request: Request) -> Session | None:
        """The session that a request shows, if it still is one."""
        token = request.cookies.get(COOKIE)
        found = self._kept.get(keys.key_hash(token)) if token else None
        return found if found is not None and found.expires > time.time() else None

    def end(self, request: Request) -> None:
        token = request.cookies.get(COOKIE)
        if token:
            self._kept.pop(keys.key_hash(token), None)


def proves(request: Request, session: Session) -> bool:
    """Whether a change was asked for by the portal itself."""
    return hmac.compare_digest(request.headers.get(CSRF, "").encode(), session.csrf.encode())


def give(response: Response, token: str, *, secure: bool) -> None:
    """The cookie: to this origin alone, never to a script, never with a request that another site made."""
    response.set_cookie(COOKIE, token, max_age=LIFE_S, httponly=True, samesite="strict", secure=secure, path="/")
