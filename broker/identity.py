"""Where a release's points rest. Pure."""

from __future__ import annotations

from broker.model import Datastream
from broker.privacy.profile import Profile


def identity(offer: str, datastream: Datastream, profile: Profile, *, shared: bool) -> str:
    """Where the release's points rest: one stream for all releases that compute the same, if it may be shared."""
    own = "" if shared else f"/{offer}"
    return f"{datastream.stream}/{profile.fingerprint}{own}"
