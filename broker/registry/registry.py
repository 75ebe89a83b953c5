"""Changing the registry, and the public record of it, together or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from broker.combination import check_together
from broker.errors import Conflict
from broker.licence import Terms
from broker.model import (
    Application,
    Caller,
    Datastream,
    Gateway,
    Offer,
    Organisation,
)
from broker.registry import reading
from broker.registry import tables as t
from broker.registry.accounts import Accounts
from broker.registry.agreements import AgreementBook, end_agreements, give_notice
from broker.registry.consents import ConsentBook
from broker.registry.keyring import Keyring, add_login, first_key, forget_keys, forget_logins
from broker.registry.partitioning import Partitioning
from broker.registry.proceedings import Proceedings
from broker.registry.record import PublicRecord, record
from broker.registry.signups import SignUps
from broker.registry.webhooks import Webhooks
from broker.registry.writing import add, change, end, none_left, unique


class Registry(AgreementBook, ConsentBook):
    """What exists, who agreed to what, and the public record. `now` is always ns since 1970.

    What ends keeps its row and its id, so that a topic, an agreement or the ledger never comes to mean another thing.
    """

    @property
    def public_record(self) -> PublicRecord:
        """What is done with the public record itself."""
        return PublicRecord(self._database)

    @property
    def keyring(self) -> Keyring:
        """Keys and logins."""
        return Keyring(self._database)

    @property
    def accounts(self) -> Accounts:
        """What agreements cost, and what was learned."""
        return Accounts(self._database)

    @property
    def partitioning(self) -> Partitioning:
        """Partitions of organisations."""
        return Partitioning(self._database)

    @property
    def proceedings(self) -> Proceedings:
        """Requests for data, and disputes."""
        return Proceedings(self._database)

    @property
    def signups(self) -> SignUps:
        """Who asked to join."""
        return SignUps(self._database)

    @property
    def webhooks(self) -> Webhooks:
        """Where applications are told, and how that went."""
        return Webhooks(self._database)

    # --- operator and organisations

    def replace_operator_key(self, key: str, now: int) -> None:
        """From now on this one, and no other."""
        with self._database.changing() as c:
            forget_keys(c, Caller("operator", ""))
            first_key(c, Caller("operator", ""), key, now)
            record(c, now, "operator_key_changed", by="operator")

    def add_organisation(self, organisation: Organisation, key: str, now: int) -> None:
        """Raises Conflict."""
        with self._database.changing() as c, unique(f"organisation {organisation.id}"):
            add(c, t.organisations, **asdict(organisation), created=now)
            first_key(c, Caller("organisation", organisation.id), key, now)
            record(c, now, "organisation_registered", organisation=organisation.id, name=organisation.name)

    def save_organisation(self, organisation: Organisation, by: Caller, now: int) -> None:
        """Change how it is described; on the record if the operator does. Raises NotFound."""
        facts = {"name": organisation.name, "contact": organisation.contact, "homepage": organisation.homepage}
        with self._database.changing() as c:
            change(c, t.organisations, [t.organisations.c.id == organisation.id], facts)
            if by.role == "operator":
                record(
                    c, now, "organisation_described", organisation=organisation.id, by=by.role, name=organisation.name
                )

    def suspend_organisation(self, organisation: str, reason: str | None, now: int) -> None:
        """Suspend it for a reason, or let it go on (None). Raises NotFound, and Conflict if it is so already."""
        column = t.organisations.c.suspended
        as_it_is = column.is_not(None) if reason is not None else column.is_(None)
        whose = t.organisations.c.id == organisation
        with self._database.changing() as c:
            if c.execute(select(t.organisations.c.id).where(whose, as_it_is)).first():
                raise Conflict(f"organisation {organisation} is {'suspended already' if reason else 'not suspended'}")
            change(c, t.organisations, [whose], {"suspended": reason})
            event = "organisation_suspended" if reason is not None else "organisation_resumed"
            record(c, now, event, organisation=organisation, **({"reason": reason} if reason is not None else {}))

    def end_organisation(self, organisation: str, by: Caller, now: int) -> None:
        """Forget its contact and its key. Raises NotFound, and Conflict while it still has anything."""
        with self._database.changing() as c:
            for table, what in ((t.gateways, "gateways"), (t.applications, "applications"), (t.offers, "offers")):
                none_left(c, table, table.c.organisation == organisation, f"organisation {organisation} has {what}")
            end(c, t.organisations, [t.organisations.c.id == organisation], now, contact=None)
            forget_keys(c, Caller("organisation", organisation))
            record(c, now, "organisation_removed", organisation=organisation, by=by.role)

    # --- gateways and datastreams

    def add_gateway(self, gateway: Gateway, now: int) -> None:
        """Raises Conflict."""
        facts = asdict(gateway)
        del facts["accounts"]
        with self._database.changing() as c, unique(f"gateway {gateway.id}"):
            add(c, t.gateways, **facts, created=now)
            for account in gateway.accounts:
                add_login(c, gateway.role, account)

    def take_back_gateway(self, gateway: Gateway) -> None:
        """Remove one that could not be made known to Mosquitto, so that nobody was told of it."""
        with self._database.changing() as c:
            forget_logins(c, gateway.role)
            c.execute(t.gateways.delete().where(*_gateway(gateway.organisation, gateway.id)))

    def save_gateway(self, gateway: Gateway) -> None:
        """Change how it is described. Raises NotFound."""
        with self._database.changing() as c:
            change(c, t.gateways, _gateway(gateway.organisation, gateway.id), {"name": gateway.name})

    def end_gateway(self, gateway: Gateway, now: int) -> None:
        """Raises NotFound, and Conflict while it has datastreams."""
        own = (t.datastreams.c.organisation == gateway.organisation) & (t.datastreams.c.gateway == gateway.id)
        with self._database.changing() as c:
            none_left(c, t.datastreams, own, f"gateway {gateway.id} has datastreams")
            end(c, t.gateways, _gateway(gateway.organisation, gateway.id), now)
            forget_logins(c, gateway.role)

    def add_datastream(self, datastream: Datastream, now: int) -> None:
        """Raises Conflict, also if another has its origin, and NotFound if the organisation has no such gateway."""
        self.add_datastreams([datastream], now)

    def add_datastreams(self, datastreams: Sequence[Datastream], now: int) -> None:
        """All of them or none. Raises the same."""
        for organisation, gateway in {(d.organisation, d.gateway) for d in datastreams}:
            self.gateway(organisation, gateway)
        with self._database.growing() as (c, revision):
            for datastream in datastreams:
                with unique(f"datastream {datastream.id}"):
                    _alone_of(c, datastream)
                    add(c, t.datastreams, **_facts(datastream), revision=revision, created=now)

    def save_datastream(self, datastream: Datastream) -> None:
        """Change it. Raises NotFound, and Conflict if another has its origin."""
        with self._database.changing() as c:
            _alone_of(c, datastream)
            which = _datastream(datastream.organisation, datastream.id)
            change(c, t.datastreams, which, _facts(datastream))

    def end_datastream(self, organisation: str, datastream: str, now: int) -> None:
        """Raises NotFound, and Conflict while an offer has it."""
        offered = (
            select(t.offers.c.id)
            .join(t.releases, t.releases.c.offer == t.offers.c.id)
            .where(
                t.offers.c.ended.is_(None),
                t.releases.c.organisation == organisation,
                t.releases.c.datastream == datastream,
            )
        )
        with self._database.changing() as c:
            in_offer = c.execute(offered).first()
            if in_offer:
                raise Conflict(f"datastream {datastream} is in the offer {in_offer.id}: withdraw that first")
            end(c, t.datastreams, _datastream(organisation, datastream), now)

    # --- applications and offers

    def add_application(self, application: Application, key: str, now: int) -> None:
        """Raises Conflict."""
        facts = asdict(application)
        del facts["accounts"]
        with self._database.changing() as c, unique(f"application {application.id}"):
            add(c, t.applications, **facts, created=now)
            for account in application.accounts:
                add_login(c, application.role, account)
            first_key(c, Caller("application", application.id), key, now)

    def take_back_application(self, application: Application) -> None:
        """Remove one that could not be made known to Mosquitto, so that nobody was told of it."""
        with self._database.changing() as c:
            forget_keys(c, Caller("application", application.id))
            forget_logins(c, application.role)
            c.execute(t.applications.delete().where(t.applications.c.id == application.id))

    def save_application(self, application: Application) -> None:
        """Change how it is described. Raises NotFound."""
        with self._database.changing() as c:
            change(c, t.applications, [t.applications.c.id == application.id], {"name": application.name})

    def end_application(self, application: Application, by: Caller, now: int) -> None:
        """End it with its agreements, its keys and its logins. Raises NotFound."""
        with self._database.changing() as c:
            end(c, t.applications, [t.applications.c.id == application.id], now)
            forget_keys(c, Caller("application", application.id))
            forget_logins(c, application.role)
            c.execute(t.webhooks.delete().where(t.webhooks.c.application == application.id))
            end_agreements(c, t.agreements.c.application == application.id, by, "the application was removed", now)

    def add_offer(self, offer: Offer) -> None:
        """Raises Conflict, and Refused where it tells more together with an offer that stands than each alone."""
        with self._database.growing() as (c, revision), unique(f"offer {offer.id}"):
            check_together(offer, _beside(c, offer))
            profile = reading.PROFILE.dump_python(offer.profile, mode="json")
            add(
                c,
                t.offers,
                id=offer.id,
                organisation=offer.organisation,
                profile=profile,
                version=offer.version,
                revision=revision,
                created=offer.created,
            )
            _add_terms(c, offer.id, offer.version, offer.terms, offer.created)
            before = c.execute(select(func.max(t.releases.c.number))).scalar() or 0
            for place, release in enumerate(offer.releases):
                add(
                    c,
                    t.releases,
                    id=release.id,
                    offer=offer.id,
                    organisation=offer.organisation,
                    datastream=release.datastream.id,
                    stream=release.stream,
                    place=place,
                    number=before + place + 1,
                )
            record(
                c,
                offer.created,
                "offer_published",
                offer=offer.id,
                organisation=offer.organisation,
                datastreams=[r.datastream.id for r in offer.releases],
                profile=offer.profile.name,
                **_stated(offer.terms),
            )

    def change_terms(self, offer: Offer, terms: Terms, now: int) -> Offer:
        """Give an offer another version of its terms; agreements keep theirs. Raises NotFound, and Conflict if it changed meanwhile."""
        version = offer.version + 1
        with self._database.changing() as c, unique(f"version {version} of offer {offer.id}"):
            change(c, t.offers, [t.offers.c.id == offer.id], {"version": version})
            _add_terms(c, offer.id, version, terms, now)
            record(c, now, "offer_changed", offer=offer.id, version=version, **_stated(terms))
            for agreement in reading.agreements(c, t.agreements.c.offer == offer.id, t.agreements.c.state == "active"):
                give_notice(c, agreement, "terms_changed", now, name=f"{agreement.id}-version-{version}")
        return dataclasses.replace(offer, version=version, terms=terms)

    def withdraw_offer(self, offer: str, by: Caller, reason: str, now: int) -> None:
        """End an offer with its agreements. Raises NotFound."""
        with self._database.changing() as c:
            end(c, t.offers, [t.offers.c.id == offer], now)
            record(c, now, "offer_withdrawn", offer=offer, by=by.role, whose=by.id, reason=reason)
            end_agreements(c, t.agreements.c.offer == offer, by, f"the offer was withdrawn: {reason}", now)


def _beside(connection: Connection, offer: Offer) -> list[Offer]:
    """The offers that stand of any of the same datastreams, by id."""
    r, of = t.releases.c, [release.datastream.id for release in offer.releases]
    standing = select(r.offer).distinct().join(t.offers, t.offers.c.id == r.offer).where(t.offers.c.ended.is_(None))
    ids: set[str] = set()
    for first in range(0, len(of), reading.ASKED_AT_ONCE):
        some = r.datastream.in_(of[first : first + reading.ASKED_AT_ONCE])
        ids.update(connection.execute(standing.where(r.organisation == offer.organisation, some)).scalars())
    return [one for found in sorted(ids) for one in reading.offers(connection, found)]


def _add_terms(connection: Connection, offer: str, version: int, terms: Terms, now: int) -> None:
    written = reading.TERMS.dump_python(terms, mode="json")
    add(connection, t.offer_versions, offer=offer, version=version, terms=written, created=now)


def _stated(terms: Terms) -> dict[str, object]:
    """What the public record says of terms."""
    return {
        "licence": terms.licence,
        "purposes": list(terms.purposes),
        "access": terms.access,
        "approval": terms.approval,
        **({"price": terms.price} if terms.price else {}),
    }


def _facts(datastream: Datastream) -> dict[str, Any]:
    facts = asdict(datastream)
    place = facts.pop("place") or {"longitude": None, "latitude": None}
    origin = facts.pop("origin") or dict.fromkeys(("device", "property", "unit"))
    origin = {f"origin_{name}": value for name, value in origin.items()}
    return {**facts, **place, **origin, "asset_prefixes": list(datastream.asset_prefixes)}


def _alone_of(connection: Connection, datastream: Datastream) -> None:
    """Raises Conflict if another datastream of the gateway has the same origin: a reading goes to one."""
    if datastream.origin is None:
        return
    d = t.datastreams.c
    found = connection.execute(
        select(d.id).where(
            d.organisation == datastream.organisation,
            d.gateway == datastream.gateway,
            d.origin_device == datastream.origin.device,
            d.origin_property == datastream.origin.property,
            d.id != datastream.id,
            d.ended.is_(None),
        )
    ).first()
    if found:
        raise Conflict(f"datastream {found.id} has that origin already: what a device says goes to one")


def _gateway(organisation: str, gateway: str) -> list[ColumnElement[bool]]:
    return [t.gateways.c.organisation == organisation, t.gateways.c.id == gateway]


def _datastream(organisation: str, datastream: str) -> list[ColumnElement[bool]]:
    return [t.datastreams.c.organisation == organisation, t.datastreams.c.id == datastream]
