"""The registry's state at one moment, as the broker works with it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from broker.audience import Audience, audiences
from broker.consent import Consents
from broker.model import (
    Agreement,
    Application,
    ApplicationId,
    Consent,
    Datastream,
    Gateway,
    Notice,
    Offer,
    OfferId,
    OrganisationId,
)
from broker.partition import Partitions, spread


class Added(NamedTuple):
    """What is new."""

    datastreams: tuple[Datastream, ...]
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    revision: int
    """Grows with every change."""
    grown: int = 0
    """How many revisions ago all of it was read. Since then datastreams and offers were added, each behind those that were there, and nothing
    else changed.
    """
    gateways: tuple[Gateway, ...] = ()
    datastreams: tuple[Datastream, ...] = ()
    applications: tuple[Application, ...] = ()
    offers: Mapping[OfferId, Offer] = field(default_factory=dict)
    agreements: Mapping[ApplicationId, tuple[Agreement, ...]] = field(default_factory=dict)
    """Those that are active, by application."""
    paused: tuple[Agreement, ...] = ()
    """Those that are suspended, by the owners of their offers."""
    suspended: frozenset[OrganisationId] = frozenset()
    notices: tuple[Notice, ...] = ()
    """Those that stand."""
    withdrawn: tuple[Offer, ...] = ()
    """What nobody may read any more, and is to be forgotten."""
    deleted: tuple[Datastream, ...] = ()
    """Likewise."""
    consents: Mapping[str, tuple[Consent, ...]] = field(default_factory=dict)
    """Those that stand, by the tag's hash."""
    erasures: tuple[tuple[str, int], ...] = ()
    """(the tag's hash, when it was asked for), the oldest first."""
    partitions: Partitions = field(default_factory=Partitions)

    def part(self, partition: int) -> Snapshot:
        """The same as if the organisations of this partition were all there are; tags' consents and erasures are everyone's."""
        if self.partitions.count == 1:
            return self

        def ours(one: Gateway | Datastream | Application | Offer) -> bool:
            return self.partitions.of(one.organisation) == partition

        offers = {offer.id: offer for offer in self.offers.values() if ours(offer)}
        applications = tuple(filter(ours, self.applications))
        names = {application.id for application in applications}
        agreements = {
            application: own
            for application, of in self.agreements.items()
            if (own := tuple(one for one in of if one.offer in offers))
        }
        return replace(
            self,
            gateways=tuple(filter(ours, self.gateways)),
            datastreams=tuple(filter(ours, self.datastreams)),
            applications=applications,
            offers=offers,
            agreements=agreements,
            paused=tuple(one for one in self.paused if one.offer in offers),
            notices=tuple(notice for notice in self.notices if notice.application in names),
            withdrawn=tuple(filter(ours, self.withdrawn)),
            deleted=tuple(filter(ours, self.deleted)),
        )

    @property
    def whole(self) -> int:
        """The revision at which all of it was read."""
        return self.revision - self.grown

    def added_to(self, before: Snapshot) -> Added | None:
        """What it has and `before` has not, where they differ in nothing else; None where they may."""
        if not self.whole <= before.revision <= self.revision:
            return None
        offers = islice(self.offers.values(), len(before.offers), None)
        return Added(self.datastreams[len(before.datastreams) :], tuple(offers))

    def at(self, mosquitto: int, of: int) -> Snapshot:
        """The same as one of so many Mosquittos is told it: with those applications alone whose organisation is placed there."""
        if of == 1:
            return self
        told = tuple(one for one in self.applications if spread(one.organisation, of) == mosquitto)
        return replace(self, applications=told)

    def heard(self, mosquittos: int) -> dict[OfferId, Audience]:
        """At which of so many Mosquittos each offer is published."""
        return audiences(self.offers, (one for of in self.agreements.values() for one in of), mosquittos)

    def consented(self, hash_of: Callable[[str], str]) -> Consents:
        """Whose tags may be shown, and for what each offer is used."""
        purposes = {offer.id: set(offer.terms.purposes) for offer in self.offers.values()}
        for agreement in (one for of in self.agreements.values() for one in of):
            if agreement.offer in purposes:  # one that was agreed to on other terms than the present
                purposes[agreement.offer].add(agreement.purpose)
        return Consents(self.consents, {offer: frozenset(of) for offer, of in purposes.items()}, hash_of)

    def agreements_of(self, application: ApplicationId) -> tuple[Agreement, ...]:
        return self.agreements.get(application, ())

    def next_change(self, now: int) -> int | None:
        """When (ns) something begins or ends by itself next: an expiry, a quota's period, a notice; or None."""
        agreements = [one for of in self.agreements.values() for one in of]
        moments = [offer.terms.expires for offer in self.offers.values()]
        moments += [agreement.terms.expires for agreement in (*agreements, *self.paused)]
        moments += [agreement.terms.quota.period(now)[1] for agreement in agreements if agreement.terms.quota]
        moments += [notice.until for notice in self.notices]
        return min((moment for moment in moments if moment is not None and moment > now), default=None)
