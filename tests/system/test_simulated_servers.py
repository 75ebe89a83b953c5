"""What of a simulated city is asked: RFID readers by a client of LLRP, the bike share by `mitoyen gateway`, both by what their protocols say."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from llrpkit.client import check_status
from llrpkit.exceptions import LLRPError
from llrpkit.protocol import messages
from llrpkit.reader import Reader as LlrpClient

from broker import times
from gateways.epc import of_bytes
from mitoyen.ports import free_ports
from simulators.gates import Gates
from simulators.people import Population
from simulators.tags import ASSET_PREFIX
from tests.gatewayprocess import GatewayProcess
from tests.owners import new_owner, new_reader
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llrpkit.inventory import TagReport

    from tests.servers import Mitoyen

MITOYEN = str(Path(sys.executable).with_name("mitoyen"))
SEED, SPEED = 5, 600
PEOPLE = {"residents": 600, "visitors": 20, "things": 200, "read_points": 4, "stolen": 0.5}
START = "2026-11-23T07:00:00+01:00"


@contextmanager
def city(folder: Path) -> Iterator[dict[str, int]]:
    """A reader and a bike share of a city, in a process of their own; their ports."""
    reader, bikes = free_ports(2)
    asked = {
        "seed": SEED, "speed": SPEED, "start": START, "people": PEOPLE,
        "readers": [{"port": reader, "read_point": 0}], "bikes": {"port": bikes},
    }  # fmt: skip
    (folder / "city.yaml").write_text(yaml.safe_dump(asked))
    command = [MITOYEN, "simulate", str(folder / "city.yaml"), "--truth", str(folder / "truth.ndjson")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr is not None
            waiting = {"reader_listening", "bike_share_listening"}
            for line in running.stderr:
                waiting -= {event for event in waiting if event in line}
                if not waiting:
                    break
            assert not waiting
            yield {"reader": reader, "bikes": bikes}
        finally:
            running.terminate()
            running.communicate(timeout=30)


async def inventory(port: int, wanted: int) -> list[TagReport]:
    async with LlrpClient("127.0.0.1", port) as client:
        await client.set_keepalive(1_000)
        return [tag async for tag in client.inventory(max_tags=wanted, duration=20)]


async def test_a_client_of_llrp_reads_who_walks_past_and_others_are_turned_away(tmp_path: Path) -> None:
    with city(tmp_path) as ports:
        tags = await inventory(ports["reader"], 20)
        async with LlrpClient("127.0.0.1", ports["reader"]) as first:
            assert first.max_antennas == 4
            with pytest.raises(LLRPError):
                await LlrpClient("127.0.0.1", ports["reader"]).connect()
            for message, why in (
                (messages.START_ROSPEC(ro_spec_id=99), "no ROSpec 99"),
                (messages.GET_ACCESSSPECS(), "not spoken"),
            ):
                with pytest.raises(LLRPError, match=why):
                    check_status(await first.client.transact(message))
    people = Population(SEED, **PEOPLE)
    begun = times.parse(START)
    known = {(seen.payload["epc"], seen.time_ns // 1_000) for seen in Gates(people).seen(0, begun, begun + times.DAY)}
    assert len(tags) == 20
    assert {(of_bytes(tag.epc), tag.last_seen_us) for tag in tags} <= known
    truth = [json.loads(line) for line in (tmp_path / "truth.ndjson").read_text().splitlines()]
    assert {of_bytes(tag.epc) for tag in tags} <= {row["epc"] for row in truth}


def test_the_bike_share_is_served_in_both_versions(tmp_path: Path) -> None:
    with city(tmp_path) as ports, httpx.Client(base_url=f"http://127.0.0.1:{ports['bikes']}", trust_env=False) as web:
        for version, counted in (("2.3", "num_bikes_available"), ("3.0", "num_vehicles_available")):
            found = web.get(f"/{version}/gbfs.json").raise_for_status().json()
            feeds = found["data"]["en"]["feeds"] if version == "2.3" else found["data"]["feeds"]
            documents = {one["name"]: web.get(one["url"]).raise_for_status().json() for one in feeds}
            assert {one["version"] for one in documents.values()} == {version}
            stations = documents["station_status"]["data"]["stations"]
            places = {one["station_id"]: one for one in documents["station_information"]["data"]["stations"]}
            for one in stations:
                assert one[counted] + one["num_docks_available"] == places[one["station_id"]]["capacity"]
        assert web.get("/4.0/gbfs.json").status_code == 404


def test_tags_and_bicycles_of_a_simulated_city_arrive_as_their_offers_say(mitoyen: Mitoyen, tmp_path: Path) -> None:
    owner, reader = new_owner(mitoyen, "streets"), new_reader(mitoyen, "streets-reader")
    own_things = {"personal_data": True, "privacy_unit": "tag", "asset_prefixes": [ASSET_PREFIX]}
    made = mitoyen.call(owner.key, "POST", "gateways", {"id": "agent", "format": "gateway"})["mqtt"]
    origin = {"device": "bikes-1", "property": "num_vehicles_available"}
    owner.datastream("bikes", unit="1", gateway="agent", origin=origin)
    owner.datastream("seen", kind="rfid", gateway="agent", origin={"device": "gate", "property": "epc"}, **own_things)
    tags = owner.offer(["seen"], {"op": "pseudonymise", "rotate": "P1D"})
    bikes = owner.offer(["bikes"])
    for offer in (tags, bikes):
        reader.agree(offer["id"])
    with ExitStack() as stack:
        ports = stack.enter_context(city(tmp_path))
        application = stack.enter_context(Subscriber(reader.mqtt))
        application.subscribe("live/streets/#")
        status = f"http://127.0.0.1:{ports['bikes']}/3.0/station_status.json"
        stack.enter_context(GatewayProcess(
            tmp_path, made,
            {"kind": "llrp", "name": "gate", "host": "127.0.0.1", "port": ports["reader"]},
            {"kind": "poll", "name": "bikes", "urls": [status], "every": "PT1S", "format": "gbfs"},
        ))  # fmt: skip

        def heard(offer: dict[str, Any]) -> list[dict[str, Any]]:
            messages_ = [said for topic, said in application.messages if topic == offer["releases"][0]["topic"]]
            return [one for said in messages_ for one in (said if isinstance(said, list) else [said])]

        mitoyen.await_that(lambda: len(heard(tags)) > 5 and heard(bikes), "tags or bicycles did not arrive")
        found, counts = heard(tags), heard(bikes)
    truth = [json.loads(line) for line in (tmp_path / "truth.ndjson").read_text().splitlines()]
    assert all(len(one["tag"]) == 32 for one in found)
    things = {row["epc"] for row in truth if row["person"] is None}
    assert len({one["tag"] for one in found}) <= len(things)
    assert all(0 <= one["value"] <= 34 for one in counts)
