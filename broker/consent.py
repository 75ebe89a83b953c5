"""Whose tags may be shown by name, for which purposes, and since when. Pure.

Guarantee: a read of a tag that its owner did not declare as a thing is in a per-person release of an offer only if, for every
purpose p that the offer permits, its bearer consented to p or to any, and that before the read was made and before it arrived:

    shown(r) => for all p: there is a consent c with c.purpose in {p, any}, c.given <= min(r.time, r.arrived), not withdrawn

A consent that was withdrawn covers nothing from then on, whenever it was read. Assumes that the issuer of a tag hands its code to the
one who bears it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from broker.model import Consent


@dataclass(frozen=True, slots=True)
class Consents:
    """All that stand, at one moment."""

    by_tag: Mapping[str, tuple[Consent, ...]]
    """By the tag's hash."""
    purposes: Mapping[str, frozenset[str]]
    """Of each offer: what it permits, or permitted to those who accepted it then."""
    hash_of: Callable[[str], str]
    """A tag's hash."""

    def covers(self, offer: str, tag: str, since: int) -> bool:
        """Whether a read of `tag` that was made and arrived at `since` (ns) or later may be shown in this offer."""
        if not self.by_tag:
            return False
        given = {one.purpose for one in self.by_tag.get(self.hash_of(tag), ()) if one.given <= since}
        wanted = self.purposes.get(offer)
        return wanted is not None and ("any" in given or wanted <= given)

    def names(self, tag: str) -> bool:
        """Whether a tag may be shown in any offer."""
        return bool(self.by_tag) and self.hash_of(tag) in self.by_tag


NONE = Consents({}, {}, str)
"""Nobody consented."""
