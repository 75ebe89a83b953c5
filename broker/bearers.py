"""What bearers of tags and their issuers ask: codes, consents, withdrawals, and what is held of a tag. Blocking.

It runs in the broker, so that the process which serves the public holds neither the key of the tags' hashes nor raw reads. A wrong
code, a code that was used up, and a tag that nobody ever heard of get the same answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypedDict

from broker import times
from broker.errors import Malformed, Refused
from broker.model import Consent
from broker.privacy import tags
from broker.registry.registry import Registry
from broker.store.protocol import Store
from broker.store.reads import reads_of

FIRST_CODE_LASTS = 30 * times.DAY  # by letter, and a month to answer
NEXT_CODE_LASTS = 3_660 * times.DAY  # whoever consented can withdraw without asking anybody
MOST_READS = 10_000  # of one export


class Code(TypedDict):
    """A code, shown once, and until when it is good."""

    code: str
    expires: str


class Held(TypedDict):
    """What is held of a tag."""

    consents: list[dict[str, str]]
    reads: list[dict[str, object]]
    complete: bool
    code: str


class Bearers:
    """`now` is always ns since 1970. `canonical`: every spelling of an EPC -> its URI, or Malformed."""

    def __init__(self, registry: Registry, key: bytes, canonical: Callable[[str], str]) -> None:
        self.hash_of = tags.hasher(key)
        self._registry = registry
        self._key = key
        self._canonical = canonical

    def issue(self, organisation: str, spelling: str, now: int) -> Code:
        """A code for the bearer of a tag that this organisation gave out. Raises Refused."""
        epc = self._epc(spelling)
        tag, code = self.hash_of(epc), _new_code()
        expires = now + FIRST_CODE_LASTS
        self._registry.issue_code(organisation, epc, tag, tags.code_hash(self._key, tag, code), expires)
        return {"code": tags.spelt(code), "expires": times.text(expires)}

    def give(self, spelling: str, code: str, purposes: list[str], now: int) -> str:
        """Consent to these purposes; returns the next code. Raises Refused."""
        tag, given, code, kept = self._codes(spelling, code)
        if not self._registry.give_consent(tag, given, purposes, kept, now + NEXT_CODE_LASTS, now):
            raise _wrong()
        return code

    def withdraw(self, spelling: str, code: str, *, erase: bool, now: int) -> str:
        """Take all consents back; returns the next code. Raises Refused."""
        tag, given, code, kept = self._codes(spelling, code)
        until = now + NEXT_CODE_LASTS
        if not self._registry.withdraw_consent(tag, given, erase=erase, next_code=kept, expires=until, now=now):
            raise _wrong()
        return code

    def held(self, spelling: str, code: str, raw: Store, now: int) -> Held:
        """What is held of a tag: consents, and raw reads, the oldest first. Raises Refused."""
        tag, given, code, kept = self._codes(spelling, code)
        consents = self._registry.consents_of(tag, given, kept, now + NEXT_CODE_LASTS, now)
        if consents is None:
            raise _wrong()
        reads: list[dict[str, object]] = []
        for datastream in self._registry.snapshot().datastreams:
            if datastream.kind == "rfid":
                for found in reads_of(raw, datastream.stream, lambda epc: self.hash_of(epc) == tag):
                    about = {"organisation": datastream.organisation, "datastream": datastream.id}
                    reads += [{**about, "time": times.text(read.time), "record": read.extra} for read in found]
        shown = [_said(one) for one in consents]
        return {"consents": shown, "reads": reads[:MOST_READS], "complete": len(reads) <= MOST_READS, "code": code}

    def _codes(self, spelling: str, code: str) -> tuple[str, str, str, str]:
        """The tag's hash, the given code's, the next code and its hash."""
        tag, following = self.hash_of(self._epc(spelling)), _new_code()
        hashes = (tags.code_hash(self._key, tag, one) for one in (code, following))
        return tag, next(hashes), tags.spelt(following), next(hashes)

    def _epc(self, spelling: str) -> str:
        try:
            return self._canonical(spelling)
        except Malformed as error:
            raise Refused("no_epc", f"tag: {error}") from error


def _new_code() -> str:
    return "".join(secrets.choice(tags.ALPHABET) for _ in range(tags.CODE_LENGTH))


def _wrong() -> Refused:
    return Refused(
        "code_wrong", "the code is not this tag's, or was used, or tried too often: ask who gave you the tag"
    )


def _said(consent: Consent) -> dict[str, str]:
    said = {"purpose": consent.purpose, "given": times.text(consent.given)}
    return said if consent.withdrawn is None else {**said, "withdrawn": times.text(consent.withdrawn)}
