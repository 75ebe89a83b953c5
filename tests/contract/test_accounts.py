"""Charges and findings, and the overview that the public account is made of, on each database that may hold the registry."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from broker import keys
from broker.errors import Conflict, NotFound
from broker.licence import Terms
from broker.model import (
    Agreement,
    AgreementId,
    Application,
    ApplicationId,
    Caller,
    Charge,
    Datastream,
    Finding,
    Gateway,
    Offer,
    OfferId,
    Organisation,
    OrganisationId,
    Release,
    ReleaseId,
)
from broker.privacy.profile import Profile
from broker.registry.accounts import MOST_FINDINGS
from broker.registry.reading import Page
from broker.registry.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Postgres

OWNER = OrganisationId("air")
TERMS = Terms("CC-BY-4.0", "Air", ("any",), price="5 EUR a month")
AGREEMENT = Agreement(AgreementId("a"), OfferId("o"), ApplicationId("app"), "research", "active", 5, OWNER, TERMS)
CHARGE = Charge("november", AGREEMENT.id, Decimal("12.50"), "EUR", 6, begins=1, ends=5)
FINDING = Finding("schools", ApplicationId("app"), OWNER, "Air at schools", "https://example.org/schools", 7)
HOLDER = Caller("application", "app")


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    if request.param == "sqlite":
        made = Registry.in_home(tmp_path)
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        made = Registry.in_home(tmp_path, postgres.new_database(), postgres.PASSWORD)
    made.migrate()
    made.add_organisation(Organisation(OWNER, "Air"), "key", 0)
    made.add_gateway(Gateway(OWNER, "g", "g", "json", (keys.account("gateway.air.g", "secret"),)), 0)
    datastream = Datastream(OWNER, "d", "g", "measurement")
    made.add_datastream(datastream, 0)
    made.add_application(
        Application(ApplicationId("app"), OWNER, "App", (keys.account("application.app", "s"),)), "k", 0
    )
    release = Release(ReleaseId("r"), OfferId("o"), datastream, "air/d")
    made.add_offer(Offer(OfferId("o"), OWNER, Profile("raw", ()), TERMS, (release,), 1))
    made.add_agreement(AGREEMENT)
    yield made
    made.close()


def recorded(registry: Registry) -> list[str]:
    return [str(entry["event"]) for entry in registry.whole_ledger()]


def test_a_charge_is_confirmed_by_the_other_side_once_and_may_be_given_back(registry: Registry) -> None:
    accounts = registry.accounts
    accounts.state_charge(CHARGE, "o")
    assert accounts.charges("a") == [CHARGE]
    accounts.change_charge(CHARGE, "confirmed", HOLDER, 8)
    with pytest.raises(Conflict):
        accounts.change_charge(CHARGE, "declined", HOLDER, 9, "no")
    accounts.change_charge(CHARGE, "withdrawn", Caller("organisation", "air"), 10, "paid back")
    assert accounts.charge("november") == dataclasses.replace(CHARGE, state="withdrawn", reason="paid back")
    with pytest.raises(Conflict):
        accounts.change_charge(CHARGE, "withdrawn", Caller("organisation", "air"), 11, "again")
    assert recorded(registry)[-3:] == ["charge_stated", "charge_confirmed", "charge_withdrawn"]
    with pytest.raises(Conflict):
        accounts.state_charge(CHARGE, "o")
    with pytest.raises(NotFound):
        accounts.charge("december")


def test_a_finding_can_be_removed_without_a_trace_but_that_there_was_one(registry: Registry) -> None:
    accounts = registry.accounts
    accounts.publish_finding(FINDING)
    assert accounts.finding("schools") == FINDING
    accounts.remove_finding(FINDING, HOLDER, 8)
    with pytest.raises(NotFound):
        accounts.finding("schools")
    assert accounts.findings() == []
    whole = str(list(registry.whole_ledger()))
    assert "finding_removed" in whole
    assert FINDING.link not in whole
    with pytest.raises(Conflict):
        accounts.publish_finding(FINDING)


def test_an_application_publishes_so_many_findings_and_they_are_listed_in_pages(registry: Registry) -> None:
    for number in range(MOST_FINDINGS):
        registry.accounts.publish_finding(dataclasses.replace(FINDING, id=f"f-{number:03}"))
    with pytest.raises(Conflict):
        registry.accounts.publish_finding(FINDING)
    assert [one.id for one in registry.accounts.findings(Page("f-096", 2))] == ["f-097", "f-098"]


def test_the_overview_has_what_ended_too_and_counts_refusals_by_offer(registry: Registry) -> None:
    for _ in range(2):
        registry.refuse_agreement(OfferId("o"), ApplicationId("app"), "war", "purpose_not_permitted", 6)
    registry.withdraw_offer("o", Caller("organisation", "air"), "enough", 8)
    registry.end_application(registry.application("app"), HOLDER, 9)
    overview = registry.accounts.overview()
    assert dict(overview.refusals) == {"o": 2}
    assert [(offer.id, offer.withdrawn) for offer in overview.offers] == [("o", 8)]
    assert [agreement.state for agreement in overview.agreements] == ["revoked"]
    assert [organisation.id for organisation in overview.organisations] == ["air"]
