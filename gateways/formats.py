"""The formats that a gateway may speak, by the name that configuration and interface use."""

from __future__ import annotations

from broker.entry import Decode
from gateways import canonical

DECODERS: dict[str, Decode] = {"json": canonical.decode}
