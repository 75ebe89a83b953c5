"""One request that reads several offers: whether each may still be read, and what of each was delivered."""

from __future__ import annotations

from dataclasses import dataclass, field

from api.services import Readable, Services
from broker.meter import ANYONE, Delivered
from broker.model import Caller, Offer


@dataclass(slots=True)
class Reading:
    """Which offers the caller may read, decided in `epoch`; and how many records were read of each."""

    with_: Services
    caller: Caller | None
    readable: dict[str, Readable]
    epoch: int
    records: dict[str, int] = field(default_factory=dict)

    def still(self, offer: Offer, records: int) -> None:
        """So many more were read. Raises Problem if it is no longer permitted."""
        until = self.readable[offer.id].permitted.until
        if self.epoch != self.with_.epoch or (until is not None and self.with_.clock() >= until):
            self.with_.permit_still(self.caller, offer)
        self.records[offer.id] = self.records.get(offer.id, 0) + records

    def tell(self, size: int) -> None:
        """Count what is answered, `size` bytes in all, as delivered. Raises Unavailable."""
        total = sum(self.records.values())
        self.with_.delivered(
            *(
                Delivered(offer, self._under(offer), records, size * records // total)
                for offer, records in self.records.items()
                if records
            )
        )

    def _under(self, offer: str) -> str:
        readable = self.readable[offer]
        agreement = readable.agreement
        return agreement.id if agreement is not None and readable.offer.terms.access != "open" else ANYONE
