"""The registry: what exists, who agreed to what, and the public record of it, changed together or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import URL, Connection, Table, insert, make_url, select, update
from sqlalchemy.exc import IntegrityError

from broker import keys, times
from broker.errors import Conflict, NotFound
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
    Release,
)
from broker.registry import ledger, reading
from broker.registry import tables as t
from broker.registry.database import Database
from broker.registry.ledger import EntryFields
from broker.registry.snapshot import Snapshot


class Registry:
    """Blocking calls; safe to use from several threads. `now` is always ns since 1970. All raise Unavailable."""

    def __init__(self, url: URL) -> None:
        self._database = Database(url)

    @classmethod
    def in_home(cls, home: Path, url: str | None = None, password: str | None = None) -> Registry:
        """The registry of a home: the PostgreSQL database at `url`, or SQLite beside everything else."""
        if url is None:
            return cls(URL.create("sqlite", database=str(home / "registry.sqlite")))
        named = make_url(url).set(drivername="postgresql+psycopg")
        return cls(named.set(password=password) if password else named)

    def migrate(self) -> None:
        self._database.migrate()

    def close(self) -> None:
        self._database.close()

    # --- reading

    def snapshot(self) -> Snapshot:
        with self._database.reading() as c:
            return reading.snapshot(c)

    def revision(self) -> int:
        with self._database.reading() as c:
            return int(c.execute(select(t.revision.c.number)).scalar_one())

    def organisations(self, after: str | None = None, limit: int | None = None) -> list[Organisation]:
        """By id, those after this one."""
        with self._database.reading() as c:
            return reading.organisations(c, after, limit)

    def offers(self, ids: list[str] | None = None) -> list[Offer]:
        with self._database.reading() as c:
            return reading.offers(c, ids)

    def offer(self, offer_id: str) -> Offer:
        """Raises NotFound."""
        found = self.offers([offer_id])
        if not found:
            raise NotFound(f"there is no offer {offer_id}")
        return found[0]

    def release(self, release_id: str) -> tuple[Release, Offer]:
        """Raises NotFound."""
        with self._database.reading() as c:
            of = c.execute(select(t.releases.c.offer).where(t.releases.c.id == release_id)).scalar()
            for offer in reading.offers(c, [of]) if of else []:
                for release in offer.releases:
                    if release.id == release_id:
                        return release, offer
        raise NotFound(f"there is no release {release_id}")

    def gateway(self, organisation: str, gateway_id: str) -> Gateway:
        """Raises NotFound."""
        with self._database.reading() as c:
            found = reading.gateways(
                c, select(t.gateways).where(t.gateways.c.organisation == organisation, t.gateways.c.id == gateway_id)
            )
        if not found:
            raise NotFound(f"there is no gateway {gateway_id} of {organisation}")
        return found[0]

    def datastreams(self, organisation: str | None = None) -> list[Datastream]:
        query = select(t.datastreams)
        if organisation is not None:
            query = query.where(t.datastreams.c.organisation == organisation)
        with self._database.reading() as c:
            return reading.datastreams(c, query)

    def application(self, application_id: str) -> Application:
        """Raises NotFound."""
        with self._database.reading() as c:
            found = reading.applications(c, select(t.applications).where(t.applications.c.id == application_id))
        if not found:
            raise NotFound(f"there is no application {application_id}")
        return found[0]

    def agreement(self, agreement_id: str) -> Agreement:
        """Raises NotFound."""
        with self._database.reading() as c:
            found = reading.agreements(c, select(t.agreements).where(t.agreements.c.id == agreement_id))
        if not found:
            raise NotFound(f"there is no agreement {agreement_id}")
        return found[0]

    def agreement_between(self, application: str, offer: str) -> Agreement | None:
        """The one that is active, else the newest, else None."""
        with self._database.reading() as c:
            found = reading.agreements(
                c,
                select(t.agreements).where(t.agreements.c.application == application, t.agreements.c.offer == offer),
            )
        return next((a for a in found if a.state == "active"), found[-1] if found else None)

    def agreements(self, application: str) -> list[Agreement]:
        with self._database.reading() as c:
            return reading.agreements(c, select(t.agreements).where(t.agreements.c.application == application))

    def caller(self, key: str) -> Caller | None:
        """Whom a key belongs to, or None if it is nobody's."""
        with self._database.reading() as c:
            row = c.execute(select(t.keys).where(t.keys.c.hash == keys.key_hash(key))).first()
        return Caller(row.role, row.subject) if row else None

    def has_operator(self) -> bool:
        with self._database.reading() as c:
            return c.execute(select(t.keys.c.hash).where(t.keys.c.role == "operator")).first() is not None

    def ledger(self, after: int = 0, limit: int = 100) -> list[EntryFields]:
        with self._database.reading() as c:
            return reading.ledger(c, after, limit)

    def whole_ledger(self) -> Iterator[EntryFields]:
        after = 0
        while entries := self.ledger(after, 1_000):
            yield from entries
            after += len(entries)

    # --- changing

    def add_operator_key(self, key: str, now: int) -> None:
        with self._database.changing() as c:
            _add_key(c, Caller("operator", ""), key, now)

    def add_organisation(self, organisation: Organisation, key: str, now: int) -> None:
        """Raises Conflict."""
        with self._database.changing() as c, _unique(f"organisation {organisation.id}"):
            _add(c, t.organisations, **asdict(organisation), created=now)
            _add_key(c, Caller("organisation", organisation.id), key, now)
            _record(c, now, "organisation_registered", organisation=organisation.id, name=organisation.name)

    def add_gateway(self, gateway: Gateway, now: int) -> None:
        """Raises Conflict."""
        facts = asdict(gateway)
        with self._database.changing() as c, _unique(f"gateway {gateway.id}"):
            _add(c, t.gateways, **facts.pop("account"), **facts, created=now)

    def remove_gateway(self, organisation: str, gateway_id: str) -> None:
        """Take back one that could not be made known to Mosquitto."""
        with self._database.changing() as c:
            c.execute(
                t.gateways.delete().where(t.gateways.c.organisation == organisation, t.gateways.c.id == gateway_id)
            )

    def add_datastream(self, datastream: Datastream, now: int) -> None:
        """Raises Conflict, and NotFound if the organisation has no such gateway."""
        self.gateway(datastream.organisation, datastream.gateway)
        facts = asdict(datastream)
        place = facts.pop("place") or {"longitude": None, "latitude": None}
        facts["asset_prefixes"] = list(datastream.asset_prefixes)
        with self._database.changing() as c, _unique(f"datastream {datastream.id}"):
            _add(c, t.datastreams, **place, **facts, created=now)

    def add_application(self, application: Application, key: str, now: int) -> None:
        """Raises Conflict."""
        facts = asdict(application)
        with self._database.changing() as c, _unique(f"application {application.id}"):
            _add(c, t.applications, **facts.pop("account"), **facts, created=now)
            _add_key(c, Caller("application", application.id), key, now)

    def remove_application(self, application_id: str) -> None:
        """Take back one that could not be made known to Mosquitto."""
        with self._database.changing() as c:
            c.execute(t.keys.delete().where(t.keys.c.role == "application", t.keys.c.subject == application_id))
            c.execute(t.applications.delete().where(t.applications.c.id == application_id))

    def add_offer(self, offer: Offer) -> None:
        """Raises Conflict."""
        with self._database.changing() as c, _unique(f"offer {offer.id}"):
            profile = reading.PROFILE.dump_python(offer.profile, mode="json")
            terms = reading.TERMS.dump_python(offer.terms, mode="json")
            _add(
                c,
                t.offers,
                id=offer.id,
                organisation=offer.organisation,
                profile=profile,
                terms=terms,
                created=offer.created,
            )
            for place, release in enumerate(offer.releases):
                _add(
                    c,
                    t.releases,
                    id=release.id,
                    offer=offer.id,
                    organisation=offer.organisation,
                    datastream=release.datastream.id,
                    stream=release.stream,
                    place=place,
                )
            _record(
                c,
                offer.created,
                "offer_published",
                offer=offer.id,
                organisation=offer.organisation,
                datastreams=[r.datastream.id for r in offer.releases],
                profile=offer.profile.name,
                licence=offer.terms.licence,
                purposes=list(offer.terms.purposes),
                access=offer.terms.access,
            )

    def add_agreement(self, agreement: Agreement) -> Agreement:
        """Make it, or return the one that these two have already for this purpose."""
        with self._database.changing() as c:
            same = select(t.agreements).where(
                t.agreements.c.application == agreement.application,
                t.agreements.c.offer == agreement.offer,
                t.agreements.c.state == "active",
            )
            for known in reading.agreements(c, same):
                if known.purpose == agreement.purpose:
                    return known
            _add(c, t.agreements, **asdict(agreement))
            _record(
                c,
                agreement.created,
                "agreement_accepted",
                agreement=agreement.id,
                offer=agreement.offer,
                application=agreement.application,
                purpose=agreement.purpose,
            )
        return agreement

    def refuse_agreement(self, offer: OfferId, application: ApplicationId, purpose: str, reason: str, now: int) -> None:
        """Put a refusal on the record."""
        with self._database.changing() as c:
            _record(c, now, "agreement_refused", offer=offer, application=application, purpose=purpose, reason=reason)

    def revoke_agreement(self, agreement_id: AgreementId, by: Caller, reason: str, now: int) -> bool:
        """End an agreement; whether it was still active."""
        with self._database.changing() as c:
            ended = c.execute(
                update(t.agreements)
                .where(t.agreements.c.id == agreement_id, t.agreements.c.state == "active")
                .values(state="revoked", ended=now, reason=reason)
            )
            if not ended.rowcount:
                return False
            _record(c, now, "agreement_revoked", agreement=agreement_id, by=by.role, whose=by.id, reason=reason)
            return True


def _add(connection: Connection, table: Table, **values: object) -> None:
    connection.execute(insert(table).values(**values))


def _add_key(connection: Connection, caller: Caller, key: str, now: int) -> None:
    _add(connection, t.keys, hash=keys.key_hash(key), role=caller.role, subject=caller.id, created=now)


def _record(connection: Connection, now: int, event: str, **facts: object) -> None:
    last = connection.execute(select(t.ledger.c.seq, t.ledger.c.hash).order_by(t.ledger.c.seq.desc()).limit(1)).first()
    seq, previous = (last.seq, last.hash) if last else (0, ledger.BEGINNING)
    entry = ledger.sealed(seq + 1, times.text(now), event, facts, previous)
    _add(
        connection,
        t.ledger,
        seq=seq + 1,
        time=entry["time"],
        event=event,
        facts=facts,
        previous=previous,
        hash=entry["hash"],
    )


@contextmanager
def _unique(what: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict(f"there is already a {what}") from error
