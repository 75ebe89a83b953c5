"""How often people who are named are found again under their next name. Pure.

No profile with names prevents it, so each publishes how often it was measured: on the simulated city of `make audit`, which writes the figures here and in
`docs/privacy.md`. A profile between two that were measured is said to be linked as often as the worse of them.
"""

from __future__ import annotations

from typing import NamedTuple

from broker import times
from broker.privacy.profile import Profile


class Linkability(NamedTuple):
    """Shares from 0 to 1."""

    rate: float
    """Of the names whose bearer is seen in the next epoch, those that a reader pairs with the right one there, by places and hours."""
    chance: float
    """Of a pair at random."""


# make audit
DAY = Linkability(0.383, 0.0002)
HOUR = Linkability(0.215, 0.0006)
TRIP = Linkability(0.071, 0.0005)
# end
CUT_M = 400
"""Of the trips that were measured."""


def linkability(profile: Profile) -> Linkability | None:
    """Of the names that a profile gives; None if it gives none."""
    names = profile.pseudonymise
    if names is None:
        return None
    if names.rotate_ns <= times.HOUR:
        return HOUR
    if names.cut_m is not None and names.cut_m >= CUT_M:
        return TRIP
    return DAY
