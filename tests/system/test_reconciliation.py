"""A day of a city whose hardware fails in every way: each record sent is stored once, refused or withheld, and the sums agree.

What should have become of each record is computed from the simulator, which is pure; nothing of the broker is asked for it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from broker.times import HOUR, MINUTE, SECOND, parse
from simulators.city import City
from simulators.faults import Faulty
from simulators.play import play
from simulators.schema import Faults
from simulators.simulation import Simulation
from simulators.tags import ASSET_PREFIX
from tests.owners import SETTLE_S, Owner, Reader, new_owner, new_reader
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from simulators.city import Sensor
    from simulators.faults import Departure
    from simulators.play import Played

CITY = City(7)
THEMES = {"streets": {"traffic", "parking", "noise"}, "air": {"air", "weather"}, "tags": {"rfid"}}
"""Which sensors each organisation has."""
MEASURING = ("streets", "air")
FAULTS: dict[str, Any] = {
    "dropout": {"rate": 0.05, "lasting": "PT10M"},
    "stuck": {"rate": 0.05, "lasting": "PT20M"},
    "clock_skew": {
        "rate": 0.05,
        "lasting": "PT5M",
        "by": ["PT2M", "P3D"],
    },  # three days ahead is ahead a day later, too
    "duplicate": {"rate": 0.05, "up_to": "PT15M"},
    "out_of_order": {"rate": 0.1, "up_to": "PT25M"},
    "malformed": {"rate": 0.005},
}
OF_TAGS = {**FAULTS, "malformed": {"rate": 0.01}}
REASONS = {
    "truncated": "no JSON",
    "not_a_number": "no JSON",
    "wrong_type": "got `null`",
    "unknown_member": "unknown field `battery`",
    "unknown_datastream": "unknown datastream",
    None: "lies in the future",
}
"""What a refusal says, by what was broken; where nothing was, the clock is wrong."""
WINDOW = 15 * MINUTE
PATIENCE_S = 60.0  # a machine with nothing else to do plays the day in eight seconds


@dataclass(frozen=True, slots=True)
class Day:
    """What was played, and who can see what became of it."""

    broker: Mitoyen
    owners: dict[str, Owner]
    reader: Reader
    offers: dict[str, str]
    """Ids."""
    now: int
    epoch_began: int
    """The pseudonyms' epoch that is not over: it began when about half of the day was over."""
    played: Played
    left: dict[str, list[Departure]]
    """By organisation, in the order of leaving; what never left is among them."""

    def sent(self, *organisations: str) -> list[Departure]:
        return [one for name in organisations for one in self.left[name] if one.text is not None]

    def accepted(self, *organisations: str) -> list[Departure]:
        """What had to enter the journal, repetitions included."""
        return [one for one in self.sent(*organisations) if one.verdict(self.now) != "refused"]

    def refused(self, *organisations: str) -> list[Departure]:
        return [one for one in self.sent(*organisations) if one.verdict(self.now) == "refused"]

    def history(self, offer: str) -> dict[str, list[dict[str, Any]]]:
        return _history(self.reader, self.offers[offer])

    def withheld(self, reason: str) -> float:
        return self.broker.metric(f'mitoyen_records_withheld_total{{reason="{reason}"}}')


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    with Mitoyen(tmp_path_factory.mktemp("reconciled")) as broker:
        now = time.time_ns()
        rotate_s = (now - 13 * HOUR) // SECOND // 10_000  # two days; the last epoch ended 13 to 16 hours ago
        owners = {name: _new_owner(broker, name) for name in THEMES}
        reader = new_reader(broker, "auditor")
        offers = {f"raw {name}": _offer(owners[name], reader) for name in MEASURING}
        pseudonyms = {"op": "pseudonymise", "rotate": f"PT{rotate_s}S"}
        groups = {"op": "aggregate", "window": "PT5M", "statistics": ["count"], "k": 5}
        offers |= {
            "named": _offer(owners["tags"], reader, pseudonyms),
            "groups": _offer(owners["tags"], reader, groups),
        }
        assert not any(_history(reader, offer) for offer in offers.values())  # complete: nothing is being filled in
        played = asyncio.run(play(_simulation(owners), until=time.time(), last_words_s=PATIENCE_S))
        windows = {"op": "aggregate", "window": "PT15M", "statistics": ["count", "mean", "min", "max"]}
        offers |= {f"windows of {name}": _offer(owners[name], reader, windows) for name in MEASURING}
        left = {name: _left(name, played) for name in THEMES}
        yield Day(broker, owners, reader, offers, now, rotate_s * 10_000 * SECOND, played, left)


def _new_owner(broker: Mitoyen, name: str) -> Owner:
    owner = new_owner(broker, name)
    with broker.client(owner.key) as client:  # one for all, as each takes its time to set up
        for sensor in _sensors(name):
            body = {"id": sensor.id, "gateway": "g", "kind": sensor.kind, "unit": sensor.unit}
            made = client.post("/api/v1/datastreams", json={**body, "asset_prefixes": sensor.asset_prefixes})
            assert made.is_success, made.text
    return owner


