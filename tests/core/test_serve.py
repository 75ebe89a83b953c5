"""The HTTP process does not go on without one of its tasks: whoever it tells would never know."""

from __future__ import annotations

import asyncio
import signal

from structlog.testing import capture_logs

from api import serve


async def _fails() -> None:
    raise ZeroDivisionError("21.5 at home")


async def _ended(cancel: bool) -> None:
    task = asyncio.create_task(_fails() if not cancel else asyncio.sleep(60), name="hub")
    task.add_done_callback(serve._watched)
    await asyncio.sleep(0)
    if cancel:
        task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)


def test_a_task_that_fails_ends_the_process_and_is_logged_without_what_it_says() -> None:
    stopped: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    try:
        with capture_logs() as logged:
            asyncio.run(_ended(cancel=True))
            assert (stopped, logged) == ([], [])
            asyncio.run(_ended(cancel=False))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stopped == [signal.SIGTERM]
    assert [(one["event"], one["task"], one["reason"]) for one in logged] == [
        ("task_ended", "hub", "ZeroDivisionError")
    ]
    assert "home" not in str(logged)
