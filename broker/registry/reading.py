"""Rows of the registry as plain values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, select

from broker.licence import Terms
from broker.model import (
    Agreement,
    AgreementId,
    Application,
    ApplicationId,
    Consent,
    Datastream,
    Gateway,
    Key,
    MqttAccount,
    Notice,
    Offer,
    OfferId,
    Organisation,
    OrganisationId,
    Origin,
    Release,
    ReleaseId,
)
from broker.partition import Partitions
from broker.place import Place
from broker.privacy.profile import Profile
from broker.registry import tables as t
from broker.registry.checkpoint import Checkpoint
from broker.registry.ledger import KEY_ANNOUNCED, EntryFields, Text, shown
from broker.registry.snapshot import Snapshot

PROFILE: TypeAdapter[Profile] = TypeAdapter(Profile)
TERMS: TypeAdapter[Terms] = TypeAdapter(Terms)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list that is ordered by id."""

    after: str | None = None
    limit: int | None = None

    def cut(self, query: Select[Any], id_: ColumnElement[str]) -> Select[Any]:
        query = query.order_by(id_).limit(self.limit)
        return query if self.after is None else query.where(id_ > self.after)


WHOLE = Page()
ASKED_AT_ONCE = 500
"""Ids that one question names: databases bound what a statement holds."""


def snapshot(connection: Connection, before: Snapshot) -> Snapshot:
    """Everything that the broker works with, at one moment. Where it only grew since `before`, what is new alone is read: to register one of
    100,000 datastreams costs what one costs.
    """
    now = connection.execute(select(t.revision)).one()
    if now.changed > before.revision:
        return _whole(connection, now.number)
    if now.number == before.revision:
        return before
    new = datastreams(connection, living(t.datastreams).where(t.datastreams.c.revision > before.revision))
    new_offers = offers(connection, select(t.offers.c.id).where(t.offers.c.revision > before.revision))
    return dataclasses.replace(
        before,
        revision=now.number,
        grown=now.number - before.whole,
        datastreams=(*before.datastreams, *new),
        offers={**before.offers, **{offer.id: offer for offer in new_offers}},
    )


def _whole(connection: Connection, revision: int) -> Snapshot:
    every = offers(connection)
    return Snapshot(
        revision=revision,
        gateways=tuple(gateways(connection, living(t.gateways))),
        datastreams=tuple(datastreams(connection, living(t.datastreams))),
        applications=tuple(applications(connection, living(t.applications))),
        offers={offer.id: offer for offer in every if offer.withdrawn is None},
        agreements=_by_application(agreements(connection, t.agreements.c.state == "active")),
        paused=tuple(agreements(connection, t.agreements.c.state == "suspended")),
        notices=tuple(notices(connection)),
        suspended=frozenset(
            o.id for o in organisations(connection, living(t.organisations)) if o.suspended is not None
        ),
        withdrawn=tuple(offer for offer in every if offer.withdrawn is not None),
        consents=_standing_consents(connection),
        erasures=tuple((r.tag, r.asked) for r in connection.execute(select(t.erasures).order_by(t.erasures.c.asked))),
        deleted=tuple(datastreams(connection, select(t.datastreams).where(t.datastreams.c.ended.is_not(None)))),
        partitions=partitions(connection),
    )


def partitions(connection: Connection) -> Partitions:
    """One, before their number was fixed."""
    workers = {row.number: row.worker for row in connection.execute(select(t.partitions))}
    placed = {row.organisation: row.partition for row in connection.execute(select(t.placements))}
    moved = {number: worker for number, worker in workers.items() if worker is not None}
    return Partitions(max(len(workers), 1), placed, moved)


@cache
def living(table: Table) -> Select[Any]:
    """What was not deleted."""
    return select(table).where(table.c.ended.is_(None))


def organisations(connection: Connection, query: Select[Any]) -> list[Organisation]:
    return [
        Organisation(OrganisationId(r.id), r.name, r.contact, r.homepage, r.suspended)
        for r in connection.execute(query.order_by(t.organisations.c.id))
    ]


def gateways(connection: Connection, query: Select[Any]) -> list[Gateway]:
    rows = connection.execute(query.order_by(t.gateways.c.organisation, t.gateways.c.id))
    found = [Gateway(OrganisationId(r.organisation), r.id, r.name, r.format, (), r.zone) for r in rows]
    of = _accounts(connection, [one.role for one in found])
    return [dataclasses.replace(one, accounts=of.get(one.role, ())) for one in found]


def key(row: Row[Any]) -> Key:
    """Of a row that has the columns of `keys`."""
    return Key(row.id, row.name, frozenset(row.scopes), row.created, row.expires, row.last_used)


