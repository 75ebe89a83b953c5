"""Cameras end to end: frames in over MQTT, covered pictures out, and nothing out where anything is in doubt."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import paho.mqtt.client as paho
import pytest
from PIL import Image

from broker import times
from broker.settings.pictures import PictureSettings
from broker.vision import workers
from broker.vision.level import LEVELS
from broker.vision.wire import Asked, Setup
from tests.mqtt import Client
from tests.owners import Owner, Reader, audit, new_owner, new_reader
from tests.pictures import jpeg, large_jpeg, street, telling_jpeg
from tests.servers import Mitoyen
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

PLATE = (slice(306, 334), slice(248, 396))  # rows and columns of what stands on the plate of the street that is drawn
AROUND = [[0.35, 0.6], [0.7, 0.6], [0.7, 0.72], [0.35, 0.72]]
NORMAL = {"op": "blur", "faces": True, "plates": True}
BLUR = {
    **NORMAL,
    "level": "fast",
    "masks": [AROUND],
}  # what becomes of a frame is the same, and takes a tenth of the time
PATIENCE_S = 60.0


class Camera(Client):
    """A gateway that publishes frames at QoS 0."""

    def see(self, datastream: str, data: bytes, organisation: str, *, retain: bool = False) -> None:
        sent = self._client.publish(f"frame/{organisation}/g/{datastream}", data, qos=0, retain=retain)
        assert sent.rc == paho.MQTT_ERR_SUCCESS


class Screen(Subscriber):
    """Keeps payloads and user properties as they are."""

    def _heard(self, _client: object, _data: object, message: Any) -> None:
        with self._something:
            properties = dict(getattr(message.properties, "UserProperty", []))
            self.messages.append((message.topic, (message.payload, properties, message.retain)))
            self._something.notify_all()

    def await_picture(self, count: int = 1) -> tuple[bytes, dict[str, str], bool]:
        self._await(lambda: len(self.messages) >= count, f"fewer than {count} pictures", PATIENCE_S)
        found: tuple[bytes, dict[str, str], bool] = self.messages[-1][1]
        return found


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def is_covered(data: bytes) -> bool:
    return bool((np.abs(pixels(data)[PLATE].astype(int) - 96).max(axis=2) <= 12).mean() > 0.95)


def rejections(owner: Owner) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = owner.broker.call(owner.key, "GET", "gateways/g/rejections")
    return found


def await_rejection(owner: Owner, reason: str) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE_S
    while True:
        for one in rejections(owner):
            if one["reason"].startswith(f"{reason}: "):
                return one
        assert time.monotonic() < until, f"no rejection {reason}: {rejections(owner)}"
        time.sleep(0.1)  # nothing tells a test of a rejection


@pytest.fixture(scope="module")
def watched(mitoyen: Mitoyen) -> tuple[Owner, Reader, dict[str, Any]]:
    """A camera that is offered, and an application that agreed."""
    owner, reader = new_owner(mitoyen, "watch"), new_reader(mitoyen, "screen")
    owner.datastream("corner", kind="camera")
    offer = owner.offer(["corner"], BLUR)
    reader.agree(offer["id"])
    return owner, reader, offer["releases"][0]


@pytest.fixture
def camera(watched: tuple[Owner, Reader, dict[str, Any]]) -> Iterator[Camera]:
    with Camera(watched[0].mqtt, "camera") as connected:
        yield connected


def test_a_frame_leaves_covered_without_metadata_and_with_its_licence(
    watched: tuple[Owner, Reader, dict[str, Any]], camera: Camera
) -> None:
    _, reader, release = watched
    with Screen(reader.mqtt, "screen") as screen:
        screen.subscribe("live/#")
        camera.see("corner", telling_jpeg(), "watch")
        data, properties, _ = screen.await_picture()
    assert is_covered(data)
    assert b"SECRET" not in data
    assert pixels(data).shape == (480, 640, 3)
    assert {"licence": "CC-BY-4.0", "attribution": "A test", "profile": "tested"}.items() <= properties.items()
    assert abs(times.parse(properties["time"]) - time.time_ns()) < PATIENCE_S * times.SECOND
    with Screen(reader.mqtt, "newcomer") as newcomer:
        newcomer.subscribe(release["topic"])
        assert newcomer.await_picture()[::2] == (data, True)
    with reader.broker.client(reader.key) as client:
        latest = client.get(f"/api/v1/releases/{release['id']}/latest")
        history = client.get(f"/api/v1/releases/{release['id']}/observations")
    assert (latest.headers["content-type"], latest.content) == ("image/jpeg", data)
    assert latest.headers["Mitoyen-Time"] == properties["time"]
    assert (history.status_code, history.json()["reason"]) == (422, "no_history")
    attacks = audit(reader.broker, release["id"])["attacks"]
    assert {one["attack"]: (one["success"], one["tried"]) for one in attacks} == {
        "faces found again": (0.0, 1),
        "plates found again": (0.0, 1),
    }


def test_an_agreement_says_where_the_picture_is_and_of_no_history(
    watched: tuple[Owner, Reader, dict[str, Any]],
) -> None:
    owner, _, release = watched
    reader = new_reader(owner.broker, "finder")
    owner.datastream("air")
    offers = release["topic"].split("/")[2], owner.offer(["air"])["id"]
    (camera,), (numbers,) = (reader.agree(offer)["releases"] for offer in offers)
    path = f"/api/v1/releases/{release['id']}"
    assert (camera["observations"], camera["latest"]) == (None, f"{path}/latest")
    path = f"/api/v1/releases/{numbers['id']}"
    assert (numbers["observations"], numbers["latest"]) == (f"{path}/observations", f"{path}/latest")


def test_the_live_stream_says_where_the_new_picture_is(
    watched: tuple[Owner, Reader, dict[str, Any]], camera: Camera
) -> None:
    _, reader, release = watched
    camera.see("corner", jpeg(street()), "watch")
    path = f"/api/v1/releases/{release['id']}/live"
    with reader.broker.client(reader.key) as client, client.stream("GET", path, timeout=PATIENCE_S) as stream:
        told = json.loads(next(line for line in stream.iter_lines() if line.startswith("data: "))[6:])
        assert client.get(told["picture"]).headers["content-type"] == "image/jpeg"
    assert (told["datastream"], set(told)) == ("corner", {"datastream", "time", "picture", "bytes"})


def test_at_the_normal_level_a_plate_is_found_by_itself(mitoyen: Mitoyen) -> None:
    owner, reader = new_owner(mitoyen, "road"), new_reader(mitoyen, "road-screen")
    owner.datastream("lane", kind="camera")
    reader.agree(owner.offer(["lane"], NORMAL)["id"])
    with Camera(owner.mqtt, "camera") as camera, Screen(reader.mqtt, "screen") as screen:
        screen.subscribe("live/#")
        camera.see("lane", jpeg(street()), "road")
        assert is_covered(screen.await_picture()[0])


def test_nobody_gets_a_picture_without_an_agreement(
    mitoyen: Mitoyen, watched: tuple[Owner, Reader, dict[str, Any]]
) -> None:
    stranger = new_reader(mitoyen, "camera-stranger")
    with pytest.raises(httpx.HTTPStatusError) as refused:
        mitoyen.call(stranger.key, "GET", f"releases/{watched[2]['id']}/latest")
    assert refused.value.response.status_code == httpx.codes.FORBIDDEN


def test_an_application_hears_no_frame_and_a_gateway_publishes_none_for_another(
    mitoyen: Mitoyen, watched: tuple[Owner, Reader, dict[str, Any]]
) -> None:
    owner, reader, _ = watched
    other = new_owner(mitoyen, "neighbour")
    with Screen(reader.mqtt, "peeping") as peeping, Camera(other.mqtt, "forger") as forger:
        peeping.subscribe("frame/#")
        forger.see("corner", b"forged", "watch")
        with Camera(owner.mqtt, "true") as true:
            true.see("corner", b"true, and no picture", "watch")
            refused = await_rejection(owner, "corrupt")
        peeping.ping()
        assert peeping.messages == []
    assert json.loads(refused["payload"])["bytes"] == len(b"true, and no picture")


@pytest.mark.parametrize(
    ("reason", "data", "retain"),
    [("too_large", large_jpeg(), False), ("retained", jpeg(street(64, 64, at=(4, 40), high=8)), True)],
)
def test_what_is_refused_leaves_reason_size_and_hash(
    watched: tuple[Owner, Reader, dict[str, Any]], camera: Camera, reason: str, data: bytes, *, retain: bool
) -> None:
    camera.see("corner", data, "watch", retain=retain)
    refused = await_rejection(watched[0], reason)
    assert refused["topic"] == "frame/watch/g/corner"
    assert set(json.loads(refused["payload"])) == {"bytes", "sha256"}


def test_a_frame_of_an_unknown_camera_is_refused(watched: tuple[Owner, Reader, dict[str, Any]], camera: Camera) -> None:
    camera.see("nowhere", jpeg(street()), "watch")
    assert "register it" in await_rejection(watched[0], "unknown_camera")["reason"]


def test_a_record_of_a_camera_is_refused_and_stored_nowhere(
    watched: tuple[Owner, Reader, dict[str, Any]], camera: Camera
) -> None:
    camera._client.publish("in/watch/g/corner", b'{"value": 1}', qos=1)
    await_rejection(watched[0], "a camera has no records")


def test_masks_cover_and_a_sample_shows_one_of_an_interval(mitoyen: Mitoyen) -> None:
    owner, reader = new_owner(mitoyen, "masked"), new_reader(mitoyen, "masked-screen")
    owner.datastream("yard", kind="camera")
    offer = owner.offer(["yard"], {"op": "sample", "every": "P31D"}, BLUR)
    reader.agree(offer["id"])
    with Camera(owner.mqtt, "camera") as camera, Screen(reader.mqtt, "screen") as screen:
        screen.subscribe("live/#")
        camera.see("yard", jpeg(street()), "masked")
        data, _, _ = screen.await_picture()
        not_sampled = 'mitoyen_frames_total{outcome="not_sampled"}'
        before = mitoyen.metric(not_sampled)
        camera.see("yard", jpeg(street()), "masked")
        mitoyen.await_metric(not_sampled, lambda count: count > before)
        screen.ping()
        assert len(screen.messages) == 1
    assert is_covered(data)


@pytest.mark.parametrize(
    ("operators", "reason"),
    [
        ([], "personal_data_raw"),
        ([{"op": "blur", "faces": True, "plates": False}], "personal_data_raw"),
        ([{"op": "sample", "every": "PT1M"}], "personal_data_raw"),
        ([BLUR, {"op": "delay", "by": "PT1H"}], "not_for_pictures"),
        ([BLUR, {"op": "aggregate", "window": "PT5M", "statistics": ["count"]}], "not_for_pictures"),
        ([BLUR, {"op": "quantise", "step": 1}], "not_for_pictures"),
        ([BLUR, {"op": "suppress", "fields": ["rssi"]}], "no_such_field"),
    ],
)
def test_a_camera_is_offered_covered_or_not_at_all(
    watched: tuple[Owner, Reader, dict[str, Any]], operators: list[dict[str, Any]], reason: str
) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        watched[0].offer(["corner"], *operators)
    assert refused.value.response.json()["reason"] == reason


def test_a_withdrawn_offer_leaves_no_picture(mitoyen: Mitoyen) -> None:
    owner, reader = new_owner(mitoyen, "leaving"), new_reader(mitoyen, "leaving-screen")
    owner.datastream("door", kind="camera")
    offer = owner.offer(["door"], BLUR)
    reader.agree(offer["id"])
    with Camera(owner.mqtt, "camera") as camera, Screen(reader.mqtt, "screen") as screen:
        screen.subscribe("live/#")
        camera.see("door", jpeg(street()), "leaving")
        screen.await_picture()
    mitoyen.call(owner.key, "DELETE", f"offers/{offer['id']}", {"reason": "tested"})
    kept = mitoyen.home / "pictures.sqlite"
    mitoyen.await_that(lambda: offer["releases"][0]["id"].encode() not in _rows(kept), "it is still kept")


def _rows(path: Path) -> bytes:
    import sqlite3  # noqa: PLC0415 - looked into here alone

    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return b" ".join(row[0].encode() for row in db.execute("select release from pictures"))
    finally:
        db.close()


def test_no_raw_frame_is_on_disk(watched: tuple[Owner, Reader, dict[str, Any]], camera: Camera) -> None:
    owner, reader, _ = watched
    data = telling_jpeg()
    with Screen(reader.mqtt, "screen") as screen:
        screen.subscribe("live/#")
        known = len(screen.messages)
        camera.see("corner", data, "watch")
        screen.await_picture(known + 1)
    for path in owner.broker.home.rglob("*"):
        if path.is_file() and path.suffix != ".sock":
            assert b"SECRET-COMMENT" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("environment", "reason", "detail"),
    [
        ({"MODELS": "/nowhere"}, "no_model", "centerface.onnx"),
        ({"FRAME_TIMEOUT_S": "0.001", "CAMERA_WORKERS": "1"}, "timeout", "longer than 0.001 s"),
    ],
)
def test_without_models_or_time_nothing_is_released_and_owner_and_readers_see_why(
    tmp_path: Path, environment: dict[str, str], reason: str, detail: str
) -> None:
    with Mitoyen(tmp_path, environment=environment) as blind:
        owner, reader = new_owner(blind, "blind"), new_reader(blind, "blind-screen")
        owner.datastream("corner", kind="camera")
        offer = owner.offer(["corner"], BLUR)
        (granted,) = reader.agree(offer["id"])["releases"]
        topic = f"status/blind/{offer['id']}/corner"
        with Camera(owner.mqtt, "camera") as camera, Subscriber(reader.mqtt, "status") as status:
            status.subscribe("status/#")
            status.subscribe("live/#")
            camera.see("corner", jpeg(street()), "blind")
            refused = await_rejection(owner, reason)
            status.await_that(lambda last: (last.get(topic) or {}).get("state") == "withheld")
        assert detail in refused["reason"]
        assert dict(status.messages)[topic]["reason"] == reason
        assert not [topic for topic, _ in status.messages if topic.startswith("live/")]
        with blind.client(reader.key) as client:
            assert client.get(granted["latest"]).status_code == httpx.codes.NOT_FOUND
        assert f'mitoyen_frames_total{{outcome="{reason}"}} 1.0' in blind.text(blind.operator_key, "/metrics")


async def test_a_worker_that_takes_too_long_is_killed() -> None:
    bounds, folder = PictureSettings().picture_limits, PictureSettings().models_folder
    async with workers.worker(Setup(str(folder), dict(LEVELS), bounds.bytes, bounds.pixels)) as one:
        os.kill(one.process.pid, signal.SIGSTOP)  # it would answer else, on a fast machine
        with pytest.raises(TimeoutError):
            await one.cover(Asked(jpeg(street()), "fast"), 0.1)
    assert one.process.returncode == -signal.SIGKILL


def test_a_worker_that_hangs_or_dies_costs_its_frame_alone(tmp_path: Path) -> None:
    with Mitoyen(tmp_path, environment={"CAMERA_WORKERS": "1", "FRAME_TIMEOUT_S": "60"}) as slow:
        owner, reader = new_owner(slow, "slow"), new_reader(slow, "slow-screen")
        owner.datastream("corner", kind="camera")
        reader.agree(owner.offer(["corner"], BLUR)["id"])
        with Camera(owner.mqtt, "camera") as camera, Screen(reader.mqtt, "screen") as screen:
            screen.subscribe("live/#")
            camera.see("corner", jpeg(street()), "slow")
            screen.await_picture()
            worker = worker_of(slow)
            os.kill(worker, signal.SIGSTOP)
            for _ in range(3):
                camera.see("corner", jpeg(street()), "slow")
            await_rejection(owner, "overtaken")
            os.kill(worker, signal.SIGKILL)
            await_rejection(owner, "worker_died")
            screen.await_picture(2)  # the newest of the three, from another worker
        assert slow.call(owner.key, "GET", "gateways/g")["accepted"] >= 4


def worker_of(server: Mitoyen) -> int:
    (child,) = Path(f"/proc/{server.part('cameras')}/task/{server.part('cameras')}/children").read_text().split()
    return int(child)
