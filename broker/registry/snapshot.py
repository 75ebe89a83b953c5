"""The registry's state at one moment, as the broker works with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.model import (
    Agreement,
    Application,
    ApplicationId,
    Datastream,
    Gateway,
    Notice,
    Offer,
    OfferId,
    OrganisationId,
)


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
    notices: tuple[Notice, ...] = ()
    """Those that stand."""
    withdrawn: tuple[Offer, ...] = ()
    """What nobody may read any more, and is to be forgotten."""
    deleted: tuple[Datastream, ...] = ()
    """Likewise."""

    def agreements_of(self, application: ApplicationId) -> tuple[Agreement, ...]:
        return self.agreements.get(application, ())

    def next_change(self, now: int) -> int | None:
        """When (ns) something begins or ends by itself next: an expiry, a quota's period, a notice; or None."""
        agreements = [one for of in self.agreements.values() for one in of]
        moments = [offer.terms.expires for offer in self.offers.values()]
        moments += [agreement.terms.expires for agreement in agreements]
        moments += [agreement.terms.quota.period(now)[1] for agreement in agreements if agreement.terms.quota]
        moments += [notice.until for notice in self.notices]
        return min((moment for moment in moments if moment is not None and moment > now), default=None)
