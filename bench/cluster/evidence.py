"""How far records got that are missing: what died as they were sent, and whether the journal, the raw store and history had them.

The journal forgets what its readers are done with, unless it is held, as for a backup.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple, TypeAlias

import msgspec

from bench.cluster.watching import Watch
from bench.cluster.world import PARTITIONS
from bench.faults.load import BEGIN, Publisher
from bench.faults.world import World
from broker import control, times
from broker.entry import Entry
from broker.errors import Unavailable
from broker.home import Home
from broker.journal.stream import Stream
from broker.natsservers import named, reach
from broker.opening import transport
from broker.parts import journals, stores
from broker.settings.settings import Settings
from broker.transport.protocol import ACCESS
from tests.servers import Mitoyen

BEFORE_S = 5.0
"""Whatever died so long before a record was sent, or since and before its receipt should have come, may have to do with it."""
AT_ONCE = 8 << 20
AGAIN_S = 0.3
Where: TypeAlias = Mapping[str, Mapping[int, list[int]]]
"""By input topic and number of the record: the batches that it is in."""


class Death(NamedTuple):
    """What was killed, and when (unix time)."""

    at: float
    kind: str


class Held(Watch):
    """Has the journal forget nothing while the `with` lasts, but what a worker trims that has just begun, until it is told."""

    def __init__(self, broker: Mitoyen) -> None:
        super().__init__(AGAIN_S)
        self._calls = transport(*_of(broker))

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._calls.close()

    def look(self) -> None:
        with suppress(Unavailable):  # what answers may just have died
            self._calls.to(ACCESS).call(control.HoldJournal())


def journalled(broker: Mitoyen) -> Where:
    """All that it holds: of what a worker trimmed that had just begun, before it was told to hold, nothing. Raises Unavailable."""
    return asyncio.run(_journalled(*_of(broker)))


async def _journalled(settings: Settings, home: Home) -> Where:
    found: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    decode = msgspec.msgpack.Decoder(list[Entry]).decode
    async with reach(named(settings)) as client:
        for partition in range(PARTITIONS):
            stream = Stream(client, journals.stream(settings, home, partition))
            place = (await stream.state()).first_seq - 1
            while packs := await stream.read(place, AT_ONCE):
                for seq, body in packs:
                    for topic, number in (each for entry in decode(body) for each in _numbers(entry)):
                        found[topic][number].append(seq)
                place = packs[-1][0]
    return found


def of_missing(
    world: World, publisher: Publisher, spans: Sequence[tuple[int, int]], deaths: Iterable[Death], where: Where
) -> list[dict[str, Any]]:
    """Of each span of missing numbers (first and last) what is known."""
    topic = world.owner.mqtt["topic"].replace("{datastream}", publisher.datastream)
    settings, home = _of(world.broker)
    found = []
    with closing(stores.raw(settings, home)) as raw:
        for first, last in spans:
            sent, until = publisher.sent_at[first], publisher.sent_at[last]
            batches = {seq for number in range(first, last + 1) for seq in where.get(topic, {}).get(number, ())}
            stored = raw.read(
                f"{world.owner.id}/{publisher.datastream}", _time(first), _time(last + 1), limit=last + 1 - first
            )
            found.append({
                "topic": topic, "numbers": [first, last], "sent": [_text(sent), _text(until)], "batches": sorted(batches), "in_raw_store": len(stored),
                "died_s_before": [(one.kind, round(sent - one.at, 1)) for one in deaths if sent - BEFORE_S < one.at < until + BEFORE_S],
            })  # fmt: skip
    return found


def _numbers(entry: Entry) -> Iterable[tuple[str, int]]:
    return ((entry.topic, (point.time - BEGIN) // times.SECOND) for point in entry.points)


def _of(broker: Mitoyen) -> tuple[Settings, Home]:
    home = Home(broker.home)
    return Settings.model_validate_json(home.settings.read_bytes()), home


def _time(number: int) -> int:
    return BEGIN + number * times.SECOND


def _text(unix: float) -> str:
    return times.text(int(unix * times.SECOND))