def _sensors(organisation: str) -> list[Sensor]:
    return [sensor for sensor in CITY.sensors if sensor.theme in THEMES[organisation]]


def _offer(owner: Owner, reader: Reader, *operators: dict[str, Any]) -> str:
    offer: str = owner.offer([sensor.id for sensor in _sensors(owner.id)], *operators)["id"]
    reader.agree(offer)
    return offer


def _history(reader: Reader, offer: str) -> dict[str, list[dict[str, Any]]]:
    """All observations of an offer, by datastream, as soon as the broker says that they are complete."""
    until = time.monotonic() + SETTLE_S
    with reader.broker.client(reader.key) as client:
        while True:
            answer = client.get(f"/api/v1/offers/{offer}/observations", params={"format": "ndjson"})
            assert answer.is_success, answer.text
            if answer.headers["Mitoyen-Complete"] == "true":
                break
            assert time.monotonic() < until, answer.headers["Mitoyen-Complete"]
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in answer.text.splitlines():
        one = json.loads(line)
        found[one["datastream"]].append(one)
    return found


def _simulation(owners: dict[str, Owner]) -> Simulation:
    gateways = [_gateway(owner, [sensor.id for sensor in _sensors(name)]) for name, owner in owners.items()]
    gateways[-1]["faults"] = OF_TAGS  # in place of the whole file's
    backfill = {"start_ago": "PT1H", "backfill": "P1D"}  # so that the last window of values is over
    return Simulation.model_validate({"seed": CITY.seed, **backfill, "gateways": gateways, "faults": FAULTS})


def _gateway(owner: Owner, sensors: list[str]) -> dict[str, Any]:
    login = {name: owner.mqtt[name] for name in ("host", "port", "username", "password", "client_id_prefix")}
    return {"organisation": owner.id, "id": "g", "mqtt": login, "sensors": sensors}


def _left(organisation: str, played: Played) -> list[Departure]:
    faults = Faults.model_validate(OF_TAGS if organisation == "tags" else FAULTS)
    faulty = Faulty(CITY, faults, f"in/{organisation}/g")
    tally = played.gateways[f"{organisation}/g"]
    begun, ended = tally.begun_ns, tally.simulated_ns
    found = chain.from_iterable(faulty.departures(sensor, begun, ended) for sensor in _sensors(organisation))
    return sorted((one for one in found if one.at_ns < ended), key=lambda one: one.at_ns)


# --- what should have become of it


class Read(NamedTuple):
    """A tag read."""

    datastream: str
    time: int
    read_point: str
    antenna: int
    rssi: int
    tag: str


def _said(one: Departure) -> dict[str, Any]:
    assert one.text is not None
    record: dict[str, Any] = json.loads(one.text)
    return record


def _measured(day: Day, organisation: str) -> dict[str, dict[int, Any]]:
    """By datastream, the value of each time: the last that was sent."""
    values: dict[str, dict[int, Any]] = defaultdict(dict)
    for one in day.accepted(organisation):
        values[one.datastream][one.written_ns] = _said(one)["value"]
    return values


def _windows(values: dict[int, Any]) -> dict[int, list[float]]:
    """The numbers of each window; a bay's yes and no are none."""
    windows: dict[int, list[float]] = defaultdict(list)
    for moment, value in values.items():
        if not isinstance(value, bool):
            windows[moment - moment % WINDOW].append(value)
    return windows


def _read(datastream: str, record: dict[str, Any]) -> Read:
    where = (record["read_point"], record["antenna"], record["rssi"])
    return Read(datastream, parse(record["time"]), *where, record["tag"] if "tag" in record else record["epc"])


def _reads(day: Day) -> list[Read]:
    """All that were accepted, repetitions included."""
    return [_read(one.datastream, _said(one)) for one in day.accepted("tags")]


def _declared(reads: Iterable[Read]) -> list[Read]:
    return [read for read in reads if read.tag.startswith(ASSET_PREFIX)]


def _named(day: Day, reads: Iterable[Read]) -> list[Read]:
    """Those of declared tags in the epoch that is not over."""
    return [read for read in _declared(reads) if read.time >= day.epoch_began]


def _trails(reads: Iterable[Read]) -> list[list[tuple[object, ...]]]:
    """Where and when each tag was read, without a word on which tag it is."""
    trails: dict[str, list[tuple[object, ...]]] = defaultdict(list)
    for read in reads:
        trails[read.tag].append(read[:-1])
    return sorted(map(sorted, trails.values()))


# --- what was sent


def test_every_fault_was_done_and_every_record_acknowledged(day: Day) -> None:
    everything = [one for left in day.left.values() for one in left]
    done = {fault: count for fault, count in day.played.faults.items() if count}
    assert done == Counter(fault for one in everything for fault in one.faults)
    assert done.keys() == FAULTS.keys()
    assert {one.broken for one in day.refused(*THEMES)} == set(REASONS)
    judged = Counter(one.verdict(day.now) for one in day.sent(*THEMES))
    assert day.played.verdicts == judged
    assert day.played.sent_records == day.played.acknowledged_records == judged.total() > 50_000


