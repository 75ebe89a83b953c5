"""At which of several Mosquittos what an offer releases is published: where somebody may hear it, and nowhere else. Pure.

It decides what is carried, not who may read: that is `broker/access.py`'s, whose rules every Mosquitto has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from broker.model import Agreement, Offer, OfferId
from broker.partition import spread


class Audience(NamedTuple):
    """Where an offer is heard, as numbers of Mosquittos."""

    home: int
    """Its owner's, where it is always published: HTTP hears it there, and what is published is counted there, so once."""
    edges: frozenset[int]
    """All, that one among them."""


def audience(offer: Offer, agreements: Iterable[Agreement], edges: int) -> Audience:
    """Of an offer and those agreements on it that are active, among so many Mosquittos.

    An application logs in at its organisation's alone. What needs no agreement may be read by any, so it is published at all.
    """
    home = spread(offer.organisation, edges)
    if offer.terms.access == "open":
        return Audience(home, frozenset(range(edges)))
    return Audience(home, frozenset({home, *(spread(one.holder, edges) for one in agreements)}))


def audiences(offers: Mapping[OfferId, Offer], agreements: Iterable[Agreement], edges: int) -> dict[OfferId, Audience]:
    """Of each of these offers."""
    on: dict[OfferId, list[Agreement]] = {}
    for one in agreements:
        on.setdefault(one.offer, []).append(one)
    return {name: audience(offer, on.get(name, ()), edges) for name, offer in offers.items()}
