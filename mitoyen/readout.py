"""A partition's journal on NATS, written as the SQLite file that it would be on one machine: what a backup holds, and `mitoyen migrate journal`
moves to a stream again.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

from broker.home import Home
from broker.journal.jetstream import COUNTED
from broker.journal.sqlite import SqliteJournal
from broker.journal.stream import Stream
from broker.natsservers import named, reach
from broker.parts import journals
from broker.settings.settings import Settings

AT_ONCE = 4 << 20  # bytes that are read and written together
NO_LIMIT = 1 << 62  # what the disk has


def read_out(settings: Settings, home: Home, partition: int, file: Path) -> None:
    """Add to `file`, a copy of what is beside the journal, all batches that the stream holds, and count what was not counted yet.

    Nobody may trim the stream meanwhile. Raises Unavailable, and JournalFull where there is no room.
    """
    asyncio.run(_read_out(settings, journals.stream(settings, home, partition), file))


async def _read_out(settings: Settings, name: str, file: Path) -> None:
    with closing(SqliteJournal(file, limit_bytes=NO_LIMIT)) as journal:
        counted = journal.place(COUNTED)
        async with reach(named(settings)) as client:
            stream = Stream(client, name)
            after = (await stream.state()).first_seq - 1
            while packs := await stream.read(after, AT_ONCE):
                after = packs[-1][0]
                journal.take_over(packs, counted)
        journal.keep_places({COUNTED: after})
