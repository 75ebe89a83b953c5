"""What every registry promises, on each database that may hold it."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.remembered import Remembered
from broker import keys
from broker.errors import Conflict, NotFound, Refused, Unavailable
from broker.licence import Terms
from broker.model import (
    EVERYTHING,
    Agreement,
    AgreementId,
    Application,
    ApplicationId,
    Caller,
    Datastream,
    Gateway,
    Key,
    Offer,
    OfferId,
    Organisation,
    OrganisationId,
    Origin,
    Release,
    ReleaseId,
)
from broker.place import Place
from broker.privacy.profile import Aggregate, Profile, Pseudonymise
from broker.proceedings import Answer, DataRequest, Dispute, Ruling
from broker.registry.audit import Holds, verify
from broker.registry.checkpoint import public
from broker.registry.keyring import MOST
from broker.registry.reading import Page
from broker.registry.registry import Registry
from broker.registry.snapshot import Added
from broker.registry.webhooks import Delivery, Webhook
from broker.signup import SignUp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Postgres

ORGANISATION = Organisation(OrganisationId("air"), "Air Agency «é»", "mail@example.org", "https://example.org")
GATEWAY = Gateway(ORGANISATION.id, "g", "Gateway", "json", (keys.account("gateway.air.g", "secret"),))
DATASTREAM = Datastream(
    ORGANISATION.id, "d", "g", "measurement", "PM2.5", "ug/m3", Place(4.84, 45.76), "air", description="roof"
)
OTHER_LOGIN = keys.account("gateway.busy.g", "secret")
APPLICATION = Application(ApplicationId("app"), ORGANISATION.id, "App", (keys.account("application.app", "secret"),))
TERMS = Terms("CC-BY-4.0", "Air Agency", ("any",), expires=2**62, redistribution=True)
OPERATOR = Caller("operator", "")
MEAN = Profile("mean", (Aggregate("aggregate", "PT5M", ("mean", "count")),))


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    if request.param == "sqlite":
        made = Registry.in_home(tmp_path)
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        made = Registry.in_home(tmp_path, postgres.new_database(), postgres.PASSWORD)
    made.migrate()
    yield made
    made.close()


def offer(name: str = "offer", profile: Profile = MEAN) -> Offer:
    release = Release(ReleaseId(f"{name}-release"), OfferId(name), DATASTREAM, f"air/d/{name}")
    return Offer(OfferId(name), ORGANISATION.id, profile, TERMS, (release,), 2**62)


def agreement(name: str = "agreement", purpose: str = "research") -> Agreement:
    return Agreement(AgreementId(name), OfferId("offer"), APPLICATION.id, purpose, "active", 5, ORGANISATION.id, TERMS)


def filled(registry: Registry) -> Registry:
    registry.add_organisation(ORGANISATION, "org-key", 1)
    registry.add_gateway(GATEWAY, 2)
    registry.add_datastream(DATASTREAM, 3)
    registry.add_application(APPLICATION, "app-key", 4)
    registry.add_offer(offer())
    registry.add_agreement(agreement())
    return registry


def test_what_is_put_in_comes_out_as_it_was(registry: Registry) -> None:
    found = filled(registry).snapshot()
    assert found.gateways == (GATEWAY,)
    assert found.datastreams == (DATASTREAM,)
    assert found.applications == (APPLICATION,)
    assert found.offers == {OfferId("offer"): offer()}
    assert found.agreements_of(APPLICATION.id) == (agreement(),)
    assert registry.organisations() == [ORGANISATION]
    assert registry.release("offer-release") == (offer().releases[0], offer())
    assert registry.agreements_between("app", "offer")[-1] == agreement()


@pytest.mark.parametrize("operators", [(), (Pseudonymise("pseudonymise", "P1D"),), MEAN.operators])
def test_profiles_survive(registry: Registry, operators: tuple[Aggregate | Pseudonymise, ...]) -> None:
    filled(registry).add_offer(offer("other", Profile("p", operators)))
    assert registry.offer("other").profile == Profile("p", operators)


def test_what_is_new_is_read_alone_and_all_is_where_anything_else_changed(registry: Registry) -> None:
    before = filled(registry).snapshot()
    new = [dataclasses.replace(DATASTREAM, id=name, origin=None) for name in ("b", "a")]
    registry.add_datastreams(new[:1], 6)
    registry.add_datastreams(new[1:], 7)
    now = registry.snapshot()
    assert now.added_to(before) == Added((new[1], new[0]), ())
    assert now.datastreams == (*before.datastreams, new[1], new[0])
    registry.add_offer(offer("other"))
    later = registry.snapshot()
    assert later.added_to(now) == Added((), (offer("other"),))
    assert later.added_to(before) == Added((new[1], new[0]), (offer("other"),))
    registry.end_datastream(ORGANISATION.id, "b", 8)
    after = registry.snapshot()
    assert after.added_to(later) is None
    assert after.datastreams == (new[1], DATASTREAM)


def test_an_offer_is_looked_at_beside_those_of_its_datastreams_however_many_it_has(registry: Registry) -> None:
    filled(registry)
    many = [dataclasses.replace(DATASTREAM, id=f"m-{number}", origin=None) for number in range(1_100)]
    registry.add_datastreams(many, 6)
    assert set(registry.datastreams_named(ORGANISATION.id, [one.id for one in many])) == set(many)
    finer = Profile("finer", (Aggregate("aggregate", "PT7M", ("mean",)),))
    releases = [Release(ReleaseId(f"r-{one.id}"), OfferId("large"), one, one.stream) for one in (*many, DATASTREAM)]
    large = Offer(OfferId("large"), ORGANISATION.id, finer, TERMS, tuple(releases), 7)
    with pytest.raises(Refused):
        registry.add_offer(large)
    registry.add_offer(dataclasses.replace(large, releases=tuple(releases[:-1])))


def test_migrating_again_changes_nothing(registry: Registry) -> None:
    before = filled(registry).snapshot()
    registry.migrate()
    assert registry.snapshot() == before


def test_every_change_raises_the_revision_and_no_reading_does(registry: Registry) -> None:
    seen = [registry.revision()]
    registry.add_organisation(ORGANISATION, "key", 1)
    seen.append(registry.revision())
    registry.snapshot()
    registry.ledger()
    assert registry.revision() == seen[-1]
    registry.add_gateway(GATEWAY, 2)
    seen.append(registry.revision())
    assert seen == sorted(set(seen))


def test_what_is_remembered_of_it_is_never_older_than_the_question(registry: Registry) -> None:
    filled(registry)
    known, key = Remembered(registry), keys.key_hash("app-key")
    for _ in range(2):
        assert known.offer("offer") == offer()
        assert known.release("offer-release") == (offer().releases[0], offer())
        assert known.agreements_between("app", "offer") == [agreement()]
        assert known.caller_of(key) == Caller("application", "app")
        assert known.caller_of("nobody's") is None
    registry.suspend_organisation(ORGANISATION.id, "overdue", 6)
    assert known.offer("offer").suspended
    assert known.caller_of(key) == Caller("application", "app", suspended=True)
    registry.revoke_agreement(AgreementId("agreement"), OPERATOR, "over", 7)
    assert [one.state for one in known.agreements_between("app", "offer")] == ["revoked"]
    registry.end_application(APPLICATION, OPERATOR, 8)
    assert known.caller_of(key) is None
    registry.withdraw_offer("offer", OPERATOR, "over", 9)
    assert known.release("offer-release")[1].withdrawn == 9
    with pytest.raises(NotFound):
        known.offer("other")


def test_what_exists_is_not_made_again_and_nothing_of_the_attempt_stays(registry: Registry) -> None:
    filled(registry)
    entries, revision = registry.ledger(), registry.revision()
    for attempt in (
        lambda: registry.add_organisation(ORGANISATION, "other-key", 9),
        lambda: registry.add_gateway(GATEWAY, 9),
        lambda: registry.add_datastream(DATASTREAM, 9),
        lambda: registry.add_application(APPLICATION, "other-app-key", 9),
        lambda: registry.add_offer(offer()),
    ):
        with pytest.raises(Conflict):
            attempt()
    assert registry.ledger() == entries
    assert registry.revision() == revision
    assert registry.caller("other-key") is None


def test_what_does_not_exist_is_not_found(registry: Registry) -> None:
    for ask in (registry.offer, registry.release, registry.application, registry.agreement):
        with pytest.raises(NotFound):
            ask("none")
    with pytest.raises(NotFound):
        registry.add_datastream(DATASTREAM, 1)


def test_a_key_tells_who_calls_and_is_kept_as_a_hash_alone(registry: Registry) -> None:
    filled(registry)
    assert registry.caller("org-key") == Caller("organisation", "air")
    assert registry.caller("app-key") == Caller("application", "app")
    assert registry.caller("org-key ") is None
    with registry._database.reading() as connection:
        kept = connection.execute(text("select * from keys")).all()
    assert "org-key" not in repr(kept)


def test_several_keys_live_at_once_and_each_ends_alone(registry: Registry) -> None:
    filled(registry)
    keyring, air, app = registry.keyring, Caller("organisation", "air"), Caller("application", "app")
    (first,) = keyring.keys(air)
    assert (first.name, first.scopes, first.expires, first.last_used) == ("first", EVERYTHING, None, None)
    narrow = Key("key-2", "notebook", frozenset({"read", "history"}), created=5, expires=50)
    keyring.add(air, narrow, "second-key", air)
    assert keyring.keys(air) == [first, narrow]
    known = registry.caller("second-key")
    assert (known, known.key if known else None) == (air, narrow)
    assert keyring.subject("key-2") == air
    assert (keyring.lives("key-2", 49), keyring.lives("key-2", 50), keyring.lives(first.id, 50)) == (True, False, True)
    with pytest.raises(NotFound):
        keyring.end(app, "key-2", app, 6)
    revision = registry.revision()
    keyring.used({"key-2": 7, "key-none": 8})
    assert registry.revision() == revision
    assert [one.last_used for one in keyring.keys(air)] == [None, 7]
    keyring.end(air, first.id, air, 9)
    assert (registry.caller("org-key"), registry.caller("second-key")) == (None, air)
    assert len(registry.ledger()) == 3
    keyring.add(air, Key("key-3", "lost the other"), "third-key", OPERATOR)
    keyring.end(air, "key-3", OPERATOR, 10)
    assert [(e["event"], e["whose"]) for e in registry.ledger(after=3)] == [
        ("key_added", "air"),
        ("key_revoked", "air"),
    ]


def test_keys_and_logins_are_not_without_number(registry: Registry) -> None:
    filled(registry)
    air = Caller("organisation", "air")
    for number in range(MOST - 1):
        registry.keyring.add(air, Key(f"key-{number}", "one"), f"secret {number}", air)
        registry.keyring.add_login(GATEWAY.role, keys.account(f"more-{number}", "secret"))
    with pytest.raises(Conflict, match="revoke one"):
        registry.keyring.add(air, Key("key-more", "one"), "secret", air)
    with pytest.raises(Conflict, match="revoke one"):
        registry.keyring.add_login(GATEWAY.role, keys.account("more", "secret"))


def test_a_second_login_stands_beside_the_first_until_either_ends(registry: Registry) -> None:
    filled(registry)
    second = keys.account("gateway.air.g.2", "secret", "after the move", 7)
    registry.keyring.add_login(GATEWAY.role, second)
    assert registry.gateway("air", "g").accounts == (*GATEWAY.accounts, second)
    assert registry.snapshot().gateways == (dataclasses.replace(GATEWAY, accounts=(*GATEWAY.accounts, second)),)
    assert registry.application("app") == APPLICATION
    with pytest.raises(NotFound):
        registry.keyring.end_login(APPLICATION.role, second.username)
    registry.keyring.end_login(GATEWAY.role, GATEWAY.accounts[0].username)
    assert registry.gateway("air", "g").accounts == (second,)


def test_an_agreement_ends_once_and_the_same_is_not_made_twice(registry: Registry) -> None:
    filled(registry)
    assert registry.add_agreement(agreement("again")) == agreement()
    assert registry.add_agreement(agreement("other", "teaching")).id == "other"
    owner = Caller("organisation", "air")
    assert registry.revoke_agreement(AgreementId("agreement"), owner, "because", 9)
    assert not registry.revoke_agreement(AgreementId("agreement"), owner, "again", 10)
    ended = registry.agreement("agreement")
    assert (ended.state, ended.reason) == ("revoked", "because")
    assert [a.id for a in registry.snapshot().agreements_of(APPLICATION.id)] == ["other"]
    assert registry.agreements_between("app", "offer")[-1] == registry.agreement("other")


def test_an_agreement_is_suspended_for_a_reason_and_goes_on(registry: Registry) -> None:
    filled(registry)
    owner = Caller("organisation", "air")
    with pytest.raises(Conflict, match="not suspended"):
        registry.suspend_agreement(agreement(), owner, None, 8)
    registry.suspend_agreement(agreement(), owner, "resold", 9)
    suspended = registry.agreement("agreement")
    assert (suspended.state, suspended.reason) == ("suspended", "resold")
    found = registry.snapshot()
    assert (found.agreements_of(APPLICATION.id), found.paused) == ((), (suspended,))
    with pytest.raises(Conflict, match="not active"):
        registry.suspend_agreement(suspended, owner, "again", 10)
    with pytest.raises(Conflict, match="resold"):
        registry.add_agreement(agreement("around", "teaching"))
    assert [notice.event for notice in registry.notices()] == ["suspended"]
    registry.suspend_agreement(suspended, owner, None, 11)
    assert registry.agreement("agreement") == agreement()
    assert [notice.event for notice in registry.notices()] == ["resumed"]
    registry.suspend_agreement(agreement(), owner, "resold", 12)
    assert registry.revoke_agreement(AgreementId("agreement"), owner, "because", 13)
    assert [(e["event"], e.get("reason")) for e in registry.ledger(after=3)] == [
        ("agreement_suspended", "resold"),
        ("agreement_resumed", None),
        ("agreement_suspended", "resold"),
        ("agreement_revoked", "because"),
    ]


def test_requests_and_disputes_are_public_and_what_was_written_can_be_erased(registry: Registry) -> None:
    filled(registry)
    registry.add_organisation(Organisation(OrganisationId("lab"), "Lab"), "lab-key", 5)
    told = registry.proceedings
    lab, air = OrganisationId("lab"), ORGANISATION.id
    with pytest.raises(Conflict, match="is offered: accept offer"):
        told.open_request(DataRequest("r-0", lab, air, "please", 6, datastream="d"))
    with pytest.raises(NotFound):
        told.open_request(DataRequest("r-0", lab, air, "please", 6, datastream="none"))
    registry.add_datastream(dataclasses.replace(DATASTREAM, id="shut"), 6)
    wanted = DataRequest("r-1", lab, air, "please", 7, datastream="shut")
    told.open_request(wanted)
    told.support("r-1", "air", 8)
    told.support("r-1", "air", 9)
    answer = Answer("opened", "here it is", 10, OfferId("offer"))
    told.answer(wanted, answer)
    assert told.requests(of="air") == [dataclasses.replace(wanted, supporters=(air,), answer=answer)]
    told.support("r-1", "air", 11, takes_back=True)
    assert told.request("r-1").supporters == ()
    complaint = Dispute("d-1", lab, air, "refusal", "unfair", 12, request="r-1")
    told.open_dispute(complaint)
    ruling = Ruling(upheld=False, reasons="it was fair", time=13)
    told.rule(complaint, ruling)
    assert told.disputes() == [dataclasses.replace(complaint, ruling=ruling)]
    with pytest.raises(Conflict, match="already"):
        told.rule(complaint, Ruling(upheld=True, reasons="no", time=14))
    told.remove_request("r-1", "operator", "unlawful", 15)
    told.remove_dispute("d-1", "organisation", "settled", 16)
    assert (told.requests(), told.disputes()) == ([], [])
    with registry._database.reading() as connection:
        kept = [
            *connection.execute(text("select * from requests")),
            *connection.execute(text("select * from disputes")),
        ]
    assert not {"please", "here it is", "unfair", "it was fair"} & {value for row in kept for value in row}
    events = [(e["event"], e.get("outcome"), e.get("upheld")) for e in registry.ledger(after=4)]
    assert events == [
        ("request_opened", None, None),
        ("request_answered", "opened", None),
        ("dispute_opened", None, None),
        ("dispute_ruled", None, False),
        ("request_removed", None, None),
        ("dispute_removed", None, None),
    ]


def test_a_sign_up_is_granted_refused_or_expires_and_then_is_forgotten(registry: Registry) -> None:
    filled(registry)

    def asked(name: str, created: int) -> SignUp:
        organisation = Organisation(OrganisationId(name), name.title(), f"{name}@example.org")
        return SignUp(f"signup-{name}", organisation, keys.key_hash(f"{name}'s key"), created, "why")

    for name, created in (("in", 10), ("out", 11), ("late", 12)):
        registry.signups.ask(asked(name, created))
    assert registry.signups.waiting(Page()) == [asked("in", 10), asked("late", 12), asked("out", 11)]
    with pytest.raises(Conflict, match="already"):
        registry.signups.ask(asked("air", 13))
    assert registry.caller("in's key") is None
    registry.signups.decide(asked("in", 10), None, None, 20)
    assert registry.caller("in's key") == Caller("organisation", "in")
    registry.signups.decide(asked("out", 11), "criterion", "reason", 21)
    assert registry.caller("out's key") is None
    with pytest.raises(Conflict, match="nothing to decide"):
        registry.signups.decide(asked("out", 11), None, None, 22)
    registry.signups.admit(dataclasses.replace(asked("busy", 14), state="granted"))
    registry.add_gateway(dataclasses.replace(GATEWAY, organisation=OrganisationId("busy"), accounts=(OTHER_LOGIN,)), 23)
    assert registry.signups.expire(12, 30) == 0
    assert registry.signups.expire(25, 31) == 2
    assert [o.id for o in registry.organisations()] == ["air", "busy"]
    assert registry.caller("in's key") is None
    states = {name: registry.signups.one(f"signup-{name}").state for name in ("in", "out", "late", "busy")}
    assert states == {"in": "expired", "out": "refused", "late": "expired", "busy": "granted"}
    with registry._database.reading() as connection:
        kept = repr(connection.execute(text("select * from signups where organisation <> 'busy'")).all())
    assert "@example.org" not in kept
    assert "why" not in kept


def test_what_is_noted_of_webhooks_changes_no_decision(registry: Registry) -> None:
    filled(registry)
    hook = Webhook(APPLICATION.id, "https://example.org/", "nonce", 6)
    with pytest.raises(NotFound):
        registry.webhooks.of("app")
    registry.notify(agreement(), "expiring", 5)
    registry.notify(agreement(), "terms_changed", 7)
    before = registry.revision()
    registry.webhooks.put(hook)
    (due,) = registry.webhooks.due(8, 10)
    assert (due.webhook, due.notice.event, due.attempts) == (hook, "terms_changed", 0)
    failed = Delivery(due.notice.id, due.notice.event, 1, "waiting", "500", 8, 20)
    registry.webhooks.note("app", failed)
    assert registry.webhooks.due(19, 10) == []
    assert [one.attempts for one in registry.webhooks.due(20, 10)] == [1]
    done = Delivery(due.notice.id, due.notice.event, 2, "delivered", "204", 21, None)
    registry.webhooks.note("app", done)
    assert registry.webhooks.due(99, 10) == []
    assert registry.webhooks.last("app", 5) == [done]
    assert registry.webhooks.counts("app") == ({"delivered": 1}, 2)
    registry.webhooks.put(dataclasses.replace(hook, url="https://example.com/", nonce="other", created=30))
    assert registry.webhooks.of("app") == dataclasses.replace(hook, url="https://example.com/", nonce="other")
    assert registry.revision() == before
    registry.end_application(APPLICATION, Caller("organisation", "air"), 40)
    with pytest.raises(NotFound):
        registry.webhooks.of("app")


def test_changes_of_many_at_once_make_one_chain(registry: Registry) -> None:
    def register(number: int) -> None:
        for place in range(5):
            name = f"org-{number}-{place}"
            registry.add_organisation(Organisation(OrganisationId(name), name), f"key {name}", 1)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify(registry.whole_ledger()) == Holds(20)
    assert [entry["seq"] for entry in registry.ledger()] == list(range(1, 21))


@pytest.mark.parametrize(
    "statement",
    [
        "update ledger set event = 'x'", "delete from ledger", "truncate ledger", "update ledger_texts set text = 'x'",
        "update checkpoints set time = 'x'", "delete from checkpoints", "truncate checkpoints",
    ],
)  # fmt: skip
def test_the_database_itself_refuses_to_change_the_ledger(registry: Registry, statement: str) -> None:
    filled(registry).public_record.sign(Ed25519PrivateKey.generate(), 9)
    before = registry.ledger()
    with pytest.raises(DBAPIError), registry._database.engine.begin() as connection:
        connection.execute(text(statement))
    assert registry.ledger() == before


def test_the_ledger_is_read_from_any_place_on(registry: Registry) -> None:
    whole = filled(registry).ledger()
    assert [entry["event"] for entry in whole] == ["organisation_registered", "offer_published", "agreement_accepted"]
    assert registry.ledger(after=1, limit=1) == whole[1:2]
    assert list(registry.whole_ledger()) == whole


def test_a_text_is_erased_wherever_it_stands_and_the_chain_holds(registry: Registry) -> None:
    filled(registry)
    registry.revoke_agreement(AgreementId("agreement"), Caller("organisation", "air"), "Jean moved", 9)
    registry.suspend_organisation("air", "Jean again", 10)
    record = registry.public_record
    record.erase_text(4, "reason", "names a person", 11)
    record.erase_text(5, "reason", "names a person", 12)
    with pytest.raises(NotFound):
        record.erase_text(5, "reason", "names a person", 13)
    for not_a_text in ("agreement", "event", "hash"):
        with pytest.raises(NotFound):
            record.erase_text(4, not_a_text, "why not", 13)
    found = registry.ledger()
    assert [(e["event"], e.get("reason"), e.get("entry")) for e in found[3:]] == [
        ("agreement_revoked", None, None),
        ("organisation_suspended", None, None),
        ("text_erased", "names a person", 4),
        ("text_erased", "names a person", 5),
    ]
    assert found[3]["agreement"] == "agreement"
    assert verify(registry.whole_ledger()) == Holds(7, erased=2)
    assert registry.agreement("agreement").reason is None
    assert [notice.reason for notice in registry.notices()] == [None]
    assert registry.organisation("air").suspended == "(erased)"


def test_what_is_erased_is_not_in_the_files_either(tmp_path: Path) -> None:
    registry = Registry.in_home(tmp_path)
    registry.migrate()
    filled(registry).revoke_agreement(AgreementId("agreement"), Caller("organisation", "air"), "Jean moved", 9)
    registry.public_record.erase_text(4, "reason", "names a person", 10)
    registry.close()
    (kept,) = tmp_path.iterdir()
    assert b"names a person" in kept.read_bytes()
    assert b"Jean" not in kept.read_bytes()


def test_checkpoints_stand_behind_their_entries_and_the_same_is_not_signed_twice(registry: Registry) -> None:
    record, key, other = registry.public_record, Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    record.announce_key(public(key), 1)
    record.announce_key(public(key), 2)
    filled(registry)
    revision = registry.revision()
    signed = record.sign(key, 8)
    assert record.sign(key, 9) == signed
    assert registry.revision() == revision
    record.announce_key(public(other), 10)
    record.sign(key, 11)
    record.sign(other, 12)
    assert registry.announced_key() == public(other)
    assert ["checkpoint" in line for line in registry.whole_ledger()] == [False] * 4 + [True, False, True, True]
    assert ["checkpoint" in line for line in registry.whole_ledger(after=1, through=4)] == [False] * 3 + [True]
    assert verify(registry.whole_ledger(), whole=True) == Holds(5, 5, 0, public(other))
    assert [one.seq for one in registry.checkpoints(after=4)] == [5, 5]
    assert registry.checkpoints(after=0, limit=1) == [signed]


def test_a_database_that_is_away_is_unavailable(tmp_path: Path, postgres: Postgres) -> None:
    away = Registry.in_home(tmp_path, f"postgresql://mitoyen@127.0.0.1:{postgres.port}/none", postgres.PASSWORD)
    with pytest.raises(Unavailable):
        away.revision()
    with pytest.raises(Unavailable):
        Registry.in_home(tmp_path / "no folder").revision()


def test_what_ended_is_gone_from_lists_and_its_id_is_never_given_again(registry: Registry) -> None:
    filled(registry)
    owner = Caller("organisation", "air")
    for too_early in (
        lambda: registry.end_organisation("air", OPERATOR, 9),
        lambda: registry.end_gateway(GATEWAY, 9),
        lambda: registry.end_datastream("air", "d", 9),
    ):
        with pytest.raises(Conflict, match="first"):
            too_early()
    registry.withdraw_offer("offer", owner, "enough", 10)
    registry.end_application(APPLICATION, owner, 11)
    registry.end_datastream("air", "d", 12)
    registry.end_gateway(GATEWAY, 13)
    found = registry.snapshot()
    assert (found.gateways, found.datastreams, found.applications, found.offers) == ((), (), (), {})
    assert [o.id for o in found.withdrawn] == ["offer"]
    assert [d.id for d in found.deleted] == ["d"]
    assert registry.offers() == registry.datastreams("air") == registry.gateways("air") == []
    assert registry.caller("app-key") is None
    assert registry.offer("offer").withdrawn == 10
    assert registry.agreement("agreement").state == "revoked"
    for again in (
        lambda: registry.add_gateway(GATEWAY, 14),
        lambda: registry.add_application(APPLICATION, "k", 14),
        lambda: registry.add_offer(offer()),
    ):
        with pytest.raises(Conflict, match="already"):
            again()
    for twice in (
        lambda: registry.withdraw_offer("offer", owner, "enough", 10),
        lambda: registry.end_application(APPLICATION, owner, 15),
        lambda: registry.save_gateway(GATEWAY),
        lambda: registry.add_datastream(DATASTREAM, 15),
    ):
        with pytest.raises(NotFound):
            twice()
    registry.end_organisation("air", OPERATOR, 16)
    assert registry.caller("org-key") is None
    assert registry.organisations() == []
    events = [entry["event"] for entry in registry.ledger()]
    assert events[3:] == ["offer_withdrawn", "agreement_revoked", "organisation_removed"]


def test_what_is_changed_is_changed_and_nothing_else(registry: Registry) -> None:
    filled(registry)
    described = dataclasses.replace(DATASTREAM, description="façade", place=None, theme=None)
    registry.save_datastream(described)
    registry.save_gateway(dataclasses.replace(GATEWAY, name="Other"))
    registry.save_application(dataclasses.replace(APPLICATION, name="Another"))
    registry.save_organisation(dataclasses.replace(ORGANISATION, contact=None), OPERATOR, 5)
    assert registry.datastream("air", "d") == described
    assert registry.gateway("air", "g") == dataclasses.replace(GATEWAY, name="Other")
    assert registry.application("app") == dataclasses.replace(APPLICATION, name="Another")
    assert registry.organisation("air") == dataclasses.replace(ORGANISATION, contact=None)
    with pytest.raises(NotFound):
        registry.save_datastream(dataclasses.replace(DATASTREAM, id="none"))


def test_a_suspension_shows_on_everything_of_the_organisation_until_it_ends(registry: Registry) -> None:
    filled(registry)
    registry.suspend_organisation("air", "faked data", 10)
    assert registry.organisation("air").suspended == "faked data"
    assert registry.snapshot().suspended == {"air"}
    assert registry.offer("offer").suspended
    assert registry.agreement("agreement").suspended
    for key in ("org-key", "app-key"):
        known = registry.caller(key)
        assert known is not None
        assert known.suspended
    with pytest.raises(Conflict, match="already"):
        registry.suspend_organisation("air", "again", 11)
    registry.suspend_organisation("air", None, 12)
    assert registry.snapshot().offers == {OfferId("offer"): offer()}
    assert registry.caller("org-key") == Caller("organisation", "air")
    with pytest.raises(Conflict, match="not suspended"):
        registry.suspend_organisation("air", None, 13)
    with pytest.raises(NotFound):
        registry.suspend_organisation("nobody", "reason", 13)
    assert [(e["event"], e.get("reason")) for e in registry.ledger()][3:] == [
        ("organisation_suspended", "faked data"),
        ("organisation_resumed", None),
    ]


def test_lists_are_cut_by_id(registry: Registry) -> None:
    registry.add_organisation(ORGANISATION, "key", 1)
    for name in "gateway-c", "gateway-a", "gateway-b":
        account = keys.account(f"gateway.air.{name}", "secret")
        registry.add_gateway(Gateway(ORGANISATION.id, name, name, "json", (account,)), 2)
    assert [one.id for one in registry.gateways("air", Page(limit=2))] == ["gateway-a", "gateway-b"]
    assert [one.id for one in registry.gateways("air", Page(after="gateway-b", limit=2))] == ["gateway-c"]
    assert registry.gateways("air", Page(after="gateway-c")) == []


def test_a_rotated_operators_key_is_the_only_one(registry: Registry) -> None:
    registry.replace_operator_key("first", 1)
    registry.replace_operator_key("second", 2)
    assert registry.caller("first") is None
    assert registry.caller("second") == Caller("operator", "")


def test_a_reading_of_a_device_goes_to_one_datastream(registry: Registry) -> None:
    filled(registry)
    of_temperature = dataclasses.replace(DATASTREAM, id="t", origin=Origin("dev", "temperature", "grad"))
    registry.add_datastream(of_temperature, 20)
    assert registry.datastream("air", "t") == of_temperature
    with pytest.raises(Conflict, match="t has that origin"):
        registry.add_datastream(dataclasses.replace(of_temperature, id="u"), 21)
    with pytest.raises(Conflict, match="t has that origin"):
        registry.save_datastream(dataclasses.replace(of_temperature, id="d"))
    registry.end_datastream("air", "t", 22)
    registry.save_datastream(dataclasses.replace(of_temperature, id="d"))
