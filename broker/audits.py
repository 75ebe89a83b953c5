"""Answering audits in the broker process: it says whether one may run, and has it run by a process of its own (`broker/auditor.py`).

Fail closed: the datastreams must be that organisation's, one audit runs at a time, each organisation has so many an hour, and what takes too long is
ended and said to have failed, never taken for a profile that withstands. A look at personal data is on the public record before it is taken.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from broker import times
from broker.control import Audit, Audited
from broker.errors import NotFound, Unavailable
from broker.model import Datastream
from broker.preview import of_people
from broker.previews import Often

AN_HOUR = 20  # audits of one organisation: a person who tries profiles
LONGEST_S = 25.0  # what a person waits for; attacks on 50,000 records take some 4 s of a core that is free
NOBODY = (
    "Attacks are on tag reads and on measurements with a privacy unit, and these are not all of that kind. "
    "What covers pictures is measured in docs/cameras.md."
)

TOO_LONG = "the attacks were not done in time and were ended, so nothing is known of this profile: ask for fewer days or datastreams"


class Audits:
    """`settings` is the file that the process reads; `record` puts a look at personal data on the public record."""

    def __init__(self, settings: Path, record: Callable[[str, str], None], longest_s: float = LONGEST_S) -> None:
        self._settings = settings
        self._record = record
        self._longest_s = longest_s
        self._alone = asyncio.Lock()
        self._often = Often(AN_HOUR, times.HOUR)

    async def answer(self, asked: Audit, datastreams: tuple[Datastream, ...], now: int) -> Audited:
        """Raises NotFound and Unavailable."""
        own = {one.id: one for one in datastreams if one.organisation == asked.organisation}
        missing = [name for name in asked.datastreams if name not in own]
        if missing:
            raise NotFound(f"{asked.organisation} has no datastream {', '.join(missing[:5])}")
        if not all(of_people(own[name]) for name in asked.datastreams):
            return Audited(detail=NOBODY)
        if self._alone.locked():
            return Audited(refused="audit_running")
        if self._often.too_many(asked.organisation, now):
            return Audited(refused="too_many_audits")
        async with self._alone:
            for name in asked.datastreams:
                await asyncio.to_thread(self._record, asked.organisation, name)
            return await self._run(asked)

    async def _run(self, asked: Audit) -> Audited:
        pipe, one_core = asyncio.subprocess.PIPE, {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        command = (sys.executable, "-X", "faulthandler", "-m", "broker.auditor", str(self._settings))
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=one_core)
        try:
            async with asyncio.timeout(self._longest_s):
                said, _ = await process.communicate(msgspec.json.encode(asked))
            return msgspec.json.decode(said, type=Audited)
        except TimeoutError:
            return Audited(refused="audit_too_long", detail=TOO_LONG)
        except msgspec.DecodeError as error:
            raise Unavailable("the audit did not come to its end") from error
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
