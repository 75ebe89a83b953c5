"""Several workers give what one gives, and a partition goes from one to another while messages flow."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bench.faults.partitions import move
from broker import times
from broker.partition import Partitions
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.publisher import Device
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = times.parse("2026-01-01T00:00:00Z")
COUNT = 3
NAMES = ["north", "east", "west"]
PROFILES: dict[str, list[dict[str, Any]]] = {
    "whole": [],
    "minutes": [{"op": "aggregate", "window": "PT1M", "statistics": ["count", "mean", "max"]}],
    "sampled": [{"op": "sample", "every": "PT2M"}],
}
READS = [{"op": "aggregate", "window": "PT5M", "statistics": ["count"], "k": 5}]


def measurements(chance: random.Random) -> list[str]:
    """A device's messages: in order, late, twice, corrected, in packs, without a time, and wrong."""
    numbers = list(range(240))
    late = chance.sample(numbers, 40)
    order = [n for n in numbers if n not in late] + late + chance.sample(numbers, 30)
    said = [{"time": times.text(BEGIN + n * 7 * times.SECOND), "value": n} for n in order]
    corrected = [{**one, "value": one["value"] + 1_000} for one in chance.sample(said, 10)]
    single = [json.dumps(one) for one in said + corrected]
    packs = [json.dumps(said[at : at + 5]) for at in range(0, 50, 5)]
    wrong = ["nonsense", "[]", json.dumps({"value": "warm"}), json.dumps([said[0], {"value": None}])]
    return single + packs + wrong


def reads(chance: random.Random) -> list[str]:
    """Of tags, long after their windows are closed: nothing of them is shown, and all of it is counted."""
    return [
        json.dumps({"time": times.text(BEGIN + n * times.SECOND), "epc": f"urn:epc:id:sgtin:0614141.112345.{n % 9}"})
        for n in chance.sample(range(100), 60)
    ]


def played(folder: Path, partitions: int) -> dict[str, Any]:
    """All that anyone can see of the same messages, with so many partitions."""
    folder.mkdir()
    with Mitoyen(folder, environment={"PARTITIONS": str(partitions)}) as broker:
        owners = {name: new_owner(broker, name) for name in NAMES}
        reader = new_reader(broker, "reader")
        releases = {name: _offered(owner, reader) for name, owner in owners.items()}
        for name, owner in owners.items():
            chance = random.Random(name)  # noqa: S311 - the same each time
            with Device(owner.mqtt) as device:
                sent = {"d": measurements(chance), "tags": reads(chance)}
                for datastream, payloads in sent.items():
                    device.publish(datastream, payloads)
                device.await_answers(sum(map(len, sent.values())))
        return {name: _seen(owners[name], reader, releases[name]) for name in NAMES}


def _offered(owner: Owner, reader: Reader) -> dict[str, str]:
    """Releases by profile, agreed to."""
    owner.datastream("d", unit="1")
    owner.datastream("tags", kind="rfid", privacy_unit="tag")
    offers = {name: owner.offer(["d"], *operators) for name, operators in PROFILES.items()}
    offers["reads"] = owner.offer(["tags"], *READS)
    return {name: reader.agree(offer["id"])["releases"][0]["id"] for name, offer in offers.items()}


def _seen(owner: Owner, reader: Reader, releases: dict[str, str]) -> dict[str, Any]:
    owner.broker.await_that(lambda: _is_settled(owner), "it is not settled")
    history = {name: reader.history(release) for name, release in releases.items()}
    for one in history["minutes"]:
        one.pop("revised", None)  # when
    refused = owner.broker.call(owner.key, "GET", "gateways/g/rejections")
    sums = owner.broker.call(owner.key, "GET", "reconciliation")
    return {
        "history": history,
        "refused": [(one["topic"], one["reason"], one["payload"]) for one in refused],
        "accepted": (sums["accepted"], sums["stored"], sums["refused"]),
        "released": sorted((one["released"], one["delivered"], str(one["withheld"])) for one in sums["releases"]),
    }


def _is_settled(owner: Owner) -> bool:
    """Whether all is kept, and no window waits."""
    sums = owner.broker.call(owner.key, "GET", "reconciliation")
    return bool(sums["settled"]) and not any(one["waiting"] for one in sums["releases"])


@pytest.mark.timeout(240)
def test_results_equal_those_of_one_worker_with_what_is_late_and_what_comes_twice(tmp_path: Path) -> None:
    assert {Partitions(COUNT).of(name) for name in NAMES} == set(range(COUNT))
    alone, several = played(tmp_path / "alone", 1), played(tmp_path / "several", COUNT)
    for name in NAMES:
        assert several[name] == alone[name]
    assert len(alone["north"]["history"]["whole"]) == 240
    assert alone["north"]["refused"]


@pytest.mark.timeout(240)
def test_what_comes_without_a_time_is_kept_once_though_its_partition_goes_from_worker_to_worker(tmp_path: Path) -> None:
    messages, own = 1_500, Partitions(2).of("untimed")
    with Mitoyen(tmp_path, environment={"PARTITIONS": "2"}) as broker:
        owner, reader = new_owner(broker, "untimed"), new_reader(broker, "patient")
        owner.datastream("d")
        release = reader.agree(owner.offer(["d"])["id"])["releases"][0]["id"]
        with Device(owner.mqtt) as device:
            for at, worker in enumerate((1 - own, own, 1 - own)):
                numbers = range(at * messages // 3, (at + 1) * messages // 3)
                device.publish("d", (json.dumps({"value": number}) for number in numbers))
                move(broker, own, worker)
            device.await_answers(messages)
        kept = Counter(one["value"] for one in reader.history(release))
    assert kept == Counter(range(messages))


def test_another_number_of_partitions_is_refused(tmp_path: Path) -> None:
    with Mitoyen(tmp_path) as broker:
        assert broker.run_command("partitions", "list", "--home", str(broker.home)).count("partition") == 1
    again = Mitoyen(tmp_path, environment={"PARTITIONS": "2"})
    with pytest.raises(RuntimeError, match="expected 1, as this registry was made with, not 2"):
        again.start()
