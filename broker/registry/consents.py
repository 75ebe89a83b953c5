"""Consents of bearers, and the one-time codes by which they speak. A tag is its keyed hash; see `broker/privacy/tags.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, distinct, insert, select, update
from sqlalchemy.sql.functions import count

from broker import times
from broker.errors import Conflict, Refused
from broker.model import Consent
from broker.registry import tables as t
from broker.registry.reader import RegistryReader
from broker.registry.reading import consents
from broker.registry.record import record

DAYS_BACK = 31  # how long the broker may have been away without the record of consents getting a gap
ATTEMPTS = 5
"""A code that was tried this often is worth nothing: mistyped once or twice, never guessed."""


class ConsentBook(RegistryReader):
    """`now` is always ns since 1970. Who consents has no account: a code from the tag's issuer is all that speaks for it."""

    def issue_code(self, organisation: str, epc: str, tag: str, code: str, expires: int) -> None:
        """Let this code (a hash) speak once for a tag, in place of any other. Raises Refused for another's tag."""
        with self._database.changing() as c:
            prefixes = c.execute(select(t.issuers.c.prefix).where(t.issuers.c.organisation == organisation)).scalars()
            if not epc.startswith(tuple(prefixes)):
                raise Refused(
                    "not_the_issuer", f"tag: the operator did not name {organisation} as the issuer of such tags"
                )
            _keep_code(c, tag, code, expires)

    def give_consent(
        self, tag: str, code: str, purposes: Iterable[str], next_code: str, expires: int, now: int
    ) -> bool:
        """Consent to these purposes from now on; whether the code was right."""
        with self._database.changing() as c:
            if not _use_code(c, tag, code, now):
                return False
            standing = {one.purpose for one in consents(c, t.consents.c.tag == tag, t.consents.c.withdrawn.is_(None))}
            for purpose in set(purposes) - standing:
                c.execute(insert(t.consents).values(tag=tag, purpose=purpose, given=now))
            _keep_code(c, tag, next_code, expires)
            return True

    def withdraw_consent(self, tag: str, code: str, *, erase: bool, next_code: str, expires: int, now: int) -> bool:
        """End all consents of a tag, and ask for what was read to be erased if wanted; whether the code was right."""
        with self._database.changing() as c:
            if not _use_code(c, tag, code, now):
                return False
            standing = (t.consents.c.tag == tag) & t.consents.c.withdrawn.is_(None)
            c.execute(update(t.consents).where(standing).values(withdrawn=now))
            if erase:
                c.execute(insert(t.erasures).values(tag=tag, asked=now))
            _keep_code(c, tag, next_code, expires)
            return True

    def consents_of(self, tag: str, code: str, next_code: str, expires: int, now: int) -> list[Consent] | None:
        """All that a tag's bearer ever gave; None if the code was wrong."""
        with self._database.changing() as c:
            if not _use_code(c, tag, code, now):
                return None
            _keep_code(c, tag, next_code, expires)
            return consents(c, t.consents.c.tag == tag)

    def name_issuer(self, organisation: str, prefixes: Sequence[str], now: int) -> None:
        """Say which tags an organisation gave out, in place of what was said before. Raises NotFound, and Conflict where another did."""
        self.organisation(organisation)
        with self._database.changing() as c:
            others = c.execute(select(t.issuers).where(t.issuers.c.organisation != organisation)).all()
            for other in others:
                if any(other.prefix.startswith(one) or one.startswith(other.prefix) for one in prefixes):
                    raise Conflict(f"tags that begin with {other.prefix} are {other.organisation}'s")
            c.execute(t.issuers.delete().where(t.issuers.c.organisation == organisation))
            for prefix in prefixes:
                c.execute(insert(t.issuers).values(prefix=prefix, organisation=organisation))
            record(c, now, "issuer_named", by="operator", organisation=organisation, prefixes=list(prefixes))

    def record_consents(self, now: int) -> None:
        """Put on the record, once, how many tags' consent was given and withdrawn in each of the last days that are over."""
        today = now - now % times.DAY
        with self._database.reading() as c:
            known = set(c.execute(select(t.consent_days.c.day)).scalars())
        missing = [day for n in range(DAYS_BACK, 0, -1) if times.text(day := today - n * times.DAY)[:10] not in known]
        if not missing:
            return
        with self._database.changing() as c:
            for day in missing:
                c.execute(insert(t.consent_days).values(day=times.text(day)[:10]))
                given, withdrawn = (
                    c.execute(
                        select(count(distinct(t.consents.c.tag))).where(of >= day, of < day + times.DAY)
                    ).scalar_one()
                    for of in (t.consents.c.given, t.consents.c.withdrawn)
                )
                if given or withdrawn:
                    record(c, now, "consents_of_day", day=times.text(day)[:10], given=given, withdrawn=withdrawn)


def _use_code(connection: Connection, tag: str, code: str, now: int) -> bool:
    """Whether a code is right and still good; either way it is used. A wrong one takes an attempt from the right one."""
    kept = connection.execute(select(t.consent_codes).where(t.consent_codes.c.tag == tag)).first()
    if kept is None:
        return False
    right = kept.code == code and kept.expires > now and kept.attempts > 0
    connection.execute(
        update(t.consent_codes)
        .where(t.consent_codes.c.tag == tag)
        .values(attempts=0 if right else max(kept.attempts - 1, 0))
    )
    return bool(right)


def _keep_code(connection: Connection, tag: str, code: str, expires: int) -> None:
    connection.execute(t.consent_codes.delete().where(t.consent_codes.c.tag == tag))
    connection.execute(insert(t.consent_codes).values(tag=tag, code=code, expires=expires, attempts=ATTEMPTS))
