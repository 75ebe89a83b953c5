"""Writing the public record: entries, the texts beside them, checkpoints. Nothing here changes or removes an entry."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, insert, select, update

from broker import keys, times
from broker.errors import NotFound
from broker.registry import checkpoint, ledger, reading
from broker.registry import tables as t
from broker.registry.checkpoint import Checkpoint
from broker.registry.database import Database

ERASED = "(erased)"
"""What stands where a text was that may not be empty."""


def record(connection: Connection, now: int, event: str, **facts: object) -> None:
    """Put an event on the record, within the change that it tells of; free text among its facts beside the chain."""
    last, previous = _last(connection)
    seq = last + 1
    chained = {name: value for name, value in facts.items() if not ledger.is_text(name, value)}
    texts = {name: ledger.Text(keys.new_salt(), str(facts[name])) for name in facts if name not in chained}
    entry = ledger.sealed(seq, times.text(now), event, chained, previous, texts)
    if texts:
        chained["digests"] = entry["digests"]
    connection.execute(
        insert(t.ledger).values(
            seq=seq, time=entry["time"], event=event, facts=chained, previous=previous, hash=entry["hash"]
        )
    )
    for name, text in texts.items():
        connection.execute(insert(t.ledger_texts).values(seq=seq, field=name, salt=text.salt, text=text.text))


class PublicRecord:
    """What is done with the record itself. `now` is ns since 1970."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def erase_text(self, seq: int, field: str, reason: str, now: int) -> None:
        """Erase a text of an entry and where the registry repeats it, on the record. Raises NotFound."""
        which = (t.ledger_texts.c.seq == seq, t.ledger_texts.c.field == field)
        with self._database.changing() as c:
            text = c.execute(select(t.ledger_texts.c.text).where(*which)).scalar()
            if text is None:
                raise NotFound(f"entry {seq} has no text {field}")
            c.execute(t.ledger_texts.delete().where(*which))
            _erase_repeated(c, c.execute(select(t.ledger.c.facts).where(t.ledger.c.seq == seq)).scalar_one(), text)
            record(c, now, ledger.TEXT_ERASED, by="operator", entry=seq, field=field, reason=reason)

    def announce_key(self, key: str, now: int) -> None:
        """Say who signs from now on, if it is another than before."""
        with self._database.changing() as c:
            if reading.announced_key(c) != key:
                record(c, now, ledger.KEY_ANNOUNCED, by="operator", key=key)

    def sign(self, key: Ed25519PrivateKey, now: int) -> Checkpoint:
        """Sign the record as it is; what this key signed at this entry before is given again."""
        with self._database.noting() as c:
            seq, head = _last(c)
            public = checkpoint.public(key)
            for known in reading.checkpoints(c, t.checkpoints.c.seq == seq, t.checkpoints.c.key == public):
                return known
            made = Checkpoint(seq, times.text(now), head, public).signed(key)
            c.execute(insert(t.checkpoints).values(**made._asdict()))
            return made


def _last(connection: Connection) -> tuple[int, str]:
    """Seq and hash of the last entry."""
    newest = select(t.ledger.c.seq, t.ledger.c.hash).order_by(t.ledger.c.seq.desc()).limit(1)
    last = connection.execute(newest).first()
    return (last.seq, last.hash) if last else (0, ledger.BEGINNING)


def _erase_repeated(connection: Connection, facts: dict[str, object], text: str) -> None:
    """Agreements, notices and charges repeat a reason, and so does a suspension."""
    charge = (t.charges.c.id == facts.get("charge"), t.charges.c.reason == text)
    connection.execute(update(t.charges).where(*charge).values(reason=None))
    for column in (t.agreements.c.id, t.notices.c.agreement):
        same = (column == facts.get("agreement"), column.table.c.reason == text)
        connection.execute(update(column.table).where(*same).values(reason=None))
    same = (t.organisations.c.id == facts.get("organisation"), t.organisations.c.suspended == text)
    connection.execute(update(t.organisations).where(*same).values(suspended=ERASED))
