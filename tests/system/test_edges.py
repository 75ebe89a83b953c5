"""Several Mosquittos, each with a process that takes in: whoever dies, what had a receipt is kept once, heard at each, and revoked at each."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from bench.cluster.world import servers
from broker import times
from broker.partition import spread
from tests.owners import new_owner, new_reader
from tests.publisher import CertainDevice
from tests.servers import Mitoyen
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.owners import Owner

BEGIN = times.parse("2026-01-01T00:00:00Z")
COUNT = 1_500
NAMES = ["north", "river"]


def message(number: int) -> str:
    return json.dumps({"time": times.text(BEGIN + number * times.SECOND), "value": number})


@pytest.mark.timeout(300)  # fifteen processes start, and two again
def test_what_comes_at_any_edge_is_kept_once_and_heard_at_each_whoever_dies_until_it_is_revoked(tmp_path: Path) -> None:
    assert {spread(name, 2) for name in NAMES} == {0, 1}, "one for each edge, and each partition"
    city = tmp_path / "city"
    city.mkdir()
    with servers(tmp_path, partitions=2, edges=2) as settings:
        own = {name.removeprefix("MITOYEN_"): value for name, value in settings.items()}
        with Mitoyen(city, store=own.pop("STORE"), environment=own) as broker:
            owners, reader = [new_owner(broker, name) for name in NAMES], new_reader(broker, "patient")
            assert len({owner.mqtt["port"] for owner in owners}) == 2
            agreements = [reader.agree(_offered(owner)["id"]) for owner in owners]
            ends = [{**reader.mqtt, "port": owner.mqtt["port"]} for owner in owners]
            with Subscriber(ends[0], "a") as here, Subscriber(ends[1], "b") as there:
                for one in (here, there):
                    one.subscribe("live/#")
                with ThreadPoolExecutor() as together:
                    for device in [together.submit(_deliver, owner, _disasters(broker, owner)) for owner in owners]:
                        device.result()
                for one in (here, there):
                    one.await_that(
                        lambda _, one=one: _heard(one) == {(name, n) for name in NAMES for n in range(COUNT)}
                    )
                for agreement in agreements:
                    kept = Counter(
                        (one["time"], one["value"]) for one in reader.history(agreement["releases"][0]["id"])
                    )
                    assert kept == Counter((times.text(BEGIN + n * times.SECOND), n) for n in range(COUNT))
                    broker.call(reader.key, "DELETE", f"agreements/{agreement['id']}", {"reason": "The test is over"})
                for one in (here, there):
                    one.ping()
                    one.messages.clear()
                for owner in owners:
                    _deliver(owner, lambda _: None, COUNT, COUNT + 1)
                for one in (here, there):
                    one.ping()
                    assert not _heard(one)


def _offered(owner: Owner) -> dict[str, Any]:
    owner.datastream("d")
    return owner.offer(["d"])


def _deliver(owner: Owner, on_progress: Callable[[int], None], begin: int = 0, end: int = COUNT) -> None:
    with CertainDevice(owner.mqtt) as device:
        device.deliver("d", map(message, range(begin, end)), on_progress)
        assert set(map(str, device.receipts.values())) == {"{'stored': 1}"}


def _disasters(broker: Mitoyen, owner: Owner) -> Callable[[int], None]:
    """Of the first owner's edge and worker each once, on the way; of the other's nothing."""
    due = [(2 * COUNT // 3, "worker-"), (COUNT // 3, "edge-")] if owner.id == NAMES[0] else []

    def happen(receipts: int) -> None:
        if due and receipts > due[-1][0]:
            broker.kill(due.pop()[1] + str(spread(owner.id, 2)))

    return happen


def _heard(subscriber: Subscriber) -> set[tuple[str, int]]:
    """(owner, value) of all that it was told, packs included."""
    return {
        (topic.split("/")[1], int(one["value"]))
        for topic, said in list(subscriber.messages)
        for one in (said if isinstance(said, list) else [said])
        if one and topic.startswith("live/")
    }
