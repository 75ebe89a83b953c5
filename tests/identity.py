"""A small OpenID Connect provider, for what a good one never does: it signs with another key, for somebody else, or too late. Not for use elsewhere.

It lets everybody in, once, and asks for PKCE's verifier as RFC 7636 has it. Whoever it lets in is `claims`; `wrong` changes one thing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENT, SECRET = "mitoyen", "a secret: with signs/+"


class Provider:
    """`claims`: who comes. `wrong`: what its next token says otherwise, header and claims."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.claims: dict[str, Any] = {"sub": "u-1", "preferred_username": "ada"}
        self.wrong: Callable[[dict[str, Any], dict[str, Any]], None] | None = None
        self.configuration: dict[str, Any] = {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorise",
            "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/keys",
        }
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.signs_with = self.key
        self._codes: dict[str, dict[str, str]] = {}

    def authorise(self, query: dict[str, str]) -> str:
        """Where it sends them back to."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], login: str) -> dict[str, str] | None:
        """None: it is refused."""
        asked = self._codes.pop(form["code"], None)
        expected = base64.b64encode(f"{CLIENT}:{quote(SECRET, safe='')}".encode()).decode()
        if asked is None or login != f"Basic {expected}" or form["redirect_uri"] != asked["redirect_uri"]:
            return None
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return None
        now = int(time.time())
        header = {"alg": "RS256", "kid": "one"}
        claims = {"iss": self.url, "aud": CLIENT, "nonce": asked["nonce"], "iat": now, "exp": now + 300, **self.claims}
        if self.wrong is not None:
            self.wrong(header, claims)
        signed = jwt.encode(header, claims, self.signs_with, algorithms=[header["alg"]])
        return {"access_token": "none", "token_type": "Bearer", "id_token": signed}


@contextmanager
def provider() -> Iterator[Provider]:
    """One that answers on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.provider = Provider(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]  # its handlers find it there
    thread = threading.Thread(target=server.serve_forever, name="provider")
    thread.start()
    try:
        yield server.provider  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        its: Provider = self.server.provider  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path:
            case "/.well-known/openid-configuration":
                self._say(its.configuration)
            case "/keys":
                self._say(KeySet([its.key]).as_dict(private=False))
            case "/authorise":
                self.send_response(302)
                self.send_header("Location", its.authorise(query))
                self.end_headers()
            case _:
                self.send_error(404)

    def do_POST(self) -> None:
        its: Provider = self.server.provider  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        told = its.token(form, self.headers.get("Authorization", ""))
        if told is None:
            self.send_error(400)
        else:
            self._say(told)

    def _say(self, what: dict[str, Any]) -> None:
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is what failed."""
