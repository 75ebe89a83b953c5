"""What lies where in a home. Pure."""

from __future__ import annotations

from pathlib import Path


class PartitionHome:
    """The paths of what is kept of one partition."""

    def __init__(self, root: Path, run: Path) -> None:
        self.root = root
        self.run = run
        self.journal = root / "journal.sqlite"
        self.beside = root / "beside.sqlite"
        self.meter = root / "meter.sqlite"
        self.keeper = root / "keeper.sqlite"
        self.socket = run / "broker.sock"
        self.keeper_state = run / "keeper.json"
        self.serving = run / "broker.lock"
        self.keeping = run / "keeper.lock"


class EdgeHome:
    """The paths of one Mosquitto, and of whoever takes in there where there are several."""

    def __init__(self, root: Path, run: Path, number: int) -> None:
        self.mosquitto = root / (f"mosquitto-{number}" if number else "mosquitto")
        self.socket = run / f"edge-{number}.sock"
        self.lock = run / f"edge-{number}.lock"

    def beside(self, partition: int) -> Path:
        """What is remembered of what came for a partition."""
        return self.mosquitto / f"beside-{partition}.sqlite"


class Home:
    """The paths of everything that a broker keeps."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.operator_key = self.root / "operator.key"
        self.logins = self.root / "logins.json"
        self.ledger_key = self.root / "ledger.key"
        self.tags = self.root / "tags.key"
        self.pseudonyms = self.root / "pseudonyms.keys"
        self.webhooks = self.root / "webhooks.key"
        self.partitions = self.root / "partitions"
        self.pictures = self.root / "pictures.sqlite"
        self.observations = self.root / "observations.sqlite"
        self.mosquitto = self.root / "mosquitto"
        self.run = self.root / "run"
        self.wrapping = self.run / "wrapping.key"
        self.settings = self.run / "settings.json"
        self.socket = self.run / "broker.sock"
        self.restarts = self.run / "restarts.json"
        self.metrics = self.run / "metrics"

    def partition(self, number: int, count: int) -> PartitionHome:
        """One of so many partitions; the only one lies in the home itself."""
        own = self.partitions / str(number)
        return PartitionHome(self.root, self.run) if count == 1 else PartitionHome(own, own / "run")

    def every_partition(self, count: int) -> list[PartitionHome]:
        """All of them, in order."""
        return [self.partition(number, count) for number in range(count)]

    def edge(self, number: int) -> EdgeHome:
        """One of the Mosquittos."""
        return EdgeHome(self.root, self.run, number)

    def make(self, partitions: int = 1, edges: int = 1) -> None:
        """Make the folders, readable by their owner alone: raw observations of people rest here."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        folders = [*(self.edge(number).mosquitto for number in range(edges)), self.run, self.metrics]
        if partitions > 1:
            own = self.every_partition(partitions)
            folders += [self.partitions, *(one.root for one in own), *(one.run for one in own)]
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
