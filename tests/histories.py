"""Random histories of licences on a real registry and a real meter, beside a model that says who may read.

Each is a sequence of offers, agreements, requests, decisions, renewals, new terms, revocations, withdrawals, suspensions, use of
quotas and steps of the clock. An application may have an agreement for each of two purposes on one offer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from broker import keys, times
from broker.errors import Conflict, NotFound
from broker.licence import Quota, Terms
from broker.meter import Delivered, Meter
from broker.model import (
    Agreement,
    AgreementId,
    Application,
    ApplicationId,
    Caller,
    Datastream,
    Gateway,
    Offer,
    OfferId,
    Organisation,
    OrganisationId,
    Release,
    ReleaseId,
)
from broker.privacy.profile import Profile
from broker.registry.registry import Registry
from broker.tables.sqlite import SqliteTables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Engine

T = TypeVar("T")

OWNER, READERS = OrganisationId("owner"), (OrganisationId("reader-0"), OrganisationId("reader-1"))
APPLICATIONS = (ApplicationId("app-0"), ApplicationId("app-1"))
HOLDERS = dict(zip(map(str, APPLICATIONS), READERS, strict=True))
OFFERS = (OfferId("offer-0"), OfferId("offer-1"))
BEGIN = times.parse("2026-11-23T20:00:00Z")
PURPOSES = ("research", "sale")

_ENGINES: list[Engine] = []
"""The first world's, whose compiled statements all others use: to compile each anew takes longer than a history."""

which = st.sampled_from


def mostly(of: Sequence[T]) -> st.SearchStrategy[T]:
    """The first in most steps: what befalls one and the same thing is where the ways could differ."""
    return which((*[of[0]] * 3, *of))


terms = st.builds(
    lambda purposes, expires, records, manual: Terms(
        "CC0-1.0",
        "",
        purposes,
        expires=None if expires is None else BEGIN + expires * times.HOUR,
        quota=None if records is None else Quota("day", records=records),
        approval="manual" if manual else "automatic",
        criteria=("a",) if manual else (),
    ),
    mostly([("any",), ("research",)]),
    st.none() | st.integers(1, 12),
    st.none() | st.integers(1, 5),
    mostly([False, True]),
)
any_terms = terms | st.builds(
    lambda expires: Terms("CC0-1.0", "", ("any",), access="open", expires=expires),
    st.none() | st.integers(1, 12).map(lambda hours: BEGIN + hours * times.HOUR),
)
both = [("accept", APPLICATIONS[0], OFFERS[0], purpose) for purpose in PURPOSES]
begin = st.tuples(st.tuples(st.just("offer"), st.just(OFFERS[0]), any_terms), which([(), both])).map(
    lambda begun: [begun[0], *begun[1]]
)
"""An offer, in half of all histories with an agreement for each purpose."""
step = st.one_of(
    st.tuples(st.just("offer"), mostly(OFFERS), any_terms),
    *4 * [st.tuples(st.just("accept"), mostly(APPLICATIONS), mostly(OFFERS), which(PURPOSES))],
    st.tuples(st.just("decide"), mostly(APPLICATIONS), mostly(OFFERS), which(PURPOSES), st.booleans()),
    st.tuples(st.just("renew"), mostly(APPLICATIONS), mostly(OFFERS), which(PURPOSES)),
    st.tuples(st.just("change"), mostly(OFFERS), any_terms),
    st.tuples(st.just("revoke"), mostly(APPLICATIONS), mostly(OFFERS), which(PURPOSES)),
    st.tuples(st.just("pause"), mostly(APPLICATIONS), mostly(OFFERS), which(PURPOSES), st.booleans()),
    st.tuples(st.just("withdraw"), mostly(OFFERS[::-1])),
    st.tuples(st.just("suspend"), mostly((*READERS[::-1], OWNER)), which((True, False, False))),
    st.tuples(st.just("publish"), mostly(OFFERS), st.integers(1, 4)),
    st.tuples(st.just("read"), mostly(APPLICATIONS), mostly(OFFERS), which(PURPOSES), st.integers(1, 4)),
    st.tuples(st.just("wait"), st.integers(1, 5)),
)


