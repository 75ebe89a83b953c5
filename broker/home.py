"""What lies where in a home. Pure."""

from __future__ import annotations

from pathlib import Path


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
        self.journal = self.root / "journal.sqlite"
        self.meter = self.root / "meter.sqlite"
        self.pictures = self.root / "pictures.sqlite"
        self.keeper = self.root / "keeper.sqlite"
        self.observations = self.root / "observations.sqlite"
        self.mosquitto = self.root / "mosquitto"
        self.run = self.root / "run"
        self.wrapping = self.run / "wrapping.key"
        self.settings = self.run / "settings.json"
        self.socket = self.run / "broker.sock"
        self.keeper_state = self.run / "keeper.json"
        self.metrics = self.run / "metrics"

    def make(self) -> None:
        """Make the folders, readable by their owner alone: raw observations of people rest here."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for folder in (self.mosquitto, self.run, self.metrics):
            folder.mkdir(mode=0o700, exist_ok=True)
