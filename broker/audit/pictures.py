"""Looking again at pictures that were released: does a detector still find what was covered? Pure."""

from __future__ import annotations

from broker.vision.boxes import Boxes, overlap

SAME = 0.4
"""Boxes that overlap by more than this are of one thing, as the detectors have it."""


def found_again(known: Boxes, seen: Boxes) -> int:
    """How many of the `known` boxes some box that is `seen` on the released picture is about."""
    return sum(bool(len(seen)) and bool((overlap(box, seen) > SAME).any()) for box in known)
