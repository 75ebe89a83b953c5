"""How pictures are looked at, in a running broker and by `mitoyen redact` alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from broker.settings.forms import Group
from broker.vision.level import LEVELS, Level, LevelName, Limits, changed


def _levels(value: dict[LevelName, dict[str, object]]) -> dict[LevelName, dict[str, object]]:
    for name, changes in value.items():
        changed(LEVELS[name], changes)
    return value


class PictureSettings(Group):
    """What is found in them, and how large they may be."""

    models: Path | None = None
    """The folder with the networks; left out: where `scripts/setup` puts them."""
    levels: Annotated[dict[LevelName, dict[str, object]], AfterValidator(_levels)] = Field(default_factory=dict)
    """Numbers of a level that are to be others than `broker/vision/level.py` has, as JSON: {"normal": {"face_likelihood": 0.1}}."""
    picture_max_mb: Annotated[float, Field(gt=0, le=256)] = 2.0
    """A picture with more bytes is refused unread: Mosquitto takes no larger message (`mqtt_message_kb`)."""
    picture_max_megapixels: Annotated[float, Field(gt=0, le=100)] = 16.0
    """A picture with more pixels is refused before it is decoded: 16 are 48 MB in memory, a few bytes in a bomb."""

    @property
    def models_folder(self) -> Path:
        return self.models if self.models is not None else Path(__file__).parents[2] / "models"

    @property
    def all_levels(self) -> dict[LevelName, Level]:
        return {name: self.level(name) for name in LEVELS}

    def level(self, name: LevelName) -> Level:
        """A level, with what is set of it."""
        return changed(LEVELS[name], self.levels.get(name, {}))

    @property
    def picture_limits(self) -> Limits:
        return Limits(int(self.picture_max_mb * (1 << 20)), int(self.picture_max_megapixels * 1e6))