@dataclass
class Licence:
    """What the model knows of one agreement."""

    terms: Terms
    purpose: str
    granted: bool
    paused: bool = False
    used: dict[int, int] = field(default_factory=Counter)
    """Records by day."""


class Model:
    """The licence as anyone would explain it, written down apart from the product."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.offers: dict[str, Terms] = {}
        self.gone: set[str] = set()
        self.suspended: set[str] = set()
        self.held: dict[tuple[str, str, str], Licence] = {}
        """By application, offer and purpose."""

    def reads(self, application: str, offer: str) -> bool:
        """Whether it may now."""
        if offer not in self.offers or offer in self.gone or OWNER in self.suspended:
            return False
        if self.offers[offer].access == "open":
            return self.lives(self.offers[offer])
        held = [one for (who, what, _), one in self.held.items() if (who, what) == (application, offer)]
        return HOLDERS[application] not in self.suspended and any(map(self.grants, held))

    def grants(self, held: Licence) -> bool:
        quota = held.terms.quota
        left = quota is None or quota.records is None or held.used[self.now // times.DAY] < quota.records
        return held.granted and not held.paused and self.lives(held.terms) and held.terms.permits(held.purpose) and left

    def lives(self, terms: Terms) -> bool:
        return terms.expires is None or self.now < terms.expires


class World:
    """A registry and a meter in a folder, and what the model says of them."""

    def __init__(self, home: Path) -> None:
        self.registry = Registry.in_home(home)
        _compiled_once(self.registry._database.engine)
        self.meter = Meter(SqliteTables(home / "meter"))
        self.model = Model()
        self._numbers = iter(range(1_000_000))

    def take(self, step: tuple[Any, ...]) -> None:
        getattr(self, step[0])(*step[1:])

    def close(self) -> None:
        self.registry.close()
        self.meter.close(self.model.now)

    def agreement(self, application: str, offer: str, purpose: str) -> Agreement | None:
        """The newest for this purpose."""
        found = self.registry.agreements_between(application, offer)
        return next((one for one in reversed(found) if one.purpose == purpose), None)

    # --- steps

    def offer(self, offer: OfferId, terms: Terms) -> None:
        if offer in self.model.offers:
            return
        datastream = Datastream(OWNER, "d", "g", "measurement")
        release = Release(ReleaseId(f"{offer}-d"), offer, datastream, f"owner/d/{offer}")
        self.registry.add_offer(Offer(offer, OWNER, Profile("raw", ()), terms, (release,), self.model.now))
        self.model.offers[offer] = terms

    def accept(self, application: ApplicationId, offer: OfferId, purpose: str) -> None:
        if offer not in self.model.offers or offer in self.model.gone:
            return
        now, found = self.model.now, self.registry.offer(offer)
        if not found.terms.permits(purpose) or not self.model.lives(found.terms):
            return
        state = "requested" if found.terms.approval == "manual" else "active"
        name = AgreementId(f"agreement-{next(self._numbers)}")
        held = [one for (who, what, _), one in self.model.held.items() if (who, what) == (application, offer)]
        if (application, offer, purpose) in self.model.held or any(one.paused for one in held):
            return
        holder = HOLDERS[application]
        self.registry.add_agreement(
            Agreement(name, offer, application, purpose, state, now, holder, found.terms, found.version)
        )
        self.model.held[application, offer, purpose] = Licence(found.terms, purpose, state == "active")

    def decide(self, application: ApplicationId, offer: OfferId, purpose: str, grant: bool) -> None:
        agreement = self.agreement(application, offer, purpose)
        if agreement is None:
            return
        try:
            self.registry.decide_request(agreement, None if grant else "a", None, self.model.now)
        except Conflict:
            return
        self.model.held[application, offer, purpose].granted = grant
        if not grant:
            del self.model.held[application, offer, purpose]

    def renew(self, application: ApplicationId, offer: OfferId, purpose: str) -> None:
        agreement = self.agreement(application, offer, purpose)
        if agreement is None or offer in self.model.gone:
            return
        found = self.registry.offer(offer)
        try:
            self.registry.renew_agreement(agreement, found, self.model.now)
        except Conflict:
            return
        self.model.held[application, offer, purpose].terms = found.terms

    def change(self, offer: OfferId, terms: Terms) -> None:
        if offer in self.model.offers and offer not in self.model.gone:
            self.registry.change_terms(self.registry.offer(offer), terms, self.model.now)
            self.model.offers[offer] = terms

    def revoke(self, application: ApplicationId, offer: OfferId, purpose: str) -> None:
        agreement = self.agreement(application, offer, purpose)
        owner = Caller("organisation", OWNER)
        if agreement and self.registry.revoke_agreement(agreement.id, owner, "because", self.model.now):
            self.model.held.pop((application, offer, purpose), None)

    def pause(self, application: ApplicationId, offer: OfferId, purpose: str, pause: bool) -> None:
        agreement = self.agreement(application, offer, purpose)
        if agreement is None:
            return
        owner = Caller("organisation", OWNER)
        try:
            self.registry.suspend_agreement(agreement, owner, "because" if pause else None, self.model.now)
        except Conflict:
            return
        self.model.held[application, offer, purpose].paused = pause

    def withdraw(self, offer: OfferId) -> None:
        try:
            self.registry.withdraw_offer(offer, Caller("organisation", OWNER), "because", self.model.now)
        except NotFound:
            return
        self.model.gone.add(offer)
        self.model.held = {key: held for key, held in self.model.held.items() if key[1] != offer}

    def suspend(self, organisation: OrganisationId, suspend: bool) -> None:
        if suspend == (organisation in self.model.suspended):
            return
        self.registry.suspend_organisation(organisation, "because" if suspend else None, self.model.now)
        self.model.suspended ^= {organisation}

    def publish(self, offer: OfferId, records: int) -> None:
        self.meter.published(offer, records, records)
        for (_, of, _), held in self.model.held.items():
            if of == offer and held.granted and not held.paused:
                held.used[self.model.now // times.DAY] += records

    def read(self, application: ApplicationId, offer: OfferId, purpose: str, records: int) -> None:
        agreement = self.agreement(application, offer, purpose)
        held = self.model.held.get((application, offer, purpose))
        if agreement is not None and held is not None and held.granted and not held.paused:
            self.meter.delivered([Delivered(offer, agreement.id, records, records)])
            held.used[self.model.now // times.DAY] += records

    def wait(self, hours: int) -> None:
        self.model.now += hours * times.HOUR


def _compiled_once(engine: Engine) -> None:
    _ENGINES[1:] = []
    _ENGINES.append(engine)
    engine.dialect, engine._compiled_cache = _ENGINES[0].dialect, _ENGINES[0]._compiled_cache


def template(home: Path) -> None:
    """Make a home with the organisations and applications, to be copied: migrating takes longer than a history."""
    registry = Registry.in_home(home)
    registry.migrate()
    for organisation in (OWNER, *READERS):
        registry.add_organisation(Organisation(organisation, organisation), f"key of {organisation}", 0)
    registry.add_gateway(Gateway(OWNER, "g", "g", "json", (keys.account("g", "p"),)), 0)
    registry.add_datastream(Datastream(OWNER, "d", "g", "measurement"), 0)
    for application, holder in zip(APPLICATIONS, READERS, strict=True):
        account = keys.account(f"application.{application}", "p")
        registry.add_application(Application(application, holder, application, (account,)), f"key of {application}", 0)
    with registry._database.engine.begin() as connection:
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    registry.close()
