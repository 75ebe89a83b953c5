"""Cameras, gates and bicycles of a simulated city: seed and time say what there is, and what is known of it is so."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import yaml
from PIL import Image

from broker.times import DAY, HOUR, MINUTE, SECOND, parse
from simulators.bike_share import BikeShare
from simulators.camera import Camera, Film
from simulators.city import City
from simulators.feed import Feed
from simulators.gates import Gates
from simulators.loading import EXAMPLE
from simulators.memory import of_uri
from simulators.people import Population
from simulators.simulation import Simulation

RUSH = parse("2026-11-23T08:12:00+01:00")
NIGHT = parse("2026-11-23T03:00:00+01:00")


def test_a_picture_follows_from_seed_camera_and_moment() -> None:
    assert Camera(7, "square").frame(RUSH) == Camera(7, "square").frame(RUSH)
    pictures = {Camera(seed, name).frame(at).jpeg for seed in (7, 8) for name in "ab" for at in (RUSH, NIGHT)}
    assert len(pictures) == 8


def test_faces_and_plates_are_where_they_are_said_to_be_and_more_of_them_in_the_rush_hour() -> None:
    frame = Camera(7, "square").frame(RUSH)
    pixels = np.asarray(Image.open(io.BytesIO(frame.jpeg)).convert("L"))
    for (x, y, width, height), text in frame.plates:
        assert 0 <= x < x + width <= pixels.shape[1]
        assert 0 <= y < y + height <= pixels.shape[0]
        plate = pixels[y + 2 : y + height - 2, x + 10 : x + width - 2]
        assert np.median(plate) > 200
        assert plate.min() < 80  # what stands on it
        assert len(text) == 9
    for x, y, width, height in frame.faces:
        assert 0 <= x < x + width <= pixels.shape[1]
        assert 0 <= y < y + height <= pixels.shape[0]
    at_night = Camera(7, "square").frame(NIGHT)
    assert len(frame.faces) > len(at_night.faces)
    assert len(frame.plates) > len(at_night.plates)


def test_a_gateway_that_was_away_sends_the_last_picture_and_tells_what_is_in_it() -> None:
    told: list[dict[str, object]] = []
    film = Film(Camera(7, "square"), "frame/o/g/square", 10 * SECOND, told.append)
    feed = Feed("in/o/g", City(7), [], [], films=[film], position_ns=RUSH)
    assert not feed.ended
    (first,) = feed.due(RUSH + 5 * MINUTE, RUSH + 5 * MINUTE)
    assert (first.topic, first.qos) == ("frame/o/g/square", 0)
    assert first.payload == Camera(7, "square").frame(RUSH + 5 * MINUTE - 10 * SECOND).jpeg
    assert not feed.due(RUSH + 5 * MINUTE, RUSH + 5 * MINUTE)
    assert [row["time"] for row in told] == ["2026-11-23T07:16:50Z"]


def test_gates_see_what_the_population_says_whenever_they_are_asked() -> None:
    people = Population(3, 300, read_points=5, visitors=10, things=40)
    gates = Gates(people)
    reads = people.reads(RUSH, RUSH + DAY)
    assert len(reads.time)
    for read_point in range(5):
        whole = [seen.payload for seen in gates.seen(read_point, RUSH, RUSH + DAY)]
        cut = [seen.payload for hour in range(24) for seen in gates.seen(read_point, RUSH + hour * HOUR, RUSH + (hour + 1) * HOUR)]  # fmt: skip
        assert whole == cut == list(people.payloads(reads.where(reads.read_point == read_point)))


def test_every_tag_that_a_gate_sees_fits_a_tags_memory_and_belongs_to_somebody_or_the_city() -> None:
    people = Population(3, 300, read_points=5, visitors=10, things=40)
    seen = [one for read_point in range(5) for one in Gates(people).seen(read_point, RUSH, RUSH + DAY)]
    assert all(len(of_uri(str(one.payload["epc"]))) == 12 for one in seen)
    assert {one.person is None for one in seen} == {True, False}
    assert not any(one.thief for one in seen)


def test_a_stolen_bicycle_is_ridden_by_somebody_else_until_it_is_found() -> None:
    people = Population(3, 400, read_points=30, visitors=0, things=0, stolen=0.5)
    begin = RUSH // DAY // 28 * 28 * DAY
    thieves: dict[str, Counter[int | None]] = {}
    for day in (0, 27):
        for read_point in range(30):
            for one in Gates(people).seen(read_point, begin + day * DAY + 4 * HOUR, begin + day * DAY + 20 * HOUR):
                if one.thief is not None:
                    assert one.thief != one.person
                    thieves.setdefault(str(one.payload["epc"]), Counter())[one.thief] += 1
    assert thieves
    assert all(len(riders) == 1 for riders in thieves.values())
    assert people.thief_of(0, RUSH) == -1
    honest = Population(3, 400, read_points=30, visitors=0, things=0)
    assert (honest.reads(RUSH, RUSH + HOUR).time != 0).all()


def test_the_bike_shares_documents_are_those_of_a_moment_and_its_bicycles_fit() -> None:
    share = BikeShare(City(7))
    assert len(share.stations) == 4
    found = share.document("3.0", "station_status", RUSH)
    assert found == share.document("3.0", "station_status", RUSH + SECOND)
    for one, station in zip(found["data"]["stations"], share.stations, strict=True):
        assert one["num_vehicles_available"] + one["num_docks_available"] == station.capacity


def test_what_the_example_shows_besides_can_be_asked_for() -> None:
    shown = "\n".join(line[2:] for line in EXAMPLE.splitlines() if line.startswith("# "))
    asked = yaml.safe_load(EXAMPLE) | yaml.safe_load(shown)
    simulation = Simulation.model_validate(asked)
    assert simulation.cameras
    assert simulation.readers
    assert simulation.bikes
