"""What every case begins with: a broker, an owner whose datastreams are offered in three ways, who reads them, and who may not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.faults.load import Ear, Load, Publisher
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.servers import Mitoyen

OWNER = "o"
STEP = 10
WINDOW_S = 60
DATASTREAMS = ("certain", "plain")
OFFERS: dict[str, list[dict[str, Any]]] = {
    "whole": [],
    "tens": [{"op": "quantise", "step": STEP}],
    "minutes": [{"op": "aggregate", "window": f"PT{WINDOW_S}S", "statistics": ["count", "mean"]}],
}
"""Profiles by offer: as it is, changed record by record, and counted in windows."""


@dataclass(frozen=True, slots=True)
class World:
    broker: Mitoyen
    owner: Owner
    reader: Reader
    stranger: Reader
    """Agreed to nothing."""

    @classmethod
    def made(cls, broker: Mitoyen, name: str = OWNER) -> World:
        """`name` is the owner's; several may stand in one broker."""
        owner = new_owner(broker, name)
        reader, stranger = (new_reader(broker, f"{who}-of-{name}") for who in ("reader", "stranger"))
        made = cls(broker, owner, reader, stranger)
        for datastream in DATASTREAMS:
            owner.datastream(datastream, unit="1")
        for profile, operators in OFFERS.items():
            reader.agree(owner.offer(DATASTREAMS, *operators, id=made.offer(profile))["id"])
        return made

    def offer(self, profile: str) -> str:
        """Its id."""
        return f"{self.owner.id}-{profile}"

    @contextmanager
    def load(self, rate: float, *, port: int | None = None, all_certain: bool = False) -> Iterator[Load]:
        """So many messages a second of each publisher, by way of another port if need be; an application and a stranger listen."""
        publishers = [
            Publisher(self.owner.mqtt, name, all_certain or name == "certain", rate, port=port) for name in DATASTREAMS
        ]
        ears = [Ear(self.reader.mqtt, is_wrong_to_show), Ear(self.stranger.mqtt, lambda *_: True)]
        with Load(publishers, ears) as load:
            yield load


def is_wrong_to_show(topic: str, said: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether a message on a release's topic is not as its profile says."""
    offer = topic.split("/")[2].rpartition("-")[2]
    return any(not _fits(offer, one) for one in (said if isinstance(said, list) else [said]))


def _fits(offer: str, one: dict[str, Any]) -> bool:
    if offer == "minutes":
        return one["statistics"]["count"] <= WINDOW_S
    return isinstance(one["value"], int | float) and (offer == "whole" or one["value"] % STEP == 0)