def test_an_owner_sees_all_that_was_sent_as_accepted_or_as_rejected(day: Day) -> None:
    for name, owner in day.owners.items():
        seen = day.broker.call(owner.key, "GET", "gateways/g")
        assert (seen["accepted"], seen["rejected"]) == (len(day.accepted(name)), len(day.refused(name)))
        assert seen["accepted"] + seen["rejected"] == len(day.sent(name))


def test_an_owner_is_told_why_each_record_was_refused(day: Day) -> None:
    for name, owner in day.owners.items():
        told = day.broker.call(owner.key, "GET", "gateways/g/rejections", limit="1000")
        expected = Counter(REASONS[one.broken] for one in day.refused(name))
        assert len(told) == expected.total() < 1_000
        assert {reason: sum(reason in one["reason"] for one in told) for reason in expected} == expected


# --- what became of it


@pytest.mark.parametrize("name", MEASURING)
def test_each_measurement_is_in_history_once(day: Day, name: str) -> None:
    values = _measured(day, name)
    kept = day.history(f"raw {name}")
    assert kept.keys() == values.keys() == {sensor.id for sensor in _sensors(name)}
    for datastream, observations in kept.items():
        assert [(parse(one["time"]), one["value"]) for one in observations] == sorted(values[datastream].items())
    accepted = day.accepted(name)
    assert sum(map(len, kept.values())) == sum("duplicate" not in one.faults for one in accepted) < len(accepted)


@pytest.mark.parametrize("name", MEASURING)
def test_each_window_has_each_measurement_once(day: Day, name: str) -> None:
    values = _measured(day, name)
    kept = day.history(f"windows of {name}")
    for sensor in _sensors(name):
        expected = _windows(values[sensor.id])
        assert [parse(one["time"]) for one in kept[sensor.id]] == sorted(expected)
        for one in kept[sensor.id]:
            inside = expected[parse(one["time"])]
            exact = {"count": len(inside), "min": min(inside), "max": max(inside)}
            assert one["statistics"] == {**exact, "mean": pytest.approx(fmean(inside))}


def test_declared_tags_have_one_name_each_in_the_epoch_that_is_not_over_and_all_else_is_withheld(day: Day) -> None:
    reads = _reads(day)
    kept = [_read(datastream, one) for datastream, found in day.history("named").items() for one in found]
    assert _trails(kept) == _trails(set(_named(day, reads)))
    assert kept
    assert not any(read.tag.startswith("urn:") for read in kept)
    assert day.withheld("no_consent") == len(reads) - len(_declared(reads)) > 0
    assert day.withheld("epoch_closed") == len(_declared(reads)) - len(_named(day, reads)) > 0


def test_tags_are_not_counted_in_windows_that_began_before_the_offer(day: Day) -> None:
    assert day.history("groups") == {}
    assert day.withheld("before_offer") == len(day.accepted("tags"))


# --- the sums


def test_the_operators_metrics_add_up_to_what_was_sent(day: Day) -> None:
    metric = day.broker.metric
    accepted, refused = (metric(f"mitoyen_records_{of}_total") for of in ("accepted", "refused"))
    assert (accepted, refused) == (len(day.accepted(*THEMES)), len(day.refused(*THEMES)))
    in_the_future = sum(one.broken is None for one in day.refused(*THEMES))
    assert day.broker.metric('mitoyen_records_refused_total{reason="time"}') == in_the_future
    assert accepted + refused == day.played.sent_records
    assert metric("mitoyen_records_stored_total") == accepted
    assert metric("mitoyen_store_rejected_total") == 0


def test_the_operators_metrics_add_up_to_what_was_released_and_withheld(day: Day) -> None:
    values, reads = len(day.accepted(*MEASURING)), len(day.accepted("tags"))
    windows = sum(len(found) for name in MEASURING for found in day.history(f"windows of {name}").values())
    released, withheld = (day.broker.metric(f"mitoyen_records_{of}_total") for of in ("released", "withheld"))
    offers_of_tags = 2  # each shows or withholds each read
    assert released - windows + withheld == values + offers_of_tags * reads
    assert released - windows == values + len(_named(day, _reads(day)))


# --- the command


def test_the_summary_of_a_simulation_with_faults_says_what_should_become_of_what_it_sent(
    mitoyen: Mitoyen, tmp_path: Path
) -> None:
    owner = new_owner(mitoyen, "faulty")
    owner.datastream("laeq-1", unit="dB[SPL]")
    file = tmp_path / "city.yaml"
    content = {"seed": CITY.seed, "backfill": "PT2H", "gateways": [_gateway(owner, ["laeq-1"])], "faults": FAULTS}
    file.write_text(yaml.safe_dump(content))
    command = [str(Path(sys.executable).with_name("mitoyen")), "simulate", str(file), "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["sent"] == said["acknowledged"] == sum(said["verdicts"].values()) > 0
    assert {fault for fault, count in said["faults"].items() if count} <= set(FAULTS) <= set(said["faults"])
    assert said["faults"]["out_of_order"] > 0
