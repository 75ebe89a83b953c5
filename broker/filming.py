"""The process of the cameras, put together: what `mitoyen up` runs besides the broker and the keeper."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack, closing

from broker import control, secrets
from broker.camera.cameras import Cameras, CameraSettings
from broker.entry import Entry
from broker.home import Home
from broker.opening import registry, transport
from broker.part import accounts, alone, until_told
from broker.registry.registry import Registry
from broker.settings.settings import Settings
from broker.store.pictures import Pictures
from broker.transport.protocol import ACCESS
from broker.vision.wire import Setup


def run_cameras(settings: Settings) -> None:
    """Cover what cameras see, and publish it; until SIGTERM."""
    home = Home(settings.home)
    with ExitStack() as stack:
        stack.enter_context(alone(home.run / "cameras.lock"))
        known = stack.enter_context(closing(registry(settings, home)))
        pictures = stack.enter_context(closing(Pictures(home.pictures)))
        calls = stack.enter_context(closing(transport(settings, home)))
        asyncio.run(_run_cameras(settings, home, known, pictures, calls.to(ACCESS)))


async def _run_cameras(
    settings: Settings, home: Home, known: Registry, pictures: Pictures, broker: control.Control
) -> None:
    def report(entries: list[Entry], published: list[tuple[str, int, int]]) -> None:
        broker.call(control.FramesSeen(entries))
        broker.call(control.WindowsPublished(published))

    bounds = settings.picture_limits
    cameras = Cameras(
        CameraSettings(
            Setup(str(settings.models_folder), settings.all_levels, bounds.bytes, bounds.pixels),
            settings.camera_workers or os.cpu_count() or 1,
            settings.frame_timeout_s,
            settings.silent_after_ns,
        ),
        pictures,
        load=known.snapshot,
        revision=known.revision,
        report=report,
    )
    await until_told("cameras_stopped", cameras.run(accounts(settings, secrets.load(home.logins)["mitoyen.cameras"])))
