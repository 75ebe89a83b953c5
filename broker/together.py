"""Tasks that stand or fall together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


async def together(*tasks: Coroutine[object, object, None]) -> None:
    """Run these until all are done, or one fails: then the others are cancelled, and what it raised is raised when they have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed
