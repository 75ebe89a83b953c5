"""Keys for HTTP and logins for MQTT: several may live at once, so that one follows another without a gap. Only hashes are kept."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from broker import keys
from broker.errors import Conflict, NotFound
from broker.model import Caller, Key, MqttAccount
from broker.registry import reading
from broker.registry import tables as t
from broker.registry.database import Database
from broker.registry.record import record

MOST = 20
"""Keys, and logins, that one subject may have at once: a key for each machine of a team; more wants more applications."""

SESSION = "session"
"""What the ids of keys begin with that nobody was shown: of those who signed in with a provider's word."""
MOST_SESSIONS = 100
"""That one subject has at once: each lives for a working day."""


class Keyring:
    """`subject` is whose key it is, `by` who acts; `now` is ns since 1970. What the operator does for others is on the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keys(self, subject: Caller) -> list[Key]:
        """The oldest first, also those that expired."""
        with self._database.reading() as c:
            found = select(t.keys).where(*_of(subject)).order_by(t.keys.c.created, t.keys.c.id)
            return [reading.key(row) for row in c.execute(found)]

    def subject(self, key: str) -> Caller:
        """Whose key has this id. Raises NotFound."""
        with self._database.reading() as c:
            found = c.execute(select(t.keys.c.role, t.keys.c.subject).where(t.keys.c.id == key)).first()
        if found is None:
            raise NotFound(f"there is no key {key}")
        return Caller(found.role, found.subject)

    def add(self, subject: Caller, key: Key, secret: str, by: Caller) -> None:
        """Raises Conflict if there are too many."""
        with self._database.changing() as c:
            shown = t.keys.c.id.not_like(f"{SESSION}-%")
            count = c.execute(select(func.count()).select_from(t.keys).where(*_of(subject), shown)).scalar_one()
            _not_too_many(count, "keys")
            add_key(c, subject, key, secret)
            _record(c, "key_added", subject, by, key.created)

    def begin_session(self, subject: Caller, key: Key, secret: str) -> None:
        """A key that nobody is shown, whose id begins with SESSION. It ends those that expired and, of too many, the first."""
        mine = *_of(subject), t.keys.c.id.like(f"{SESSION}-%")
        with self._database.changing() as c:
            c.execute(t.keys.delete().where(*mine, t.keys.c.expires <= key.created))
            newest = select(t.keys.c.id).where(*mine).order_by(t.keys.c.created.desc()).limit(MOST_SESSIONS - 1)
            c.execute(t.keys.delete().where(*mine, t.keys.c.id.not_in(newest)))
            add_key(c, subject, key, secret)

    def end(self, subject: Caller, key: str, by: Caller, now: int) -> None:
        """From now on it opens nothing. Raises NotFound."""
        with self._database.changing() as c:
            found = c.execute(t.keys.delete().where(*_of(subject), t.keys.c.id == key))
            if not found.rowcount:
                raise NotFound(f"there is no key {key}")
            _record(c, "key_revoked", subject, by, now)

    def lives(self, key: str, now: int) -> bool:
        """Whether a key that was good before still is."""
        unexpired = t.keys.c.expires.is_(None) | (t.keys.c.expires > now)
        with self._database.reading() as c:
            return c.execute(select(t.keys.c.id).where(t.keys.c.id == key, unexpired)).first() is not None

    def used(self, when: Mapping[str, int]) -> None:
        """Note when keys were used last."""
        if not when:
            return
        with self._database.noting() as c:
            for key, moment in when.items():
                c.execute(update(t.keys).where(t.keys.c.id == key).values(last_used=moment))

    def add_login(self, role: str, account: MqttAccount) -> None:
        """Another login for the same role in Mosquitto. Raises Conflict if there are too many."""
        with self._database.changing() as c:
            count = c.execute(select(func.count()).select_from(t.logins).where(t.logins.c.role == role)).scalar_one()
            _not_too_many(count, "logins")
            add_login(c, role, account)

    def end_login(self, role: str, username: str) -> None:
        """Raises NotFound."""
        with self._database.changing() as c:
            if not c.execute(
                t.logins.delete().where(t.logins.c.role == role, t.logins.c.username == username)
            ).rowcount:
                raise NotFound(f"there is no login {username}")


def add_key(connection: Connection, subject: Caller, key: Key, secret: str) -> None:
    add_hashed(connection, subject, key, keys.key_hash(secret))


def add_hashed(connection: Connection, subject: Caller, key: Key, of: str) -> None:
    """The same of a secret whose hash alone is known."""
    connection.execute(
        insert(t.keys).values(
            hash=of,
            id=key.id,
            role=subject.role,
            subject=subject.id,
            name=key.name,
            scopes=sorted(key.scopes),
            created=key.created,
            expires=key.expires,
        )
    )


def first_key(connection: Connection, subject: Caller, secret: str, now: int) -> None:
    """The key that a subject is made with: it may do everything."""
    add_key(connection, subject, Key(keys.new_id("key"), "first", created=now), secret)


def forget_keys(connection: Connection, subject: Caller) -> None:
    connection.execute(t.keys.delete().where(*_of(subject)))


def add_login(connection: Connection, role: str, account: MqttAccount) -> None:
    connection.execute(
        insert(t.logins).values(
            username=account.username,
            role=role,
            name=account.name,
            password_hash=account.password_hash,
            salt=account.salt,
            iterations=account.iterations,
            created=account.created,
        )
    )


def forget_logins(connection: Connection, role: str) -> None:
    connection.execute(t.logins.delete().where(t.logins.c.role == role))


def _of(subject: Caller) -> tuple[ColumnElement[bool], ...]:
    return t.keys.c.role == subject.role, t.keys.c.subject == subject.id


def _not_too_many(count: int, what: str) -> None:
    if count >= MOST:
        raise Conflict(f"there are {count} {what} already: revoke one first")


def _record(connection: Connection, event: str, subject: Caller, by: Caller, now: int) -> None:
    if by.role == "operator":
        record(connection, now, event, by=by.role, role=subject.role, whose=subject.id)
