"""Which partitions a call is for, and what their answers are together.

What is asked of an organisation goes to its partition; what is told of many things is divided; the rest is asked of all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from broker import control
from broker.access import Used
from broker.meter import Row
from broker.model import AgreementId
from broker.partition import Partitions
from broker.topics import source

T = TypeVar("T")


def divided(
    call: control.WorkersCall, partitions: Partitions, owner: Callable[[str], str]
) -> Mapping[int, control.WorkersCall]:
    """What to ask of which partition. `owner` says whose an offer is."""
    match call:
        case control.HttpDelivered(what=what):
            parts = _by(what, lambda one: partitions.of(owner(one.offer)))
            return {number: control.HttpDelivered(part) for number, part in parts.items()}
        case control.WindowsPublished(what=published):
            windows = _by(published, lambda one: partitions.of(owner(one[0])))
            return {number: control.WindowsPublished(part) for number, part in windows.items()}
        case control.FramesSeen(entries=entries):
            frames = _by(entries, lambda one: partitions.of(_organisation(one.topic)))
            return {number: control.FramesSeen(part) for number, part in frames.items()}
        case (
            control.Gateways(organisation=whose)
            | control.Refusals(organisation=whose)
            | control.Suggested(organisation=whose)
            | control.Preview(organisation=whose)
            | control.Audit(organisation=whose)
            | control.Decode(organisation=whose)
        ):
            return {partitions.of(whose): call}
        case control.CaughtUp(organisation=str(whose)):
            return {partitions.of(whose): call}
        case _:
            return dict.fromkeys(range(partitions.count), call)


def together(call: control.WorkersCall, answers: Sequence[msgspec.Raw]) -> object:
    """The answer to a call, of those of the partitions that were asked."""
    match call:
        case control.CaughtUp() | control.Ready():
            return all(_read(answers, bool))
        case control.HoldJournal():
            return list(answers)
        case control.HttpDelivered():
            return sorted({one for of in _read(answers, list[str]) for one in of})
        case control.QuotaUsed():
            return used_together(_read(answers, dict[AgreementId, Used]))
        case control.Usage() | control.TotalUsage():
            rows = [row for of in _read(answers, list[Row]) for row in of]
            return sorted(rows, key=lambda row: (row.hour, row.offer, row.agreement))
        case control.Reconcile():
            return _reconciled(list(_read(answers, control.Reconciled)))
        case control.WindowsPublished() | control.FramesSeen():
            return None
        case _:
            (answer,) = answers
            return answer


def used_together(of_each: Iterable[Mapping[AgreementId, Used]]) -> dict[AgreementId, Used]:
    """What agreements used, by what each partition counted."""
    found: dict[AgreementId, Used] = {}
    for used in of_each:
        for agreement, more in used.items():
            known = found.get(agreement, Used(0, 0))
            found[agreement] = Used(known.records + more.records, known.bytes + more.bytes)
    return found


def _reconciled(parts: list[control.Reconciled]) -> control.Reconciled:
    return control.Reconciled(
        all(part.settled for part in parts),
        [gateway for part in parts for gateway in part.gateways],
        [tally for part in parts for tally in part.tallies],
        [stream for part in parts for stream in part.waiting],
    )


def _read(answers: Iterable[msgspec.Raw], of: type[T]) -> Iterable[T]:
    return (msgspec.json.decode(answer, type=of) for answer in answers)


def _by(things: Iterable[T], key: Callable[[T], int]) -> dict[int, list[T]]:
    found: dict[int, list[T]] = defaultdict(list)
    for thing in things:
        found[key(thing)].append(thing)
    return found


def _organisation(topic: str) -> str:
    whose = source(topic)
    return whose.organisation if whose else ""
