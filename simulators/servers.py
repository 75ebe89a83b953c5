"""What of a city listens and is asked, rather than speaks by itself: RFID readers, the bike share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from simulators.bike_share import BikeServer, BikeShare
from simulators.city import City
from simulators.gates import Gates, Seen
from simulators.llrp_reader import LlrpReader
from simulators.people import Population

if TYPE_CHECKING:
    from simulators.feed import Clock
    from simulators.feeds import Tell
    from simulators.simulation import People, Simulation


class Server(Protocol):
    async def run(self) -> None:
        """Until it is cancelled. Raises OSError if it can't listen."""


def servers(simulation: Simulation, clock: Clock, tell: Tell | None = None) -> list[Server]:
    """`tell` hears whose each tag was that a reader reported."""
    found: list[Server] = []
    if simulation.readers:
        gates = Gates(population(simulation.seed, simulation.people))
        for reader in simulation.readers:
            passing = Passing(gates, reader.read_point, tell)
            found.append(LlrpReader(reader.host, reader.port, passing, clock.simulated))
    if simulation.bikes:
        share = BikeShare(City(simulation.seed, simulation.sensors))
        found.append(BikeServer(simulation.bikes.host, simulation.bikes.port, share, clock.simulated))
    return found


def population(seed: int, people: People) -> Population:
    return Population(
        seed,
        people.residents,
        read_points=people.read_points,
        visitors=people.visitors,
        things=people.things,
        stolen=people.stolen,
    )


class Passing:
    """What passes one reader, told as it is reported."""

    def __init__(self, gates: Gates, read_point: int, tell: Tell | None) -> None:
        self._gates, self._read_point, self._tell = gates, read_point, tell

    def __call__(self, start_ns: int, end_ns: int) -> Iterator[Seen]:
        for seen in self._gates.seen(self._read_point, start_ns, end_ns):
            if self._tell:
                self._tell({"reader": self._gates.names[self._read_point], **seen.row})
            yield seen
