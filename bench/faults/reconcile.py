"""The reconciliation after every case: what was answered against what is kept, shown and refused."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.faults.load import BEGIN, TAKEN, WAITING, Load, Publisher, is_wrong
from bench.faults.world import DATASTREAMS, OFFERS, STEP, WINDOW_S, World
from broker import times

SETTLE_S = 180.0  # what waits in the journal after a minute without a store is kept well within this
REFUSALS_SEEN = 1_000  # what the broker keeps of them
RETRY_S = 0.2
EXACT = 1e-6  # of a mean of 60 numbers

Columns: TypeAlias = dict[str, NDArray[Any]]


def reconciled(
    world: World,
    load: Load,
    *,
    within_s: float = 120.0,
    may_lose: bool = False,
    not_kept: AbstractSet[int] = frozenset(),
) -> dict[str, Any]:
    """Wait for the answers, then compare. `holds` of the outcome is the verdict.

    `may_lose`: Mosquitto died or overflowed, so a plain publisher's messages may be missing; they are counted. `not_kept`: numbers
    that a store refuses for good, which the broker's own sums must then have as refused.
    """
    answered = load.settle(within_s)
    history = {offer: history_of(world, offer) for offer in OFFERS}
    refused = _refused(world)
    found: dict[str, Any] = {"answered": answered}
    for publisher in load.publishers:
        found[publisher.datastream] = _kept(publisher, history["whole"][publisher.datastream], refused, not_kept)
    found["released_wrong"] = sum(wrong(*(of[name] for of in history.values())) for name in DATASTREAMS)
    found["live"] = [ear.messages for ear in load.ears]
    found["let_in"] = sum(len(ear.let_in) for ear in load.ears)
    found["sums_hold"] = sums_hold(world, not_kept)
    found["holds"] = bool(
        answered
        and found["sums_hold"]
        and not found["released_wrong"]
        and not found["let_in"]
        and all(
            not (one["doubled"] or one["wrong"] or one["unexplained"])
            and (not one["lost"] or (name == "plain" and may_lose))
            for name, one in ((p.datastream, found[p.datastream]) for p in load.publishers)
        )
    )
    return found


def _kept(
    publisher: Publisher, kept: Columns, refused: AbstractSet[tuple[str, int]], not_kept: AbstractSet[int]
) -> dict[str, Any]:
    """Of one publisher: `lost`, promised and nowhere, and the spans of numbers that are `missing` so; `doubled`, kept more than once; `wrong`,
    kept otherwise than it was sent or though it had to be refused; `unexplained`, refused without a reason that its owner can read.
    """
    answers = np.frombuffer(bytes(publisher.answers), np.uint8)
    all_numbers = np.arange(publisher.sent)
    to_refuse = is_wrong(all_numbers)
    promised = all_numbers[(answers == TAKEN) & ~to_refuse]
    missing = sorted(set(np.setdiff1d(promised, kept["number"]).tolist()) - not_kept)
    told = {number for name, number in refused if name == publisher.datastream}
    newest = set(all_numbers[to_refuse & (answers != WAITING)][-(REFUSALS_SEEN // 4) :].tolist())
    return {
        "sent": publisher.sent,
        "promised": len(promised),
        "refused": int(to_refuse.sum()),
        "lost": len(missing),
        "missing": _spans(missing),
        "doubled": len(kept["number"]) - len(np.unique(kept["number"])),
        "wrong": int((kept["value"] != kept["number"]).sum() + is_wrong(kept["number"]).sum()),
        "unexplained": len(newest - told) if publisher.certain else 0,
    }


def _spans(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of those that follow each other."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans


def wrong(whole: Columns, tens: Columns, minutes: Columns) -> int:
    """Points of the other releases that do not follow from what is kept, and those that should be there and are not."""
    wrong = len(np.setxor1d(whole["number"], tens["number"]))
    wrong += int(((tens["value"] % STEP != 0) | (abs(tens["value"] - tens["number"]) > STEP / 2)).sum())
    starts, of, counts = np.unique(whole["number"] // WINDOW_S * WINDOW_S, return_inverse=True, return_counts=True)
    if not np.array_equal(starts, minutes["number"]):
        return wrong + len(np.setxor1d(starts, minutes["number"])) + 1
    means = np.bincount(of, weights=whole["value"]) / counts if len(starts) else np.array([])
    return wrong + int(((minutes["count"] != counts) | (abs(minutes["mean"] - means) > EXACT)).sum())


def await_whole(world: World, offer: str) -> None:
    """Wait until the broker says that an offer's history is complete. Raises TimeoutError."""
    until = time.monotonic() + SETTLE_S
    while (said := _said(world, offer, {"end": times.text(BEGIN + times.SECOND)})) != "true":
        if time.monotonic() > until:
            raise TimeoutError(f"history is not complete after {SETTLE_S} s: {said}")
        time.sleep(RETRY_S)


def history_of(world: World, offer: str) -> dict[str, Columns]:
    """All observations of an offer, by datastream, as soon as the broker says that they are complete. Raises TimeoutError."""
    await_whole(world, offer)
    answer = _asked(world, offer, {"format": "arrow"})
    if answer.headers["Mitoyen-Complete"] != "true":
        raise TimeoutError(f"history is complete no longer: {answer.headers['Mitoyen-Complete']}")
    return {name: _columns(pa.ipc.open_stream(answer.content).read_all(), name) for name in DATASTREAMS}


def _said(world: World, offer: str, what: dict[str, str]) -> str:
    """Whether an answer is complete, in the broker's words."""
    answer = _asked(world, offer, what)
    return answer.headers.get("Mitoyen-Complete", "no answer") if answer.is_success else answer.text[:200]


def _asked(world: World, offer: str, what: dict[str, str]) -> httpx.Response:
    with world.broker.client(world.reader.key) as client:
        return client.get(f"/api/v1/offers/{world.offer(offer)}/observations", params=what, timeout=300)


def _columns(table: pa.Table, datastream: str) -> Columns:
    """The numbers of a datastream's observations, by their times, and what else is known of each."""
    own = table.filter(pc.equal(table["datastream"], datastream))
    columns = {name: own[name].to_numpy() for name in ("value", "count", "mean") if name in own.column_names}
    return columns | {"number": (own["time"].cast(pa.int64()).to_numpy() - BEGIN) // times.SECOND}


def _refused(world: World) -> set[tuple[str, int]]:
    """(datastream, number) of what its owner can read as refused, with a reason."""
    told = world.broker.call(world.owner.key, "GET", "gateways/g/rejections", limit=str(REFUSALS_SEEN))
    return {
        (one["topic"].rpartition("/")[2], int(json.loads(one["payload"])["value"]))
        for one in told
        if "expected a number" in one["reason"]
    }


def _account(world: World) -> dict[str, Any]:
    """What the broker says of itself; nothing while a part that was killed last is not there again."""
    with world.broker.client(world.owner.key) as client:
        answer = client.get("/api/v1/reconciliation")
    return dict(answer.json()) if answer.is_success else {}


def sums_hold(world: World, not_kept: AbstractSet[int]) -> bool:
    """Whether the broker's own account closes, as soon as it says that all is settled."""
    until = time.monotonic() + SETTLE_S
    while not (said := _account(world)).get("settled"):
        if time.monotonic() > until:
            return False
        time.sleep(RETRY_S)
    entered = said["accepted"] == said["stored"] + sum(said["refused"].values())
    left = all(
        one["released"] == one["delivered"] + sum(one["withheld"].values()) + one["waiting"] for one in said["releases"]
    )
    return bool(entered and left and said["refused"].get("store_rejected", 0) >= len(not_kept))
