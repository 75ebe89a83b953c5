"""Several Mosquittos as one: what is published goes to each where it is heard, and what is decided holds at each before it counts as done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from broker.audience import Audience
from broker.authority import Authority
from broker.consent import Consents
from broker.journal.protocol import Batch
from broker.keeper.news import LivePublisher
from broker.keeper.plan import Feed
from broker.model import Offer, OfferId
from broker.mqtt.connection import Account
from broker.outbound import Outbound
from broker.points import Point
from broker.registry.snapshot import Snapshot
from broker.routes import Routes
from broker.together import together


class Outbounds:
    """Each follows the journal by itself, so that one that is away delays no other; the journal is kept for the last."""

    def __init__(self, each: Sequence[Outbound]) -> None:
        self._each = each

    async def run(self, accounts: Sequence[Account]) -> None:
        await together(*(one.run(account) for one, account in zip(self._each, accounts, strict=True)))

    @property
    def places(self) -> dict[str, int]:
        """The last batch that was published and acknowledged whole, by name."""
        return {one.name: one.place for one in self._each}

    @property
    def place(self) -> int:
        """What all have published."""
        return min(one.place for one in self._each)

    @property
    def connected(self) -> bool:
        return all(one.connected for one in self._each)

    def offer(self, batch: Batch) -> None:
        for one in self._each:
            one.offer(batch)

    def offer_all(self, batches: list[Batch]) -> None:
        for batch in batches:
            self.offer(batch)

    def remember(self, stream: str, points: list[Point]) -> None:
        for one in self._each:
            one.remember(stream, points)

    def change(self, snapshot: Snapshot, routes: Routes, consents: Consents) -> None:
        """Publish from now on as the registry says, whose `routes` these are."""
        heard = snapshot.heard(len(self._each)) if len(self._each) > 1 else {}
        for number, one in enumerate(self._each):
            one.consents = consents
            one.change(routes.at(number, heard, snapshot.offers.values()) if heard else routes)

    def grow(self, snapshot: Snapshot, routes: Routes, added: Sequence[Offer], consents: Consents) -> None:
        """The same where these offers are all that is new."""
        if len(self._each) > 1:
            self.change(snapshot, routes, consents)
        else:
            self._each[0].consents = consents
            self._each[0].grow(routes, added)

    def take_back(self) -> None:
        for one in self._each:
            one.take_back()


class Authorities:
    """A revocation is done when it holds at each; while one can't be reached, it is not."""

    def __init__(self, each: Sequence[Authority]) -> None:
        self._each = each

    async def run(self, accounts: Sequence[Account]) -> None:
        await asyncio.gather(*(one.run(account) for one, account in zip(self._each, accounts, strict=True)))

    @property
    def ready(self) -> bool:
        return all(one.ready.is_set() for one in self._each)

    async def apply(self, snapshot: Snapshot, passwords: Mapping[str, str]) -> None:
        """Raises Unavailable where one could not be told; it learns it when it is back, and the others hold to it already."""
        told = await asyncio.gather(*(one.apply(snapshot, passwords) for one in self._each), return_exceptions=True)
        for error in told:
            if error is not None:
                raise error


class Publishers:
    """Windows, published to each where they are heard, and states to each."""

    def __init__(self, each: Sequence[LivePublisher]) -> None:
        self._each = each
        self._heard: Mapping[OfferId, Audience] = {}

    def follow(self, snapshot: Snapshot) -> frozenset[OfferId]:
        """Publish from now on as the registry says; answers with the offers that are heard at a Mosquitto where they were not."""
        if len(self._each) == 1:
            return frozenset()
        before, self._heard = self._heard, snapshot.heard(len(self._each))
        for name, now in self._heard.items():
            for number in before.get(name, now).edges - now.edges:
                self._take_back(number, snapshot.offers[name])
        return frozenset(
            offer for offer, now in self._heard.items() if offer in before and now.edges - before[offer].edges
        )

    def _take_back(self, mosquitto: int, offer: Offer) -> None:
        """What windows retain where nobody hears them any more: whoever takes back the rest may have done so before the last was published."""
        if not offer.profile.at_once and not offer.profile.by_cell:
            for release in offer.releases:
                self._each[mosquitto].tell(offer.topic(release), b"")

    def publish(self, feed: Feed, points: list[Point]) -> None:
        for number, one in enumerate(self._each):
            shown_by = tuple(shown for shown in feed.shown_by if self._hears(number, shown.offer.id))
            if shown_by:
                one.publish(replace(feed, shown_by=shown_by), points)

    def _hears(self, mosquitto: int, offer: OfferId) -> bool:
        of = self._heard.get(offer)
        return len(self._each) == 1 or (of is not None and mosquitto in of.edges)

    def tell(self, topic: str, payload: bytes) -> bool:
        told = [one.tell(topic, payload) for one in self._each]  # to all, though one is away
        return all(told)

    def wants_retained(self) -> bool:
        wants = [one.wants_retained() for one in self._each]  # all, for each says it once
        return any(wants)

    def forward(self) -> None:
        for one in self._each:
            one.forward()
