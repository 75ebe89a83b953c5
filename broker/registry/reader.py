"""Reading the registry: what exists, who agreed to what, who calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import URL, exists, make_url, select, tuple_

from broker import keys
from broker.errors import NotFound
from broker.model import (
    Agreement,
    Application,
    Caller,
    Datastream,
    Gateway,
    Notice,
    Offer,
    Organisation,
    Release,
)
from broker.registry import reading
from broker.registry import tables as t
from broker.registry.checkpoint import Checkpoint
from broker.registry.database import Database
from broker.registry.ledger import EntryFields
from broker.registry.reading import ASKED_AT_ONCE, WHOLE, Page, living
from broker.registry.snapshot import Snapshot

T = TypeVar("T")
READ_AT_ONCE = 1_000  # entries of the ledger: half a megabyte


class RegistryReader:
    """Blocking calls; safe to use from several threads. All raise Unavailable. Lists are by id."""

    def __init__(self, url: URL) -> None:
        self._database = Database(url)
        self._latest = Snapshot(-1)

    @classmethod
    def in_home(cls, home: Path, url: str | None = None, password: str | None = None) -> Self:
        """The registry of a home: the PostgreSQL database at `url`, or SQLite beside everything else."""
        if url is None:
            return cls(URL.create("sqlite", database=str(home / "registry.sqlite")))
        named = make_url(url).set(drivername="postgresql+psycopg")
        return cls(named.set(password=password) if password else named)

    def migrate(self) -> None:
        self._database.migrate()

    def close(self) -> None:
        self._database.close()

    def snapshot(self) -> Snapshot:
        with self._database.reading() as c:
            self._latest = found = reading.snapshot(c, self._latest)
        return found

    def revision(self) -> int:
        with self._database.reading() as c:
            return int(c.execute(select(t.revision.c.number)).scalar_one())

    def organisations(self, page: Page = WHOLE) -> list[Organisation]:
        with self._database.reading() as c:
            return reading.organisations(c, page.cut(living(t.organisations), t.organisations.c.id))

    def organisation(self, organisation: str) -> Organisation:
        """Raises NotFound."""
        with self._database.reading() as c:
            found = reading.organisations(c, living(t.organisations).where(t.organisations.c.id == organisation))
        return _one(found, f"organisation {organisation}")

    def gateways(self, organisation: str, page: Page = WHOLE) -> list[Gateway]:
        with self._database.reading() as c:
            own = living(t.gateways).where(t.gateways.c.organisation == organisation)
            return reading.gateways(c, page.cut(own, t.gateways.c.id))

    def gateway(self, organisation: str, gateway: str) -> Gateway:
        """Raises NotFound."""
        with self._database.reading() as c:
            own = living(t.gateways).where(t.gateways.c.organisation == organisation)
            found = reading.gateways(c, own.where(t.gateways.c.id == gateway))
        return _one(found, f"gateway {gateway} of {organisation}")

    def datastreams(self, organisation: str, page: Page = WHOLE) -> list[Datastream]:
        with self._database.reading() as c:
            own = living(t.datastreams).where(t.datastreams.c.organisation == organisation)
            return reading.datastreams(c, page.cut(own, t.datastreams.c.id))

    def datastreams_named(self, organisation: str, names: Sequence[str]) -> list[Datastream]:
        """Those of an organisation that there are of these."""
        own = living(t.datastreams).where(t.datastreams.c.organisation == organisation)
        with self._database.reading() as c:
            parts = (names[first : first + ASKED_AT_ONCE] for first in range(0, len(names), ASKED_AT_ONCE))
            return [one for part in parts for one in reading.datastreams(c, own.where(t.datastreams.c.id.in_(part)))]

    def datastream(self, organisation: str, datastream: str) -> Datastream:
        """Raises NotFound."""
        with self._database.reading() as c:
            own = living(t.datastreams).where(t.datastreams.c.organisation == organisation)
            found = reading.datastreams(c, own.where(t.datastreams.c.id == datastream))
        return _one(found, f"datastream {datastream} of {organisation}")

    def datastream_ids(self, organisation: str) -> set[str]:
        """Of all that it has or ever had: none is given again."""
        with self._database.reading() as c:
            own = select(t.datastreams.c.id).where(t.datastreams.c.organisation == organisation)
            return set(c.execute(own).scalars())

    def directory(
        self, after: tuple[str, str] | None, limit: int, organisation: str | None = None, *, closed: bool | None = None
    ) -> list[tuple[Datastream, list[str]]]:
        """Everyone's datastreams (or one's; those that nobody offers, or that somebody does), by organisation and id, each with the
        offers that it is in.
        """
        d = t.datastreams.c
        query = living(t.datastreams).limit(limit)
        if after is not None:
            query = query.where(tuple_(d.organisation, d.id) > tuple_(*after))
        if organisation is not None:
            query = query.where(d.organisation == organisation)
        if closed is not None:
            of = (t.releases.c.organisation == d.organisation) & (t.releases.c.datastream == d.id)
            stands = of & (t.releases.c.offer == t.offers.c.id) & t.offers.c.ended.is_(None)
            query = query.where(~exists().where(stands) if closed else exists().where(stands))
        with self._database.reading() as c:
            offers = reading.offered(c)
            return [(one, offers.get((one.organisation, one.id), [])) for one in reading.datastreams(c, query)]

    def applications(self, organisation: str, page: Page = WHOLE) -> list[Application]:
        with self._database.reading() as c:
            own = living(t.applications).where(t.applications.c.organisation == organisation)
            return reading.applications(c, page.cut(own, t.applications.c.id))

    def application(self, application: str) -> Application:
        """Raises NotFound."""
        with self._database.reading() as c:
            found = reading.applications(c, living(t.applications).where(t.applications.c.id == application))
        return _one(found, f"application {application}")

    def offers(self, page: Page = WHOLE, organisation: str | None = None) -> list[Offer]:
        """Those that were not withdrawn; of all organisations, or of one."""
        ids = select(t.offers.c.id).where(t.offers.c.ended.is_(None))
        if organisation is not None:
            ids = ids.where(t.offers.c.organisation == organisation)
        with self._database.reading() as c:
            return reading.offers(c, page.cut(ids, t.offers.c.id))

    def offer(self, offer: str) -> Offer:
        """Also one that was withdrawn: agreements and ledger name it. Raises NotFound."""
        with self._database.reading() as c:
            found = reading.offers(c, offer)
        return _one(found, f"offer {offer}")

    def release(self, release: str) -> tuple[Release, Offer]:
        """Raises NotFound."""
        with self._database.reading() as c:
            of = select(t.releases.c.offer.label("id")).where(t.releases.c.id == release)
            found = [(one, offer) for offer in reading.offers(c, of) for one in offer.releases if one.id == release]
        return _one(found, f"release {release}")

    def agreement(self, agreement: str) -> Agreement:
        """Raises NotFound."""
        with self._database.reading() as c:
            return _one(reading.agreements(c, t.agreements.c.id == agreement), f"agreement {agreement}")

    def agreements_between(self, application: str, offer: str) -> list[Agreement]:
        """In whatever state, the oldest first: there may be one for each purpose."""
        with self._database.reading() as c:
            return reading.agreements(c, t.agreements.c.application == application, t.agreements.c.offer == offer)

    def agreements(self, party: Caller, page: Page = WHOLE) -> list[Agreement]:
        """An application's; an organisation's, as owner of the offer or of the application."""
        if party.role == "application":
            own = t.agreements.c.application == party.id
        else:
            own = (t.applications.c.organisation == party.id) | (t.offers.c.organisation == party.id)
        with self._database.reading() as c:
            return reading.agreements(c, own, page=page)

    def notices(self, party: Caller | None = None) -> list[Notice]:
        """What stands: of an application, of all of an organisation's, or of everyone's."""
        if party is None:
            own = []
        elif party.role == "application":
            own = [t.notices.c.application == party.id]
        else:
            of = select(t.applications.c.id).where(t.applications.c.organisation == party.id)
            own = [t.notices.c.application.in_(of)]
        with self._database.reading() as c:
            return reading.notices(c, *own)

    def caller(self, key: str) -> Caller | None:
        """Whom a key belongs to, or None if it is nobody's. Whether it expired is for the caller of this to see."""
        return self.caller_of(keys.key_hash(key))

    def caller_of(self, key_hash: str) -> Caller | None:
        """The same of a key whose hash alone is known."""
        holder = (t.keys.c.role == "application") & (t.applications.c.id == t.keys.c.subject)
        own = (t.keys.c.role == "organisation") & (t.organisations.c.id == t.keys.c.subject)
        query = (
            select(t.keys, t.organisations.c.suspended)
            .outerjoin(t.applications, holder)
            .outerjoin(t.organisations, own | (t.organisations.c.id == t.applications.c.organisation))
            .where(t.keys.c.hash == key_hash)
        )
        with self._database.reading() as c:
            row = c.execute(query).first()
        return Caller(row.role, row.subject, row.suspended is not None, reading.key(row)) if row else None

    def has_operator(self) -> bool:
        with self._database.reading() as c:
            return c.execute(select(t.keys.c.hash).where(t.keys.c.role == "operator")).first() is not None

    def ledger(self, after: int = 0, limit: int = 100) -> list[EntryFields]:
        with self._database.reading() as c:
            return reading.ledger(c, after, limit)

    def whole_ledger(self, after: int = 0, through: int | None = None) -> Iterator[EntryFields]:
        """Entries from `after` on, up to `through` if it is given, each with its checkpoints right behind it."""
        while entries := self.ledger(after, READ_AT_ONCE if through is None else min(READ_AT_ONCE, through - after)):
            signed = iter(self.checkpoints(after, after + len(entries)))
            waiting = next(signed, None)
            for entry in entries:
                yield entry
                after += 1
                while waiting is not None and waiting.seq == after:
                    yield waiting.fields()
                    waiting = next(signed, None)

    def checkpoints(self, after: int, through: int | None = None, limit: int | None = None) -> list[Checkpoint]:
        """Signed at entries after this one, up to `through` if it is given; the oldest first."""
        which = [t.checkpoints.c.seq > after]
        which += [] if through is None else [t.checkpoints.c.seq <= through]
        with self._database.reading() as c:
            return reading.checkpoints(c, *which, limit=limit)

    def announced_key(self) -> str:
        """The public key that signs checkpoints now. Raises NotFound."""
        with self._database.reading() as c:
            found = reading.announced_key(c)
        return _one([found] if found else [], "key announced that signs checkpoints")


def _one(found: list[T], what: str) -> T:
    if not found:
        raise NotFound(f"there is no {what}")
    return found[0]
