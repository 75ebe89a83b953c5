"""Workers in other processes: each partition answers for itself, whoever serves it, wherever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec
import structlog

from broker import control, meter
from broker.access import Used
from broker.dispatch import divided, together, used_together
from broker.errors import Unavailable
from broker.model import Agreement, AgreementId
from broker.registry.snapshot import Snapshot
from broker.transport.protocol import Service, Transport

log = structlog.get_logger()

LOOK_S = 0.1  # how often it is asked what agreements used


class Partitioned:
    """What `Access` asks. Of what agreements used it knows what each partition said last, at first what it wrote down."""

    def __init__(
        self,
        transport: Transport,
        used: Sequence[Mapping[AgreementId, Used]],
        snapshot: Snapshot,
        edges: int = 0,
    ) -> None:
        """`used`: what each partition wrote down that agreements used. `edges`: how many take in, if others than the workers do."""
        self._edges = [transport.to(Service("edge", number)) for number in range(edges)]
        self._doors = [transport.to(Service("worker", number)) for number in range(len(used))]
        self._snapshot = snapshot
        self._used = list(used)

    async def run(self) -> None:
        """Learn what agreements used, until cancelled."""
        while True:
            for number in range(len(self._doors)):
                with suppress(Unavailable):  # it is started again; until then what it said last holds
                    said = await self._ask(number, control.QuotaUsed())
                    self._used[number] = msgspec.json.decode(said, type=dict[AgreementId, Used])
            await asyncio.sleep(LOOK_S)

    async def follow(self, snapshot: Snapshot) -> None:
        """Have all follow the registry. Raises Unavailable if one does not answer, after the others did: it follows when it is back."""
        self._snapshot = snapshot
        asked = [self._ask(number, control.Changed()) for number in range(len(self._doors))]
        told = [asyncio.to_thread(edge.call, control.Changed()) for edge in self._edges]
        _raise_first(await asyncio.gather(*asked, *told, return_exceptions=True))

    def used(self, _now: int) -> Mapping[AgreementId, Used]:
        """What agreements with a quota were delivered in its present period."""
        return used_together(self._used)

    def exhausted(self, now: int) -> frozenset[AgreementId]:
        """Agreements that had their quota."""
        return meter.exhausted(_limited(self._snapshot), self.used(now))

    async def answer(self, call: control.WorkersCall) -> object:
        """The answer of the partitions that it is for. Raises Unavailable, and Refused."""
        if isinstance(call, control.Ready):
            ready = await asyncio.gather(*(asyncio.to_thread(edge.call, call) for edge in self._edges))
            if not all(msgspec.json.decode(one, type=bool) for one in ready):
                return False
        asked = divided(call, self._snapshot.partitions, self._owner)
        answers = await asyncio.gather(
            *(self._ask(number, part) for number, part in asked.items()), return_exceptions=True
        )
        _raise_first(answers)
        return together(call, [answer for answer in answers if not isinstance(answer, BaseException)])

    def _owner(self, offer: str) -> str:
        """Whose an offer is; of one that nobody knows nobody's."""
        known = (*self._snapshot.offers.values(), *self._snapshot.withdrawn)
        return next((str(one.organisation) for one in known if one.id == offer), "")

    async def _ask(self, number: int, call: control.Call) -> msgspec.Raw:
        patience = control.AUDIT_S if isinstance(call, control.Audit) else control.PATIENCE_S
        return await asyncio.to_thread(self._doors[number].call, call, patience)


def _limited(snapshot: Snapshot) -> list[Agreement]:
    return [one for of in snapshot.agreements.values() for one in of if one.terms.quota]


def _raise_first(answers: Sequence[msgspec.Raw | BaseException]) -> None:
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
