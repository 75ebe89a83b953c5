"""The registry's state at one moment, as the broker works with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.model import Agreement, Application, ApplicationId, Datastream, Gateway, Offer, OfferId, OrganisationId


@dataclass(frozen=True, slots=True)
class Snapshot:
    revision: int
    """Grows with every change."""
    gateways: tuple[Gateway, ...] = ()
    datastreams: tuple[Datastream, ...] = ()
    applications: tuple[Application, ...] = ()
    offers: Mapping[OfferId, Offer] = field(default_factory=dict)
    agreements: Mapping[ApplicationId, tuple[Agreement, ...]] = field(default_factory=dict)
    """Those that are active, by application."""
    suspended: frozenset[OrganisationId] = frozenset()
    withdrawn: tuple[Offer, ...] = ()
    """What nobody may read any more, and is to be forgotten."""
    deleted: tuple[Datastream, ...] = ()
    """Likewise."""

    def agreements_of(self, application: ApplicationId) -> tuple[Agreement, ...]:
        return self.agreements.get(application, ())

    def next_expiry(self, now: int) -> int | None:
        """When (ns) the next offer ends by itself, or None."""
        return min(
            (o.terms.expires for o in self.offers.values() if (o.terms.expires or 0) > now and o.terms.expires),
            default=None,
        )
