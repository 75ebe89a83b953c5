"""Which keys a partition's tags are named by: whoever serves it must have the very same, or a tag would have two names in one epoch.

The keys lie in a file that machines may share; here is a digest of each, so that one which has another key, since its file is a
copy, names nothing. From 256 random bits nobody finds the key by its digest, nor once it is destroyed a name.
"""

from __future__ import annotations

import hashlib

import structlog

from broker.tables.protocol import Tables

log = structlog.get_logger()

SCHEMA = """
create table if not exists names (offer text, epoch integer, digest text not null, primary key (offer, epoch)) without rowid;
"""


class Names:
    """The first key that anyone has for an offer and epoch is the one."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        tables.make(SCHEMA)

    def agree(self, offer: str, epoch: int, key: bytes) -> bool:
        """Whether this is the key by which all name. Raises Unavailable, and LeaseLost."""
        digest = hashlib.sha256(b"mitoyen names" + key).hexdigest()
        with self._tables.changing():
            added = "insert into names values (?, ?, ?) on conflict (offer, epoch) do nothing"
            self._tables.execute(added, (offer, epoch, digest))
            known = self._tables.execute("select digest from names where offer = ? and epoch = ?", (offer, epoch))
        if known != [(digest,)]:
            log.error("names_differ", offer=offer, epoch=epoch)
        return known == [(digest,)]
