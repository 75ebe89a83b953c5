"""The README's programs, run as they stand there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.owners import new_owner, new_reader
from tests.publisher import Device

if TYPE_CHECKING:
    from tests.servers import Mitoyen

PROGRAMS = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[2] / "README.md").read_text(), re.DOTALL)
ANSWER_S = 10.0
LOGIN = ("host", "port", "username", "password", "client_id_prefix")


async def test_the_subscriber_hears_and_the_query_finds_what_was_published(
    mitoyen: Mitoyen, capsys: pytest.CaptureFixture[str]
) -> None:
    subscriber, query = PROGRAMS
    owner, reader = new_owner(mitoyen, "readme"), new_reader(mitoyen, "readme-map")
    owner.datastream("noise", unit="dB")
    offer = owner.offer(["noise"])
    reader.agree(offer["id"])
    release = offer["releases"][0]
    line = f"{release['topic']} b'"  # others offer openly meanwhile, and are heard too
    told: dict[str, Any] = {}
    exec(compile(subscriber, "README.md", "exec"), told)
    listening = asyncio.create_task(told["main"](**{name: reader.mqtt[name] for name in LOGIN}))
    heard = ""
    with Device(owner.mqtt) as device:
        async with asyncio.timeout(ANSWER_S):
            for number in range(10_000):
                device.publish("noise", [f'{{"time": "2026-01-01T00:00:00.{number:04}Z", "value": 61.5}}'])
                await asyncio.sleep(0.01)  # until the subscription stands, which nobody tells us
                heard += capsys.readouterr().out
                if line in heard:
                    break
    listening.cancel()
    assert '"value":61.5' in heard.partition(line)[2]
    reader.history(release["id"])
    exec(compile(query, "README.md", "exec"), {"address": mitoyen.url, "release": release["id"], "key": reader.key})
    assert capsys.readouterr().out == "2026-01-01T00:00:00Z 61.5\n"
