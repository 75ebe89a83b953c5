"""No two ways to a release ever disagree: Mosquitto's rules, HTTP and a model of the licence, over random histories.

Each history is a sequence of offers, agreements, requests, decisions, renewals, new terms, suspensions of agreements and of organisations,
revocations, withdrawals, use of quotas and steps of the clock, on a real registry and a real meter. After every step every application is asked for every offer in every way.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from api.errors import Problem
from api.limits import Limits
from api.services import Services
from broker import control, keys, times
from broker.authorisation import OPEN, Rule, policy
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

if TYPE_CHECKING:
    from pathlib import Path

    from broker.control import Control
    from broker.store.protocol import Store

HISTORIES, PARTS = 2_000, 4
OWNER, READERS = OrganisationId("owner"), (OrganisationId("reader-0"), OrganisationId("reader-1"))
APPLICATIONS = (ApplicationId("app-0"), ApplicationId("app-1"))
OFFERS = (OfferId("offer-0"), OfferId("offer-1"))
BEGIN = times.parse("2026-11-23T20:00:00Z")
PURPOSES = ("research", "sale")

which = st.sampled_from
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
    which([("any",), ("research",)]),
    st.none() | st.integers(1, 12),
    st.none() | st.integers(1, 5),
    st.booleans(),
)
any_terms = terms | st.builds(
    lambda expires: Terms("CC0-1.0", "", ("any",), access="open", expires=expires),
    st.none() | st.integers(1, 12).map(lambda hours: BEGIN + hours * times.HOUR),
)
step = st.one_of(
    st.tuples(st.just("offer"), which(OFFERS), any_terms),
    st.tuples(st.just("accept"), which(APPLICATIONS), which(OFFERS), which(PURPOSES)),
    st.tuples(st.just("decide"), which(APPLICATIONS), which(OFFERS), st.booleans()),
    st.tuples(st.just("renew"), which(APPLICATIONS), which(OFFERS)),
    st.tuples(st.just("change"), which(OFFERS), any_terms),
    st.tuples(st.just("pause"), which(APPLICATIONS), which(OFFERS), st.booleans()),
    st.tuples(st.just("revoke"), which(APPLICATIONS), which(OFFERS)),
    st.tuples(st.just("withdraw"), which(OFFERS)),
    st.tuples(st.just("suspend"), which((OWNER, *READERS)), st.booleans()),
    st.tuples(st.just("publish"), which(OFFERS), st.integers(1, 4)),
    st.tuples(st.just("read"), which(APPLICATIONS), which(OFFERS), st.integers(1, 4)),
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
        self.held: dict[tuple[str, str], Licence] = {}

    def reads(self, application: int, offer: str) -> bool:
        if offer not in self.offers or offer in self.gone or OWNER in self.suspended:
            return False
        if self.offers[offer].access == "open":
            return self.lives(self.offers[offer])
        held = self.held.get((APPLICATIONS[application], offer))
        if held is None or not held.granted or held.paused or READERS[application] in self.suspended:
            return False
        quota = held.terms.quota
        left = quota is None or quota.records is None or held.used[self.now // times.DAY] < quota.records
        return self.lives(held.terms) and held.terms.permits(held.purpose) and left

    def lives(self, terms: Terms) -> bool:
        return terms.expires is None or self.now < terms.expires


class World:
    """The product: registry, meter, and the ways in."""

    def __init__(self, home: Path) -> None:
        self.registry = Registry.in_home(home)
        self.meter = Meter(home / "meter")
        self.model = Model()
        self.services = Services(
            registry=self.registry,
            released=cast("Store", None),
            control=cast("Control", self),
            keeper_state=home,
            mqtt_host=None,
            listeners=(),
            silent_after=0,
            limits=Limits(1, 1, 1),
            clock=lambda: self.model.now,
        )
        self._numbers = iter(range(1_000_000))
        self._revision = -1
        self._offers: dict[str, Offer] = {}  # reading them is what takes time

    def call(self, what: object) -> msgspec.Raw:
        """The one call that deciding makes of the broker process."""
        assert isinstance(what, control.QuotaUsed)
        return msgspec.Raw(msgspec.json.encode(self.meter.used(self.model.now)))

    def agreement(self, application: str, offer: str) -> Agreement | None:
        found = self.registry.agreements_between(application, offer)
        return found[-1] if found else None

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
        holder = READERS[APPLICATIONS.index(application)]
        name = AgreementId(f"agreement-{next(self._numbers)}")
        if (application, offer) in self.model.held:
            return  # one at a time: several purposes at once are tried elsewhere
        self.registry.add_agreement(
            Agreement(name, offer, application, purpose, state, now, holder, found.terms, found.version)
        )
        self.model.held[application, offer] = Licence(found.terms, purpose, state == "active")

    def decide(self, application: ApplicationId, offer: OfferId, grant: bool) -> None:
        agreement = self.agreement(application, offer)
        if agreement is None:
            return
        try:
            self.registry.decide_request(agreement, None if grant else "a", None, self.model.now)
        except Conflict:
            return
        self.model.held[application, offer].granted = grant
        if not grant:
            del self.model.held[application, offer]

    def renew(self, application: ApplicationId, offer: OfferId) -> None:
        agreement = self.agreement(application, offer)
        if agreement is None or offer in self.model.gone:
            return
        found = self.registry.offer(offer)
        try:
            self.registry.renew_agreement(agreement, found, self.model.now)
        except Conflict:
            return
        self.model.held[application, offer].terms = found.terms

    def change(self, offer: OfferId, terms: Terms) -> None:
        if offer in self.model.offers and offer not in self.model.gone:
            self.registry.change_terms(self.registry.offer(offer), terms, self.model.now)
            self.model.offers[offer] = terms

    def pause(self, application: ApplicationId, offer: OfferId, pause: bool) -> None:
        agreement = self.agreement(application, offer)
        if agreement is None:
            return
        owner = Caller("organisation", OWNER)
        try:
            self.registry.suspend_agreement(agreement, owner, "because" if pause else None, self.model.now)
        except Conflict:
            return
        self.model.held[application, offer].paused = pause

    def revoke(self, application: ApplicationId, offer: OfferId) -> None:
        agreement = self.agreement(application, offer)
        owner = Caller("organisation", OWNER)
        if agreement and self.registry.revoke_agreement(agreement.id, owner, "because", self.model.now):
            self.model.held.pop((application, offer), None)

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
        for (_, of), held in self.model.held.items():
            if of == offer and held.granted and not held.paused:
                held.used[self.model.now // times.DAY] += records

    def read(self, application: ApplicationId, offer: OfferId, records: int) -> None:
        agreement = self.agreement(application, offer)
        held = self.model.held.get((application, offer))
        if agreement is not None and held is not None and held.granted:
            self.meter.delivered([Delivered(offer, agreement.id, records, records)])
            held.used[self.model.now // times.DAY] += records

    def wait(self, hours: int) -> None:
        self.model.now += hours * times.HOUR

    # --- the ways in

    def take(self, one: tuple[Any, ...]) -> None:
        getattr(self, one[0])(*one[1:])
        snapshot = self.registry.snapshot()
        if snapshot.revision != self._revision:
            self._revision, self._offers = snapshot.revision, {}
        self.meter.follow(snapshot, self.model.now)
        self.rules = policy(snapshot, self.model.now, self.meter.used(self.model.now))

    def over_mqtt(self, application: int, offer: str) -> bool:
        rules = self.rules
        username = f"application.{APPLICATIONS[application]}"
        mine = rules.roles[username] | rules.roles[OPEN]
        deliveries = {Rule("publishClientReceive", f"{of}/owner/{offer}/+") for of in ("live", "status")}
        assert deliveries <= mine or not deliveries & mine
        return deliveries <= mine and OPEN in rules.clients[username]

    def over_http(self, application: int, offer: str) -> bool:
        try:
            if offer not in self._offers:
                self._offers[offer] = self.registry.offer(offer)
            self.services.permit(Caller("application", APPLICATIONS[application]), self._offers[offer])
        except (Problem, NotFound):
            return False
        return True

    def close(self) -> None:
        self.registry.close()
        self.meter.close(self.model.now)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the organisations and applications, to be copied: migrating takes longer than a history."""
    home = tmp_path_factory.mktemp("template")
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
    return home


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.timeout(600)
def test_no_two_ways_to_a_release_disagree(
    part: int, template: Path, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    checked: Counter[str] = Counter()
    histories = st.tuples(st.tuples(st.just("offer"), st.just(OFFERS[0]), any_terms), st.lists(step, max_size=6))

    @seed(part)
    @settings(max_examples=HISTORIES // PARTS, deadline=None, database=None)
    @given(histories)
    def follow(history: tuple[tuple[Any, ...], list[tuple[Any, ...]]]) -> None:
        checked["histories"] += 1
        first, rest = history
        _follow([first, *rest], template, tmp_path / str(checked["histories"]), checked)

    follow()
    record_property("checked", json.dumps(checked))
    assert checked["steps"] > checked["histories"] >= HISTORIES // PARTS
    assert min(checked["permitted"], checked["denied"]) > checked["steps"] / 4


def _follow(history: list[tuple[Any, ...]], template: Path, home: Path, checked: Counter[str]) -> None:
    home.mkdir()
    shutil.copy(template / "registry.sqlite", home / "registry.sqlite")
    world = World(home)
    try:
        for one in history:
            world.take(one)
            checked["steps"] += 1
            for application in range(len(APPLICATIONS)):
                for offer in OFFERS:
                    expected = world.model.reads(application, offer)
                    assert world.over_mqtt(application, offer) == expected, (one, "MQTT")
                    asked = world.over_http(application, offer) and READERS[application] not in world.model.suspended
                    open_ = offer in world.model.offers and world.model.offers[offer].access == "open"
                    assert asked == (expected and (not open_ or READERS[application] not in world.model.suspended))
                    checked["permitted" if expected else "denied"] += 1
    finally:
        world.close()
        shutil.rmtree(home)
