"""What an attack found, as a sentence for whoever is to decide whether to offer it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from broker.audit.finding import Finding
from broker.audit.suite import NEAR_M, POINTS, SEVERAL_TAGS

READERS: Mapping[str, str] = MappingProxyType(
    {
        **{f"unicity, {n} known": f"Who knows {n} of somebody's visits singles them out" for n in POINTS},
        "linking by trajectory": "Who knows where somebody goes finds them again in the next period",
        "linking by rhythm": "Who knows at what times somebody goes finds them again in the next period",
        "dictionary of all tags": "Who tries every tag of a maker learns whose a name is",
        "two offers joined by name": "Who accepts two such offers joins them by their names",
        "two offers joined by trajectory": "Who accepts two such offers joins them by places and hours",
        "differencing": "Who subtracts what is told from totals and from other offers recovers a group that is withheld",
        SEVERAL_TAGS: "A group that is told is of fewer people than it counts, since some have several tags",
        "averaging noise away": "Who takes the mean of all draws that the budget pays for has the exact count",
        "membership inference": "Who knows somebody's whole day guesses rightly whether they were counted",
        f"place averaged to {NEAR_M} m": f"Who averages the places that are told comes within {NEAR_M} m of a private one",
        "side channels": "Who compares messages and status tells a window of too few from one of nobody",
    }
)
"""What a curious reader does and has of it, by attack."""


def sentence(found: Finding) -> str:
    """The attack and its shares in words."""
    if found.success is None:
        return f"{READERS[found.attack]}: there are too few to try it on."
    beside = [
        f"{_percent(share)} {where}"
        for share, where in ((found.chance, "without the offer"), (found.raw, "with the raw data"))
        if share is not None
    ]
    return f"{READERS[found.attack]}: {_percent(found.success)} of {found.tried} ({', '.join(beside)})."


def _percent(share: float) -> str:
    return f"{share:.1%}"
