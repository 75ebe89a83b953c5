"""The one decision: may an application read an offer's releases now? Pure.

The MQTT rules, the history and every stream follow `permit`, so they cannot disagree. When in doubt it refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from broker.model import Agreement, Offer


@dataclass(frozen=True, slots=True)
class Permitted:
    until: int | None
    """ns since 1970, exclusive; None: until something changes."""


@dataclass(frozen=True, slots=True)
class Denied:
    reason: str
    """A code for programs."""
    detail: str
    """A sentence for people."""


Decision: TypeAlias = Permitted | Denied


def permit(offer: Offer, agreement: Agreement | None, now: int) -> Decision:
    """Whether what `offer` releases may be read at `now` (ns since 1970) under `agreement`.

    `agreement` is the reader's on this offer, or None if it has none (or is nobody).
    """
    denied = _of_offer(offer, now)
    if denied is None and offer.terms.access != "open":
        denied = _of_agreement(offer, agreement)
    return denied or Permitted(offer.terms.expires)


def _of_offer(offer: Offer, now: int) -> Denied | None:
    if offer.withdrawn is not None:
        return Denied("offer_withdrawn", f"The offer {offer.id} was withdrawn.")
    if offer.suspended:
        return Denied("organisation_suspended", f"The organisation {offer.organisation} is suspended.")
    if offer.terms.expires is not None and now >= offer.terms.expires:
        return Denied("offer_expired", f"The offer {offer.id} has expired.")
    return None


def _of_agreement(offer: Offer, agreement: Agreement | None) -> Denied | None:
    if agreement is None:
        return Denied("no_agreement", f"No agreement covers the offer {offer.id}: accept it first.")
    if agreement.offer != offer.id:
        return Denied("other_offer", f"The agreement {agreement.id} is on another offer.")
    if agreement.state != "active":
        return Denied(f"agreement_{agreement.state}", f"The agreement {agreement.id} was {agreement.state}.")
    if agreement.suspended:
        return Denied("organisation_suspended", f"The organisation {agreement.holder} is suspended.")
    if not offer.terms.permits(agreement.purpose):
        return Denied("purpose_not_permitted", f"The offer {offer.id} does not permit {agreement.purpose}.")
    return None