def datastreams(connection: Connection, query: Select[Any]) -> list[Datastream]:
    rows = connection.execute(query.order_by(t.datastreams.c.organisation, t.datastreams.c.id))
    return [_datastream(r) for r in rows]


def applications(connection: Connection, query: Select[Any]) -> list[Application]:
    rows = connection.execute(query.order_by(t.applications.c.id))
    found = [Application(ApplicationId(r.id), OrganisationId(r.organisation), r.name, ()) for r in rows]
    of = _accounts(connection, [one.role for one in found])
    return [dataclasses.replace(one, accounts=of.get(one.role, ())) for one in found]


# made once: building a statement takes longer than SQLite takes to answer it
_AGREEMENTS = (
    select(
        t.agreements,
        t.applications.c.organisation.label("holder"),
        t.organisations.c.suspended,
        t.offer_versions.c.terms,
    )
    .join(t.applications, t.applications.c.id == t.agreements.c.application)
    .join(
        t.offer_versions,
        (t.offer_versions.c.offer == t.agreements.c.offer) & (t.offer_versions.c.version == t.agreements.c.version),
    )
    .join(t.offers, t.offers.c.id == t.agreements.c.offer)
    .join(t.organisations, t.organisations.c.id == t.applications.c.organisation)
)
_RELEASES = (
    select(t.releases, t.datastreams, t.releases.c.id.label("release"), t.releases.c.offer.label("of"))
    .join(
        t.datastreams,
        (t.datastreams.c.organisation == t.releases.c.organisation) & (t.datastreams.c.id == t.releases.c.datastream),
    )
    .order_by(t.releases.c.offer, t.releases.c.place)
)
_OFFERS = (
    select(t.offers, t.organisations.c.suspended, t.offer_versions.c.terms)
    .join(
        t.offer_versions,
        (t.offer_versions.c.offer == t.offers.c.id) & (t.offer_versions.c.version == t.offers.c.version),
    )
    .join(t.organisations, t.organisations.c.id == t.offers.c.organisation)
    .order_by(t.offers.c.id)
)


def agreements(connection: Connection, *which: ColumnElement[bool], page: Page | None = None) -> list[Agreement]:
    """The oldest first; with a page, by id."""
    query = _AGREEMENTS.where(*which)
    ordered = page.cut(query, t.agreements.c.id) if page else query.order_by(t.agreements.c.created, t.agreements.c.id)
    return [
        Agreement(
            id=AgreementId(r.id),
            offer=OfferId(r.offer),
            application=ApplicationId(r.application),
            purpose=r.purpose,
            state=r.state,
            created=r.created,
            holder=OrganisationId(r.holder),
            terms=TERMS.validate_python(r.terms),
            version=r.version,
            reason=r.reason,
            suspended=r.suspended is not None,
        )
        for r in connection.execute(ordered)
    ]


def offers(connection: Connection, ids: Select[Any] | str | None = None) -> list[Offer]:
    """All offers, the one with this id, or those with these, by id; their releases in the order that the owner gave."""
    releases, chosen = _RELEASES, _OFFERS
    if isinstance(ids, str):
        releases, chosen = releases.where(t.releases.c.offer == ids), chosen.where(t.offers.c.id == ids)
    elif ids is not None:
        of = ids.subquery()
        releases = releases.join(of, of.c.id == t.releases.c.offer)
        chosen = chosen.join(of, of.c.id == t.offers.c.id)
    by_offer: dict[str, list[Release]] = {}
    for row in connection.execute(releases):
        by_offer.setdefault(row.of, []).append(_release(row))
    return [
        Offer(
            OfferId(r.id),
            OrganisationId(r.organisation),
            PROFILE.validate_python(r.profile),
            TERMS.validate_python(r.terms),
            tuple(by_offer.get(r.id, ())),
            r.created,
            version=r.version,
            withdrawn=r.ended,
            suspended=r.suspended is not None,
        )
        for r in connection.execute(chosen)
    ]


def notices(connection: Connection, *which: ColumnElement[bool]) -> list[Notice]:
    """Those that were not taken down, the oldest first."""
    query = select(t.notices).where(t.notices.c.ended.is_(None), *which).order_by(t.notices.c.time, t.notices.c.id)
    return [notice(row) for row in connection.execute(query)]


def notice(row: Row[Any]) -> Notice:
    return Notice(
        row.id,
        ApplicationId(row.application),
        AgreementId(row.agreement),
        OfferId(row.offer),
        row.event,
        row.time,
        row.until,
        row.reason,
    )


def consents(connection: Connection, *which: ColumnElement[bool]) -> list[Consent]:
    """The oldest first."""
    query = select(t.consents).where(*which).order_by(t.consents.c.given, t.consents.c.tag, t.consents.c.purpose)
    return [Consent(r.tag, r.purpose, r.given, r.withdrawn) for r in connection.execute(query)]


