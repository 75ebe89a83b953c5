"""Sign-ups: who asked to join, what was decided by which criterion, and what expired unused."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, Row, exists, or_, select, update

from broker import keys
from broker.errors import Conflict, NotFound
from broker.model import Caller, Key, Organisation, OrganisationId
from broker.registry import tables as t
from broker.registry.database import Database
from broker.registry.keyring import add_hashed, forget_keys
from broker.registry.reading import Page
from broker.registry.record import record
from broker.registry.writing import add, end, unique
from broker.signup import SignUp

FORGOTTEN = {"name": "", "contact": None, "homepage": None, "statement": None, "key_hash": ""}


class SignUps:
    """Blocking calls; safe to use from several threads. All raise Unavailable. `now` is ns since 1970."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def one(self, signup: str) -> SignUp:
        """Raises NotFound."""
        with self._database.reading() as c:
            row = c.execute(select(t.signups).where(t.signups.c.id == signup)).first()
        if row is None:
            raise NotFound(f"there is no sign-up {signup}")
        return _signup(row)

    def waiting(self, page: Page) -> list[SignUp]:
        """Those to be decided, by id."""
        query = select(t.signups).where(t.signups.c.state == "requested")
        with self._database.reading() as c:
            return [_signup(row) for row in c.execute(page.cut(query, t.signups.c.id))]

    def ask(self, signup: SignUp) -> None:
        """Keep it until it is decided. Raises Conflict if there is such an organisation."""
        with self._database.changing() as c:
            _is_free(c, signup.organisation.id)
            _keep(c, signup)
            record(c, signup.created, "signup_requested", signup=signup.id)

    def admit(self, signup: SignUp) -> None:
        """Make the organisation at once. Raises Conflict if there is one of this id."""
        with self._database.changing() as c, unique(f"organisation {signup.organisation.id}"):
            _keep(c, signup)
            _make(c, signup, signup.created)

    def decide(self, signup: SignUp, criterion: str | None, reason: str | None, now: int) -> None:
        """Make the organisation, or refuse it by a criterion. Raises Conflict if it was decided before, or its id was taken since."""
        open_still = (t.signups.c.id == signup.id) & (t.signups.c.state == "requested")
        said = {"state": "granted"} if criterion is None else {"state": "refused", "criterion": criterion, **FORGOTTEN}
        with self._database.changing() as c, unique(f"organisation {signup.organisation.id}"):
            if not c.execute(update(t.signups).where(open_still).values(reason=reason, **said)).rowcount:
                raise Conflict(f"sign-up {signup.id} is {signup.state}: there is nothing to decide")
            if criterion is None:
                _make(c, signup, now)
            else:
                record(c, now, "signup_refused", signup=signup.id, by="operator", criterion=criterion, reason=reason)

    def expire(self, before: int, now: int) -> int:
        """End what was asked for, or made by sign-up, before then and is not decided or was never used; how many there were."""
        with self._database.reading() as c:
            due = [*_undecided(c, before), *_unused(c, before)]
        if not due:
            return 0
        with self._database.changing() as c:
            for row in (*_undecided(c, before), *_unused(c, before)):
                c.execute(update(t.signups).where(t.signups.c.id == row.id).values(state="expired", **FORGOTTEN))
                record(c, now, "signup_expired", signup=row.id)
                if row.state == "granted":
                    end(c, t.organisations, [t.organisations.c.id == row.organisation], now, contact=None)
                    forget_keys(c, Caller("organisation", row.organisation))
                    record(c, now, "organisation_removed", organisation=row.organisation, by="operator")
        return len(due)


def _is_free(connection: Connection, organisation: str) -> None:
    if connection.execute(select(t.organisations.c.id).where(t.organisations.c.id == organisation)).first():
        raise Conflict(f"there is already a organisation {organisation}")


def _keep(connection: Connection, signup: SignUp) -> None:
    organisation = signup.organisation
    add(
        connection,
        t.signups,
        id=signup.id,
        organisation=organisation.id,
        name=organisation.name,
        contact=organisation.contact,
        homepage=organisation.homepage,
        key_hash=signup.key_hash,
        statement=signup.statement,
        state=signup.state,
        created=signup.created,
    )


def _make(connection: Connection, signup: SignUp, now: int) -> None:
    organisation = signup.organisation
    add(connection, t.organisations, **asdict(organisation), created=now)
    first = Key(keys.new_id("key"), "first", created=now)
    add_hashed(connection, Caller("organisation", organisation.id), first, signup.key_hash)
    record(
        connection,
        now,
        "organisation_registered",
        organisation=organisation.id,
        name=organisation.name,
        signup=signup.id,
    )


def _undecided(connection: Connection, before: int) -> list[Row[tuple[object, ...]]]:
    asked = t.signups.c.created < before
    return list(connection.execute(select(t.signups).where(t.signups.c.state == "requested", asked)).all())


def _unused(connection: Connection, before: int) -> list[Row[tuple[object, ...]]]:
    """Organisations that were made by sign-up before then, and have never had anything or asked for anything."""
    o = t.organisations.c
    used = or_(
        *(
            exists().where(column == o.id)
            for column in (
                t.gateways.c.organisation,
                t.applications.c.organisation,
                t.requests.c.by,
                t.supports.c.organisation,
                t.disputes.c.by,
            )
        )
    )
    made = select(t.signups).join(t.organisations, o.id == t.signups.c.organisation)
    query = made.where(t.signups.c.state == "granted", o.created < before, o.ended.is_(None), ~used)
    return list(connection.execute(query).all())


def _signup(row: Row[tuple[object, ...]]) -> SignUp:
    organisation = Organisation(OrganisationId(row.organisation), row.name, contact=row.contact, homepage=row.homepage)
    return SignUp(row.id, organisation, row.key_hash, row.created, row.statement, row.state, row.criterion, row.reason)
