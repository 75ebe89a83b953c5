"""A backup is taken while messages flow and restored elsewhere: everything of before it is there, once, and the sums close."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.faults.load import TAKEN, is_wrong
from bench.faults.reconcile import history_of, sums_hold, wrong
from bench.faults.world import DATASTREAMS, OFFERS, World
from tests.servers import Mitoyen

PROGRESS_S = 90.0


def restored(folder: Path, *, answers: int, rate: float) -> dict[str, Any]:
    """Back up amid the load, restore, compare."""
    file, again = folder / "backup.tar", folder / "restored"
    with Mitoyen(folder) as broker:
        world = World.made(broker)
        with world.load(rate) as load:
            load.await_answers(answers, PROGRESS_S)
            before = {one.datastream: one.answered(TAKEN) for one in load.publishers}
            broker.run_command("backup", str(file), "--home", str(broker.home))
            load.await_answers(answers, PROGRESS_S)
            sent = load.counts()
    again.mkdir()
    Mitoyen.run_command("restore", str(file), "--home", str(again / "home"))
    with Mitoyen(again) as broker:
        world = World(broker, *(replace(one, broker=broker) for one in (world.owner, world.reader, world.stranger)))
        history = {offer: history_of(world, offer) for offer in OFFERS}
        closes = sums_hold(world, frozenset())
    missing = doubled = strange = not_as_agreed = 0
    for name in DATASTREAMS:
        numbers = history["whole"][name]["number"]
        # a plain publisher's last may still have been on their way when the copy was made
        promised = {n for n in before[name] if not is_wrong(n)} if name == "certain" else set()
        missing += len(promised - set(numbers.tolist()))
        doubled += len(numbers) - len(np.unique(numbers))
        strange += int((numbers >= sent[name]).sum())
        not_as_agreed += wrong(*(of[name] for of in history.values()))
    held = {"missing": missing, "doubled": doubled, "strange": strange, "released_wrong": not_as_agreed}
    return {
        "backed_up_mb": round(file.stat().st_size / (1 << 20), 1),
        **held,
        "sums_hold": closes,
        "holds": closes and not any(held.values()),
    }
