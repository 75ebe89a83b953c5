"""The one decision, and the rules of Mosquitto that follow from it."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times, topics
from broker.access import NOTHING, Denied, Permitted, Used, chosen, permit
from broker.authorisation import OPEN, OWN_ROLES, THINGS, Policy, Rule, changes, document, policy
from broker.licence import Quota, Terms
from broker.model import (
    Agreement,
    AgreementId,
    AgreementState,
    Application,
    ApplicationId,
    Gateway,
    MqttAccount,
    Offer,
    OfferId,
    OrganisationId,
)
from broker.privacy.profile import Profile
from broker.registry.snapshot import Snapshot

HOLDER = OrganisationId("p")
TERMS = Terms("CC-BY-4.0", "us", ("research",))


def offer(terms: Terms = TERMS, name: str = "offer") -> Offer:
    return Offer(OfferId(name), OrganisationId("o"), Profile("raw", ()), terms, (), 0)


def agreement(
    purpose: str = "research", state: AgreementState = "active", of: str = "offer", terms: Terms = TERMS
) -> Agreement:
    return Agreement(AgreementId("a"), OfferId(of), ApplicationId("app"), purpose, state, 0, HOLDER, terms)


@pytest.mark.parametrize(
    ("terms", "agreed", "reason"),
    [
        (TERMS, None, "no_agreement"),
        (TERMS, agreement(state="revoked"), "agreement_revoked"),
        (TERMS, agreement(state="suspended"), "agreement_suspended"),
        (TERMS, agreement(purpose="sale"), "purpose_not_permitted"),
        (TERMS, agreement(of="another"), "other_offer"),
        (TERMS, dataclasses.replace(agreement(), suspended=True), "organisation_suspended"),
        (TERMS, agreement(state="requested"), "agreement_requested"),
        (TERMS, agreement(terms=dataclasses.replace(TERMS, expires=100)), "agreement_expired"),
        (TERMS, agreement(terms=dataclasses.replace(TERMS, quota=Quota("day", records=0))), "quota_exhausted"),
        (TERMS, agreement(terms=dataclasses.replace(TERMS, quota=Quota("day", bytes=0))), "quota_exhausted"),
        (dataclasses.replace(TERMS, expires=100, access="open"), None, "offer_expired"),
    ],
)
def test_each_refusal_has_its_reason(terms: Terms, agreed: Agreement | None, reason: str) -> None:
    decision = permit(offer(terms), agreed, 100)
    assert isinstance(decision, Denied)
    assert decision.reason == reason


@pytest.mark.parametrize("access", ["click", "open"])
@pytest.mark.parametrize(
    ("change", "reason"), [({"withdrawn": 1}, "offer_withdrawn"), ({"suspended": True}, "organisation_suspended")]
)
def test_what_its_owner_no_longer_offers_nobody_reads(
    access: Literal["click", "open"], change: dict[str, Any], reason: str
) -> None:
    no_longer = dataclasses.replace(offer(dataclasses.replace(TERMS, access=access)), **change)
    decision = permit(no_longer, agreement(), 0)
    assert isinstance(decision, Denied)
    assert decision.reason == reason


@given(
    st.builds(
        Terms,
        st.just("CC0-1.0"),
        st.just(""),
        st.sampled_from([("any",), ("a",), ("a", "b")]),
        access=st.sampled_from(["click", "open"]),
        expires=st.none() | st.integers(0, 20),
    ),
    st.none()
    | st.builds(
        agreement, st.sampled_from("abc"), st.sampled_from(["active", "revoked"]), st.sampled_from(["offer", "x"])
    ),
    st.integers(0, 20),
)
def test_what_is_permitted_is_permitted_until_it_says_and_never_longer(
    terms: Terms, agreed: Agreement | None, now: int
) -> None:
    agreed = agreed and dataclasses.replace(agreed, terms=terms)
    decision = permit(offer(terms), agreed, now)
    if isinstance(decision, Denied):
        return
    assert decision.until is None or now < decision.until
    for later in range(now, 25):
        still = isinstance(permit(offer(terms), agreed, later), Permitted)
        assert still == (decision.until is None or later < decision.until)
    assert terms.access == "open" or (
        agreed is not None and agreed.state == "active" and agreed.offer == "offer" and terms.permits(agreed.purpose)
    )


def account(name: str) -> MqttAccount:
    return MqttAccount(name, "hash", "salt", 101)


def snapshot(*offers: Offer, agreements: tuple[Agreement, ...] = ()) -> Snapshot:
    return Snapshot(
        revision=1,
        gateways=(Gateway(OrganisationId("o"), "g", "g", "json", (account("gateway.o.g"),)),),
        datastreams=(),
        applications=(Application(ApplicationId("app"), OrganisationId("p"), "app", (account("application.app"),)),),
        offers={one.id: one for one in offers},
        agreements={ApplicationId("app"): agreements},
    )


def test_one_agreement_is_one_rule_and_what_is_open_needs_none() -> None:
    open_offer = offer(dataclasses.replace(TERMS, access="open"), "open-offer")
    wanted = policy(snapshot(offer(), open_offer, agreements=(agreement(),)), 0, {})
    assert wanted.roles["application.app"] == {
        Rule("subscribePattern", "live/#"),
        Rule("subscribePattern", "status/#"),
        Rule("publishClientReceive", "live/o/offer/+"),
        Rule("publishClientReceive", "status/o/offer/+"),
        Rule("publishClientReceive", "status/p/+"),
        Rule("subscribeLiteral", "notices/app"),
        Rule("publishClientReceive", "notices/app"),
    }
    assert wanted.roles[OPEN] - THINGS == {
        Rule("publishClientReceive", "live/o/open-offer/+"),
        Rule("publishClientReceive", "status/o/open-offer/+"),
    }
    assert wanted.clients["application.app"] == {"application.app", OPEN}


def test_every_login_of_a_role_may_the_same_and_a_suspension_is_of_all() -> None:
    before = snapshot()
    two = (account("gateway.o.g"), account("gateway.o.g.2"))
    later = dataclasses.replace(before, gateways=(dataclasses.replace(before.gateways[0], accounts=two),))
    wanted = policy(later, 0, {})
    assert wanted.roles == policy(before, 0, {}).roles
    assert wanted.clients["gateway.o.g"] == wanted.clients["gateway.o.g.2"] == {"gateway.o.g"}
    created, *others = changes(policy(before, 0, {}), wanted, {"gateway.o.g.2": "secret"})
    assert (created["command"], created["username"], others) == ("createClient", "gateway.o.g.2", [])
    assert changes(wanted, policy(before, 0, {}), {}) == [{"command": "deleteClient", "username": "gateway.o.g.2"}]
    still = policy(dataclasses.replace(later, suspended=frozenset({OrganisationId("o")})), 0, {})
    assert still.disabled == {"gateway.o.g", "gateway.o.g.2"}


def test_a_gateway_publishes_below_its_own_topic_and_hears_its_receipts() -> None:
    assert policy(snapshot(), 0, {}).roles["gateway.o.g"] == {
        Rule("publishClientSend", "in/o/g/#"),
        Rule("publishClientSend", "frame/o/g/#"),
        Rule("subscribeLiteral", "ack/o/g"),
        Rule("publishClientReceive", "ack/o/g"),
    }


@given(st.integers(0, 20), st.none() | st.integers(0, 20), st.sampled_from(["active", "revoked"]))
def test_mosquitto_follows_the_decision(now: int, expires: int | None, state: AgreementState) -> None:
    terms = dataclasses.replace(TERMS, expires=expires)
    agreed = agreement(state=state, terms=terms)
    rules = policy(snapshot(offer(terms), agreements=(agreed,)), now, {}).roles["application.app"]
    permitted = isinstance(permit(offer(terms), agreed, now), Permitted)
    assert (Rule("publishClientReceive", "live/o/offer/+") in rules) == permitted


def test_nobody_but_mitoyens_own_clients_comes_near_system_and_control_topics() -> None:
    roles = policy(snapshot(offer(), agreements=(agreement(),)), 0, {}).roles
    for name, rules in roles.items():
        for rule in rules:
            if rule.topic.startswith("$"):
                assert name == "mitoyen.control"
            if rule.topic in (topics.EVERY_INPUT, topics.EVERY_RECEIPT):
                assert name in OWN_ROLES


def test_the_file_denies_what_is_not_named() -> None:
    wanted = policy(snapshot(), 0, {})
    made = document(wanted, [account(name) for name in wanted.clients])
    assert made["defaultACLAccess"] == {
        "publishClientSend": False,
        "publishClientReceive": False,
        "subscribe": False,
        "unsubscribe": True,
    }


names = st.sampled_from(["a", "b", "c"])
policies = st.builds(
    Policy,
    st.dictionaries(
        names, st.frozensets(st.builds(Rule, st.just("publishClientReceive"), st.sampled_from(["x", "y"])), max_size=2)
    ),
    st.dictionaries(names, st.just(frozenset({"a"}))),
)


@given(policies, policies)
def test_changes_lead_from_any_policy_to_any_other(now: Policy, wanted: Policy) -> None:
    roles, clients = dict(now.roles), dict(now.clients)
    for command in changes(now, wanted, dict.fromkeys(wanted.clients, "password")):
        match command:
            case {"command": "createRole" | "modifyRole" as what, "rolename": str(name), "acls": list(acls)}:
                assert (name in roles) == (what == "modifyRole")
                roles[name] = frozenset(Rule(acl["acltype"], acl["topic"]) for acl in acls)
            case {"command": "deleteRole", "rolename": str(name)}:
                del roles[name]
            case {"command": "createClient", "username": str(name), "roles": list(given_roles)}:
                clients[name] = frozenset(role["rolename"] for role in given_roles)
            case {"command": "deleteClient", "username": str(name)}:
                del clients[name]
    assert (roles, clients.keys()) == (wanted.roles, wanted.clients.keys())


@given(policies, policies)
def test_who_may_do_less_than_before_is_disconnected_where_that_is_asked_for(now: Policy, wanted: Policy) -> None:
    told = changes(now, wanted, dict.fromkeys(wanted.clients, "password"), disconnecting=True)
    plain = changes(now, wanted, dict.fromkeys(wanted.clients, "password"))
    less = now.roles.get("a", frozenset()) - wanted.roles.get("a", frozenset())
    narrowed = sorted(now.clients.keys() & wanted.clients.keys()) if less else []
    assert told[: len(plain)] == plain, "after the rules are as they should be"
    assert told[len(plain) :] == [
        {"command": what, "username": name} for name in narrowed for what in ("disableClient", "enableClient")
    ]


@given(policies)
def test_a_client_whose_password_is_unknown_is_not_made(wanted: Policy) -> None:
    assert not [c for c in changes(Policy({}, {}), wanted, {}) if c["command"] == "createClient"]


def test_an_agreement_keeps_the_terms_that_were_agreed_to() -> None:
    stricter = offer(dataclasses.replace(TERMS, purposes=("teaching",), expires=5))
    assert permit(stricter, agreement(), 100) == Permitted(None)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20), st.none() | st.integers(1, 20))
def test_a_quota_leaves_what_was_not_used_and_ends_when_nothing_is_left(
    records: int, size: int, most_records: int, most_bytes: int | None
) -> None:
    quota = Quota("month", most_records, most_bytes)
    decision = permit(offer(), agreement(terms=dataclasses.replace(TERMS, quota=quota)), 0, Used(records, size))
    over = records >= most_records or (most_bytes is not None and size >= most_bytes)
    if over:
        assert isinstance(decision, Denied)
    else:
        left = Quota("month", most_records - records, None if most_bytes is None else most_bytes - size)
        assert decision == Permitted(None, left)


@pytest.mark.parametrize(
    ("per", "now", "begin", "end"),
    [
        ("day", "2026-11-23T23:59:59.999999999Z", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
        ("day", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"),
        ("month", "2026-12-31T12:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("month", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
    ],
)
def test_a_quotas_period_is_the_calendars(per: Literal["day", "month"], now: str, begin: str, end: str) -> None:
    assert Quota(per, 1).period(times.parse(now)) == (times.parse(begin), times.parse(end))


@given(st.lists(st.tuples(st.sampled_from(["active", "revoked"]), st.none() | st.integers(0, 5)), max_size=4))
def test_of_several_agreements_one_that_permits_is_read_under(held: list[tuple[AgreementState, int | None]]) -> None:
    several = [agreement(state=state, terms=dataclasses.replace(TERMS, expires=expires)) for state, expires in held]
    under = chosen(offer(), several, 3, lambda _: NOTHING)
    any_permits = any(isinstance(permit(offer(), one, 3), Permitted) for one in several)
    assert isinstance(permit(offer(), under, 3), Permitted) == any_permits
    assert (under is None) == (not several)
