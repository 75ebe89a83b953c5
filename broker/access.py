"""The one decision: may an application read an offer's releases now? Pure.

The MQTT rules, the history and every stream follow `permit`, so they cannot disagree. When in doubt it refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from broker.licence import Quota
from broker.model import Agreement, Offer


class Used(NamedTuple):
    """What an agreement was delivered in its quota's present period, or may still be."""

    records: int = 0
    bytes: int = 0


NOTHING = Used()


@dataclass(frozen=True, slots=True)
class Permitted:
    until: int | None
    """ns since 1970, exclusive; None: until something changes."""
    remaining: Quota | None = None
    """What the quota leaves; None: there is none."""


@dataclass(frozen=True, slots=True)
class Denied:
    reason: str
    """A code for programs."""
    detail: str
    """A sentence for people."""


Decision: TypeAlias = Permitted | Denied


def permit(offer: Offer, agreement: Agreement | None, now: int, used: Used = NOTHING) -> Decision:
    """Whether what `offer` releases may be read at `now` (ns since 1970) under `agreement`.

    `agreement` is the reader's on this offer, or None if it has none (or is nobody); `used`, what it was delivered in the
    period of its quota that `now` falls in.
    """
    if offer.withdrawn is not None:
        return Denied("offer_withdrawn", f"The offer {offer.id} was withdrawn.")
    if offer.suspended:
        return Denied("organisation_suspended", f"The organisation {offer.organisation} is suspended.")
    if offer.terms.access == "open":
        if offer.terms.expires is not None and now >= offer.terms.expires:
            return Denied("offer_expired", f"The offer {offer.id} has expired.")
        return Permitted(offer.terms.expires)
    if agreement is None:
        return Denied("no_agreement", f"No agreement covers the offer {offer.id}: accept it first.")
    return _under(agreement, offer, now, used)


def chosen(
    offer: Offer, agreements: Sequence[Agreement], now: int, used: Callable[[Agreement], Used]
) -> Agreement | None:
    """Which of an application's agreements on an offer, the oldest first, it reads under: one that permits it, else the newest.

    It may have several, each for a purpose; one that ended takes nothing from another.
    """
    permitting = (one for one in agreements if isinstance(permit(offer, one, now, used(one)), Permitted))
    return next(permitting, agreements[-1] if agreements else None)


def _under(agreement: Agreement, offer: Offer, now: int, used: Used) -> Decision:
    terms, quota = agreement.terms, agreement.terms.quota
    if agreement.offer != offer.id:
        return Denied("other_offer", f"The agreement {agreement.id} is on another offer.")
    if agreement.state != "active":
        return Denied(f"agreement_{agreement.state}", f"The agreement {agreement.id} is {agreement.state}.")
    if agreement.suspended:
        return Denied("organisation_suspended", f"The organisation {agreement.holder} is suspended.")
    if terms.expires is not None and now >= terms.expires:
        return Denied("agreement_expired", f"The agreement {agreement.id} has expired.")
    if not terms.permits(agreement.purpose):
        return Denied("purpose_not_permitted", f"The offer {offer.id} does not permit {agreement.purpose}.")
    if quota is None:
        return Permitted(terms.expires)
    left = remaining(quota, used)
    if 0 in (left.records, left.bytes):
        return Denied("quota_exhausted", f"The agreement {agreement.id} has had its quota of this {quota.per}.")
    return Permitted(terms.expires, left)


def remaining(quota: Quota, used: Used) -> Quota:
    """What a quota leaves, never below nothing."""
    records = None if quota.records is None else max(0, quota.records - used.records)
    size = None if quota.bytes is None else max(0, quota.bytes - used.bytes)
    return Quota(quota.per, records, size)
