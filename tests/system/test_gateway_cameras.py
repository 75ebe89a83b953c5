"""Cameras at `mitoyen gateway`: one JPEG, MJPEG and RTSP from real servers, shown to an application with what identifies covered."""

from __future__ import annotations

import io
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.gatewayprocess import GatewayProcess
from tests.othersides import RtspServer, mjpeg, served
from tests.owners import new_owner, new_reader
from tests.pictures import jpeg, street

if TYPE_CHECKING:
    from pathlib import Path

    from tests.owners import Reader
    from tests.servers import Mitoyen

AROUND = [[0.35, 0.6], [0.7, 0.6], [0.7, 0.72], [0.35, 0.72]]
BLUR = {"op": "blur", "faces": True, "plates": True, "level": "fast", "masks": [AROUND]}
PLATE = (slice(306, 334), slice(248, 396))  # rows and columns of what stands on the plate of the street that is drawn


def shown(reader: Reader, release: str) -> bytes | None:
    with reader.broker.client(reader.key) as client:
        answer = client.get(f"/api/v1/releases/{release}/latest")
    return None if answer.status_code == httpx.codes.NOT_FOUND else answer.raise_for_status().content


@pytest.mark.parametrize("kind", ["jpeg", "mjpeg", "rtsp"])
def test_what_a_camera_shows_reaches_an_application_covered(mitoyen: Mitoyen, tmp_path: Path, kind: str) -> None:
    owner, reader = new_owner(mitoyen, f"seen-{kind}"), new_reader(mitoyen, f"seen-{kind}-screen")
    owner.datastream("corner", kind="camera")
    (release,) = reader.agree(owner.offer(["corner"], BLUR)["id"])["releases"]
    with ExitStack() as stack:
        if kind == "jpeg":
            url = stack.enter_context(served({"/now.jpg": jpeg(street())})) + "/now.jpg"
        elif kind == "mjpeg":
            url = stack.enter_context(mjpeg(jpeg(street())))
        else:
            url = stack.enter_context(RtspServer(tmp_path, street())).url
        source: dict[str, Any] = {"kind": "camera", "name": "c", "url": url, "every": "PT1S", "datastream": "corner"}
        gateway = stack.enter_context(GatewayProcess(tmp_path, owner.mqtt, source))
        mitoyen.await_that(lambda: shown(reader, release["id"]) is not None, "no picture")
        assert gateway.stop()["kept"] == 0, "pictures are kept nowhere"
    picture = shown(reader, release["id"])
    assert picture is not None
    pixels = np.asarray(Image.open(io.BytesIO(picture)))
    assert pixels.shape == (480, 640, 3)
    assert (np.abs(pixels[PLATE].astype(int) - 96).max(axis=2) <= 12).mean() > 0.95


def test_a_stream_that_can_not_be_read_is_said_without_its_password_and_tried_again(tmp_path: Path) -> None:
    login = {"host": "127.0.0.1", "port": 1, "username": "u", "password": "p", "client_id_prefix": "c", "topic": "in/o/g/{datastream}"}  # fmt: skip
    (tmp_path / "camera.password").touch(mode=0o600)
    (tmp_path / "camera.password").write_text("very secret")
    source = {"kind": "camera", "name": "c", "url": "rtsp://127.0.0.1:1/x", "datastream": "d", "username": "admin", "password_file": "camera.password"}  # fmt: skip
    with GatewayProcess(tmp_path, login, source) as gateway:
        gateway.await_log("picture_not_read")
        gateway.stop()
    assert "secret" not in gateway.log()
