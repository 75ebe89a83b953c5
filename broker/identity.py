"""Where a release's points rest. Pure."""

from __future__ import annotations

from broker.model import Datastream
from broker.privacy.profile import Profile

CELLS = "~cells"
"""In the place of a datastream, for what is computed of several; none is called so."""


def identity(offer: str, datastream: Datastream, profile: Profile, *, shared: bool) -> str:
    """Where the release's points rest: one stream for all releases that compute the same, if it may be shared."""
    own = "" if shared else f"/{offer}"
    if profile.by_cell:
        return f"{datastream.organisation}/{CELLS}/{profile.fingerprint}{own}"
    return f"{datastream.stream}/{profile.fingerprint}{own}"
