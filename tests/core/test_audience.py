"""Where what an offer releases is published, and who is let in where, among several Mosquittos."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from broker.access import Permitted, permit
from broker.audience import Audience, audience
from broker.authorisation import policy
from broker.everywhere import Publishers
from broker.keeper.plan import Feed, compile_plan
from broker.licence import Terms
from broker.model import (
    Agreement,
    AgreementId,
    Application,
    ApplicationId,
    Datastream,
    Gateway,
    MqttAccount,
    Offer,
    OfferId,
    OrganisationId,
    Release,
    ReleaseId,
)
from broker.partition import spread
from broker.points import Point
from broker.privacy.profile import Aggregate, Profile
from broker.registry.snapshot import Snapshot
from broker.routes import compile_routes

TERMS = Terms("CC-BY-4.0", "us", ("any",))
DATASTREAM = Datastream(OrganisationId("owner"), "d", "g", "measurement")
ACCOUNT = MqttAccount("application.reader", "", "", 1)
names = st.text("abcdefghij", min_size=1, max_size=8)


def offer(owner: str, *, access: Literal["click", "open"] = "click", name: str = "offer") -> Offer:
    datastream = replace(DATASTREAM, organisation=OrganisationId(owner))
    release = Release(ReleaseId(f"{name}-d"), OfferId(name), datastream, datastream.stream)
    return Offer(OfferId(name), OrganisationId(owner), Profile("raw", ()), replace(TERMS, access=access), (release,), 0)


def agreement(holder: str, of: str = "offer") -> Agreement:
    application = ApplicationId(f"{holder}-app")
    name = AgreementId(f"{holder}-{of}")
    return Agreement(name, OfferId(of), application, "any", "active", 0, OrganisationId(holder), TERMS)


class Retaining:
    """Of one Mosquitto: what it retains of what keepers publish and take back."""

    def __init__(self) -> None:
        self.retained: set[str] = set()

    def publish(self, feed: Feed, points: list[Point]) -> None:
        self.retained |= {shown.topic(point) for shown in feed.shown_by for point in points}

    def tell(self, topic: str, payload: bytes) -> bool:
        assert not payload
        self.retained.discard(topic)
        return True

    def wants_retained(self) -> bool:
        return False

    def forward(self) -> None: ...


def snapshot(offers: list[Offer], agreements: list[Agreement]) -> Snapshot:
    applications = {
        one.application: Application(
            one.application, one.holder, "", (replace(ACCOUNT, username=f"application.{one.application}"),)
        )
        for one in agreements
    }
    return Snapshot(
        1,
        gateways=tuple(Gateway(one.organisation, "g", "", "json", ()) for one in offers),
        datastreams=tuple(release.datastream for one in offers for release in one.releases),
        applications=tuple(applications.values()),
        offers={one.id: one for one in offers},
        agreements={name: tuple(one for one in agreements if one.application == name) for name in applications},
    )


@given(names, st.lists(names, unique=True), st.integers(1, 9))
def test_whoever_may_read_an_offer_is_let_in_where_it_is_published(owner: str, holders: list[str], count: int) -> None:
    known = snapshot([offer(owner)], [agreement(one) for one in holders])
    heard = known.heard(count)[OfferId("offer")]
    let_in: set[str] = set()
    for mosquitto in range(count):
        told = policy(known.at(mosquitto, count), 0, {})
        readers = {name for name in told.clients if name.startswith("application.")}
        assert not readers or mosquitto in heard.edges
        assert not readers & let_in, "each at one alone"
        let_in |= readers
    assert let_in == {f"application.{one}-app" for one in holders}
    assert heard.edges == {spread(owner, count), *(spread(one, count) for one in holders)}


@given(names, st.integers(1, 9))
def test_what_anyone_may_read_is_published_everywhere(owner: str, count: int) -> None:
    public = offer(owner, access="open")
    assert isinstance(permit(public, None, 0), Permitted)
    assert audience(public, (), count) == Audience(spread(owner, count), frozenset(range(count)))


@given(st.lists(names, unique=True, min_size=1, max_size=5), st.data())
def test_each_release_is_published_where_it_is_heard_counted_once_and_cleared_elsewhere(
    owners: list[str], data: st.DataObject
) -> None:
    count = data.draw(st.integers(2, 5))
    offers = [offer(one, name=f"of-{one}", access=data.draw(st.sampled_from(["open", "click"]))) for one in owners]
    agreements = [
        agreement(holder, one.id) for one in offers for holder in data.draw(st.lists(names, unique=True, max_size=3))
    ]
    known = snapshot(offers, agreements)
    heard, routes = known.heard(count), compile_routes(known, {"json": None})  # type: ignore[dict-item]  # nothing is decoded
    told = [routes.at(number, heard, offers) for number in range(count)]
    for one in offers:
        topic = one.topic(one.releases[0])
        outlets = [
            (number, outlet)
            for number, at in enumerate(told)
            for route in at.by_topic.values()
            for outlet in route.outlets
            if outlet.offer == one
        ]
        assert {number for number, _ in outlets} == heard[one.id].edges
        assert [number for number, outlet in outlets if outlet.counted] == [heard[one.id].home]
        assert {number for number, at in enumerate(told) if topic in at.withdrawn} == set(range(count)) - heard[
            one.id
        ].edges


@given(st.lists(st.lists(names, unique=True, max_size=3), min_size=1, max_size=6), st.integers(2, 5))
def test_no_window_stays_retained_where_nobody_hears_it_any_more_though_its_last_was_published_before_that_was_known(
    holders: list[list[str]], count: int
) -> None:
    windows = Profile("minutes", (Aggregate("aggregate", "PT1M", ("mean",)),))
    counted = replace(offer("owner"), profile=windows)
    mosquittos = [Retaining() for _ in range(count)]
    publishers = Publishers(mosquittos)
    for number, agreed in enumerate(holders):
        known = snapshot([counted], [agreement(one) for one in agreed])
        publishers.follow(known)
        heard = known.heard(count)[counted.id].edges
        assert {at for at, one in enumerate(mosquittos) if one.retained} <= heard
        (feed,) = compile_plan(known).by_stream.values()
        publishers.publish(feed, [Point(number, 1.0)])
        assert {at for at, one in enumerate(mosquittos) if one.retained} == heard
