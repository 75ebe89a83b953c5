"""Privacy at the edge: a tap in the broker's place hears every byte that leaves, and none of what is raw."""

from __future__ import annotations

import io
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from gateways.epc import of_bytes
from tests.gatewayprocess import GatewayProcess
from tests.othersides import Tap, emulated, served
from tests.pictures import telling_jpeg
from tests.servers import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAG = bytes.fromhex("3074257BF7194E4000001A85")
PLATE = (slice(306, 334), slice(248, 396))  # rows and columns of what stands on the plate of the street that is drawn
BLUR = {"op": "blur", "level": "fast", "masks": [[[0.35, 0.6], [0.7, 0.6], [0.7, 0.72], [0.35, 0.72]]]}


@contextmanager
def tapped(folder: Path, *sources: dict[str, Any], **more: Any) -> Iterator[tuple[Tap, GatewayProcess]]:
    with Mosquitto(folder) as broker, Tap(broker) as tap:
        login = {**broker.login, "topic": "in/o/g/{datastream}"}
        with GatewayProcess(folder, login, *sources, **more) as gateway:
            yield tap, gateway


def records(tap: Tap) -> list[dict[str, Any]]:
    return [one for topic, said in tap.heard if topic == "in/o/g/~readings" for one in json.loads(said)]


def test_no_epc_of_tags_that_are_named_at_the_edge_leaves(tmp_path: Path) -> None:
    with emulated([TAG]) as port:
        source = {"kind": "llrp", "name": "gate", "host": "127.0.0.1", "port": port, "smooth": "PT2S"}
        with tapped(tmp_path, {**source, "edge": {"op": "pseudonymise", "rotate": "P1D"}}) as (tap, _):
            tap.await_that(lambda: any("biz_step" in one for one in records(tap)))
    raw = (TAG, TAG.hex().encode(), TAG.hex().upper().encode(), of_bytes(TAG).encode(), b"sgtin")
    assert not any(secret in said for _, said in tap.heard for secret in raw)
    (name,) = {one["epc"] for one in records(tap) if "epc" in one}
    assert name.startswith("urn:epc:raw:128.x")


def test_only_counts_of_tags_that_are_counted_at_the_edge_leave(tmp_path: Path) -> None:
    tags = [TAG[:-1] + bytes([n]) for n in range(6)]
    edge = {"op": "aggregate", "window": "PT1S", "statistics": ["count"], "k": 5}
    with emulated(tags) as port:
        source = {"kind": "llrp", "name": "gate", "host": "127.0.0.1", "port": port, "edge": edge}
        with tapped(tmp_path, source) as (tap, _):
            tap.await_that(lambda: any("property" in one for one in records(tap)))
    assert b"urn:" not in b"".join(said for _, said in tap.heard)
    assert {one.get("property", "about") for one in records(tap)} <= {"about", "count"}


def test_of_numbers_only_statistics_of_windows_leave(tmp_path: Path) -> None:
    def line(value: float) -> str:
        said = {"id": "kitchen", "dateObserved": "2026-01-01T00:00:01Z", "temperature": value, "guest": "Ann"}
        return json.dumps(said) + "\n"

    (tmp_path / "log").write_text(line(21.123) + line(22.377))
    edge = {"op": "aggregate", "window": "PT1M", "statistics": ["mean"]}
    source = {"kind": "file", "name": "log", "path": "log", "format": "ngsi", "edge": edge, "follow": False}
    with tapped(tmp_path, source) as (tap, gateway):
        tap.await_that(lambda: len(records(tap)) >= 1)
        assert gateway.stop()["withheld"] == 2
    ((name, value),) = {(one["property"], round(one["value"], 3)) for one in records(tap)}
    assert (name, value) == ("temperature.mean", 21.75)
    assert not any(raw in said for _, said in tap.heard for raw in (b"21.123", b"22.377", b"Ann"))


def _camera(url: str) -> dict[str, Any]:
    return {"kind": "camera", "name": "c", "url": f"{url}/now.jpg", "every": "PT1S", "datastream": "corner", "edge": BLUR}  # fmt: skip


def test_pictures_leave_covered_and_without_metadata(tmp_path: Path) -> None:
    raw = telling_jpeg()
    with served({"/now.jpg": raw}) as url, tapped(tmp_path, _camera(url)) as (tap, _):
        tap.await_that(lambda: any(topic == "frame/o/g/corner" for topic, _ in tap.heard))
    pictures = [said for topic, said in tap.heard if topic == "frame/o/g/corner"]
    for picture in pictures:
        assert b"SECRET" not in picture
        pixels = np.asarray(Image.open(io.BytesIO(picture)))
        assert (np.abs(pixels[PLATE].astype(int) - 96).max(axis=2) <= 12).mean() > 0.95
    assert raw not in [said for _, said in tap.heard]


def test_no_picture_leaves_where_the_networks_are_missing(tmp_path: Path) -> None:
    with (
        served({"/now.jpg": telling_jpeg()}) as url,
        tapped(tmp_path, _camera(url), models="nowhere") as (tap, gateway),
    ):
        gateway.await_log("picture_withheld")
        time.sleep(1.5)  # another picture: there is nothing to wait for where nothing may come
        said = gateway.stop()
    assert said["withheld"] >= 1
    assert not [topic for topic, _ in tap.heard if topic.startswith("frame/")]