def _standing_consents(connection: Connection) -> dict[str, tuple[Consent, ...]]:
    by_tag: dict[str, list[Consent]] = {}
    for one in consents(connection, t.consents.c.withdrawn.is_(None)):
        by_tag.setdefault(one.tag, []).append(one)
    return {tag: tuple(of) for tag, of in by_tag.items()}


def ledger(connection: Connection, after: int, limit: int) -> list[EntryFields]:
    """Entries after this seq, oldest first."""
    rows = list(
        connection.execute(select(t.ledger).where(t.ledger.c.seq > after).order_by(t.ledger.c.seq).limit(limit))
    )
    texts = _texts(connection, rows[0].seq, rows[-1].seq) if rows else {}
    return [
        shown(
            {"seq": r.seq, "time": r.time, "event": r.event, **r.facts, "previous": r.previous, "hash": r.hash},
            texts.get(r.seq, {}),
        )
        for r in rows
    ]


def _texts(connection: Connection, first: int, last: int) -> dict[int, dict[str, Text]]:
    """What still stands beside these entries, by seq and field."""
    found: dict[int, dict[str, Text]] = {}
    for r in connection.execute(select(t.ledger_texts).where(t.ledger_texts.c.seq.between(first, last))):
        found.setdefault(r.seq, {})[r.field] = Text(r.salt, r.text)
    return found


def checkpoints(connection: Connection, *which: ColumnElement[bool], limit: int | None = None) -> list[Checkpoint]:
    """By entry, the oldest first."""
    query = select(t.checkpoints).where(*which).order_by(t.checkpoints.c.seq, t.checkpoints.c.time).limit(limit)
    return [Checkpoint(r.seq, r.time, r.hash, r.key, r.signature) for r in connection.execute(query)]


def announced_key(connection: Connection) -> str | None:
    """The public key that signs now, as the ledger says."""
    query = select(t.ledger.c.facts).where(t.ledger.c.event == KEY_ANNOUNCED).order_by(t.ledger.c.seq.desc()).limit(1)
    facts = connection.execute(query).scalar()
    return None if facts is None else str(facts["key"])


def offered(connection: Connection) -> dict[tuple[str, str], list[str]]:
    """The offers that stand, by organisation and datastream."""
    query = select(t.releases).join(t.offers, t.offers.c.id == t.releases.c.offer).where(t.offers.c.ended.is_(None))
    found: dict[tuple[str, str], list[str]] = {}
    for row in connection.execute(query.order_by(t.releases.c.offer)):
        found.setdefault((row.organisation, row.datastream), []).append(row.offer)
    return found


def _datastream(row: Row[tuple[object, ...]]) -> Datastream:
    place = Place(row.longitude, row.latitude) if row.longitude is not None else None
    return Datastream(
        organisation=OrganisationId(row.organisation),
        id=row._mapping[t.datastreams.c.id],  # noqa: SLF001 - SQLAlchemy's public name for it
        gateway=row.gateway,
        kind=row.kind,
        observed_property=row.observed_property,
        unit=row.unit,
        place=place,
        theme=row.theme,
        personal_data=row.personal_data,
        location_h3=row.location_h3,
        privacy_unit=row.privacy_unit,
        privacy_unit_id=row.privacy_unit_id,
        asset_prefixes=tuple(row.asset_prefixes),
        description=row.description,
        origin=None if row.origin_property is None else Origin(row.origin_device, row.origin_property, row.origin_unit),
        simulated=row.simulated,
        smooth=row.smooth,
        closed=row.closed,
    )


def _release(row: Row[tuple[object, ...]]) -> Release:
    return Release(ReleaseId(row.release), OfferId(row.of), _datastream(row), row.stream, row.number)


def _accounts(connection: Connection, roles: list[str]) -> dict[str, tuple[MqttAccount, ...]]:
    """The logins of these roles, each role's oldest first."""
    query = select(t.logins).order_by(t.logins.c.role, t.logins.c.created, t.logins.c.username)
    if len(roles) == 1:  # else all: a list of thousands takes longer than it saves
        query = query.where(t.logins.c.role == roles[0])
    return {
        role: tuple(
            MqttAccount(r.username, r.password_hash, r.salt, r.iterations, name=r.name, created=r.created) for r in of
        )
        for role, of in groupby(connection.execute(query), key=lambda r: str(r.role))
    }


def _by_application(found: list[Agreement]) -> dict[ApplicationId, tuple[Agreement, ...]]:
    grouped: dict[ApplicationId, list[Agreement]] = {}
    for agreement in found:
        grouped.setdefault(agreement.application, []).append(agreement)
    return {application: tuple(of) for application, of in grouped.items()}
