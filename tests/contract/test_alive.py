"""systemd is told that a process is ready and gets on, where it asks; and nothing where it does not."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from broker import alive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        yield listening


async def heard(systemd: socket.socket) -> bytes:
    return await asyncio.to_thread(systemd.recv, 100)


async def test_a_loop_that_turns_says_so_again_and_again(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alive, "EVERY_S", 0.01)
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.getsockname())
    beating = asyncio.create_task(alive.beat())
    assert [await heard(systemd) for _ in range(3)] == [b"READY=1\nWATCHDOG=1"] * 3
    beating.cancel()


async def test_a_supervisor_says_so_at_a_socket_that_its_parts_do_not_know(systemd: socket.socket) -> None:
    beating = asyncio.create_task(alive.beat_to(systemd.getsockname()))
    assert await heard(systemd) == b"READY=1\nWATCHDOG=1"
    beating.cancel()
    await alive.beat_to(None)  # nobody asks: it has nothing to do


def test_a_thread_says_so_and_one_that_nobody_hears_goes_on(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.getsockname())
    stop = threading.Event()
    alive.beat_in_thread(stop)
    assert systemd.recv(100) == b"READY=1\nWATCHDOG=1"
    stop.set()
    alive.tell(f"{systemd.getsockname()}-nowhere", b"READY=1")
