"""Rows of the registry as plain values."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, Select, select

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
    Organisation,
    OrganisationId,
    Release,
    ReleaseId,
)
from broker.place import Place
from broker.privacy.profile import Profile
from broker.registry import tables as t
from broker.registry.ledger import EntryFields
from broker.registry.snapshot import Snapshot

PROFILE: TypeAdapter[Profile] = TypeAdapter(Profile)
TERMS: TypeAdapter[Terms] = TypeAdapter(Terms)


def snapshot(connection: Connection) -> Snapshot:
    """Everything that the broker works with, at one moment."""
    return Snapshot(
        revision=connection.execute(select(t.revision.c.number)).scalar_one(),
        gateways=tuple(gateways(connection)),
        datastreams=tuple(datastreams(connection)),
        applications=tuple(applications(connection)),
        offers={offer.id: offer for offer in offers(connection)},
        agreements=_by_application(
            agreements(connection, select(t.agreements).where(t.agreements.c.state == "active"))
        ),
    )


def organisations(connection: Connection, after: str | None = None, limit: int | None = None) -> list[Organisation]:
    query = select(t.organisations).order_by(t.organisations.c.id).limit(limit)
    if after is not None:
        query = query.where(t.organisations.c.id > after)
    rows = connection.execute(query)
    return [Organisation(OrganisationId(r.id), r.name, r.contact, r.homepage) for r in rows]


def gateways(connection: Connection, where: Select[tuple[object, ...]] | None = None) -> list[Gateway]:
    query = where if where is not None else select(t.gateways)
    rows = connection.execute(query.order_by(t.gateways.c.organisation, t.gateways.c.id))
    return [Gateway(OrganisationId(r.organisation), r.id, r.name, r.format, _account(r)) for r in rows]


def datastreams(connection: Connection, where: Select[tuple[object, ...]] | None = None) -> list[Datastream]:
    query = where if where is not None else select(t.datastreams)
    rows = connection.execute(query.order_by(t.datastreams.c.organisation, t.datastreams.c.id))
    return [_datastream(r) for r in rows]


def applications(connection: Connection, where: Select[tuple[object, ...]] | None = None) -> list[Application]:
    query = where if where is not None else select(t.applications)
    rows = connection.execute(query.order_by(t.applications.c.id))
    return [Application(ApplicationId(r.id), OrganisationId(r.organisation), r.name, _account(r)) for r in rows]


def agreements(connection: Connection, query: Select[tuple[object, ...]]) -> list[Agreement]:
    rows = connection.execute(query.order_by(t.agreements.c.created, t.agreements.c.id))
    return [
        Agreement(
            AgreementId(r.id), OfferId(r.offer), ApplicationId(r.application), r.purpose, r.state, r.created, r.reason
        )
        for r in rows
    ]


def offers(connection: Connection, ids: Sequence[str] | None = None) -> list[Offer]:
    """Offers with their releases in the order that the owner gave; all of them, or those of `ids`."""
    chosen = select(t.offers).order_by(t.offers.c.created, t.offers.c.id)
    joined = select(t.releases, t.datastreams, t.releases.c.id.label("release"), t.releases.c.offer.label("of")).join(
        t.datastreams,
        (t.datastreams.c.organisation == t.releases.c.organisation) & (t.datastreams.c.id == t.releases.c.datastream),
    )
    if ids is not None:
        chosen, joined = chosen.where(t.offers.c.id.in_(ids)), joined.where(t.releases.c.offer.in_(ids))
    by_offer: dict[str, list[Release]] = {}
    for row in connection.execute(joined.order_by(t.releases.c.offer, t.releases.c.place)):
        by_offer.setdefault(row.of, []).append(_release(row))
    return [
        Offer(
            OfferId(r.id),
            OrganisationId(r.organisation),
            PROFILE.validate_python(r.profile),
            TERMS.validate_python(r.terms),
            tuple(by_offer.get(r.id, ())),
            r.created,
        )
        for r in connection.execute(chosen)
    ]


def ledger(connection: Connection, after: int, limit: int) -> list[EntryFields]:
    """Entries after this seq, oldest first."""
    rows = connection.execute(select(t.ledger).where(t.ledger.c.seq > after).order_by(t.ledger.c.seq).limit(limit))
    return [
        {"seq": r.seq, "time": r.time, "event": r.event, **r.facts, "previous": r.previous, "hash": r.hash}
        for r in rows
    ]


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
        privacy_unit=row.privacy_unit,
        asset_prefixes=tuple(row.asset_prefixes),
        description=row.description,
    )


def _release(row: Row[tuple[object, ...]]) -> Release:
    return Release(ReleaseId(row.release), OfferId(row.of), _datastream(row), row.stream)


def _account(row: Row[tuple[object, ...]]) -> MqttAccount:
    return MqttAccount(row.username, row.password_hash, row.salt, row.iterations)


def _by_application(found: list[Agreement]) -> dict[ApplicationId, tuple[Agreement, ...]]:
    grouped: dict[ApplicationId, list[Agreement]] = {}
    for agreement in found:
        grouped.setdefault(agreement.application, []).append(agreement)
    return {application: tuple(of) for application, of in grouped.items()}
