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
    if offer.terms.expires is not None and now >= offer.terms.expires:
        return Denied("offer_expired", f"The offer {offer.id} has expired.")
    if offer.terms.access == "open":
        return Permitted(offer.terms.expires)
    if agreement is None:
        return Denied("no_agreement", f"No agreement covers the offer {offer.id}: accept it first.")
    if agreement.offer != offer.id:
        return Denied("other_offer", f"The agreement {agreement.id} is on another offer.")
    if agreement.state != "active":
        return Denied(f"agreement_{agreement.state}", f"The agreement {agreement.id} was {agreement.state}.")
    if not offer.terms.permits(agreement.purpose):
        return Denied("purpose_not_permitted", f"The offer {offer.id} does not permit {agreement.purpose}.")
    return Permitted(offer.terms.expires)
