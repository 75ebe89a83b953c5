"""What carries calls from process to process: what it must hold to, whatever it is made of."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from broker.control import Control, Serve
from broker.keeper.state import KeeperState


class Service(NamedTuple):
    """Who is asked: the one that says who may, whoever serves a partition, or whoever takes in at a Mosquitto."""

    kind: Literal["access", "worker", "edge"]
    number: int = 0
    """The partition's, or the Mosquitto's."""


ACCESS = Service("access")


class Transport(Protocol):
    """Close it."""

    def to(self, service: Service) -> Control:
        """For whoever asks it."""
        ...

    async def serve(self, service: Service, answer: Serve) -> None:
        """Answer what it is asked, until cancelled. Where `answer` raises LeaseLost nothing is said, for it is for another to say."""

    def say(self, partition: int, state: KeeperState) -> None:
        """Tell how the keeper of a partition gets on, in place of what it said before. Waits for nobody."""

    def said(self, partition: int) -> KeeperState | None:
        """What the keeper of a partition said last; None where that is not known."""

    def close(self) -> None: ...
