"""`mitoyen audit`: attacks on a release, with what was really released and the raw store beside it as the truth.

It reads the home's files and asks nobody, so that what comes in waits for none of it. Names are made anew under a key of this audit, since theirs may be
destroyed already; windows are those of the released store.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from broker import opening, times
from broker.audit.finding import Finding
from broker.audit.suite import Case, attack
from broker.errors import Refused
from broker.home import Home
from broker.model import Datastream, Offer, Release
from broker.points import Point
from broker.privacy import pseudonymise, tags
from broker.privacy.draw import laplace
from broker.privacy.keys import load_key
from broker.settings import Settings
from broker.store.open import open_raw
from broker.store.pictures import Pictures
from broker.store.protocol import Store
from broker.vision import models, picture
from broker.vision.boxes import Boxes
from broker.vision.detector import Detector

MOST_RECORDS = 1_000_000
"""Looked at, the newest: some minutes, and about 2 GB."""


class Span(NamedTuple):
    """From `start` on and before `end` (ns)."""

    start: int
    end: int


class Audited(NamedTuple):
    offer: Offer
    span: Span
    records: int
    findings: Sequence[Finding]


def audit(settings: Settings, release: str, days: int) -> Audited:
    """Attack the offer that shows this release, on its last so many days.

    Raises NotFound, Refused where there is nothing of people to attack, and StoreUnavailable.
    """
    home = Home(settings.home)
    registry = opening.registry(settings, home)
    shown, offer = registry.release(release)
    if shown.datastream.kind == "camera":
        return _on_picture(settings, home, shown, offer)
    sources = [one.datastream for one in offer.releases]
    if not all(of_people(source) for source in sources):
        raise Refused("not_of_people", f"offer {offer.id}: audits are of tag reads and of personal measurements")
    prefix = opening.prefix(settings, home)
    raw = open_raw(settings.store, home.root, prefix=prefix, account=opening.writer(settings))
    released = opening.released(settings, home)
    try:
        span = _span(raw, offer, days, time.time_ns())
        found = [(source, newest(raw, source.stream, span, MOST_RECORDS // len(sources))) for source in sources]
        told = {one.stream: newest(released, one.stream, span, MOST_RECORDS) for one in offer.releases}
    finally:
        raw.close()
        released.close()
    records = sum(len(points) for _, points in found)
    if not records:
        raise Refused("no_records", f"offer {offer.id}: nothing came since it was made, so there is nothing to attack")
    consents = registry.snapshot().consented(tags.hasher(load_key(home.tags)))
    beside = [one for one in registry.snapshot().offers.values() if _beside(one, offer)]
    case = Case(offer, found, beside, consents, lateness=settings.lateness_ns, released=told)
    key = secrets.token_bytes(32)  # of this audit alone
    rng = np.random.default_rng(0)  # the same data give the same figures
    findings = attack(case, lambda of, epoch: pseudonymise.derive(key, of, epoch), laplace, rng)
    return Audited(offer, span, records, findings)


def _on_picture(settings: Settings, home: Home, release: Release, offer: Offer) -> Audited:
    """Look again at the picture that is kept, as thoroughly as there is: what is found there was not covered, or is taken for what it is not."""
    pictures = Pictures(home.pictures, readonly=True)
    kept = pictures.latest(release.id)
    pictures.close()
    if kept is None:
        raise Refused("no_records", f"offer {offer.id}: no picture was released yet, so there is nothing to attack")
    detector = Detector(models.open_(settings.models_folder), settings.level("thorough"))
    pixels = picture.decode(kept.jpeg, settings.picture_limits).pixels
    found = {"faces": detector.tight(pixels), "plates": detector.find(pixels, faces=False).plates}
    findings = [
        Finding(f"{what} found again", float(bool(len(boxes))), None, None, 1, f"{len(boxes)} boxes: {_text(boxes)}")
        for what, boxes in found.items()
    ]
    return Audited(offer, Span(kept.time, kept.time + 1), 1, findings)


def _text(boxes: Boxes) -> str:
    """Left, top, right and bottom of each, in pixels."""
    return "; ".join(" ".join(str(round(float(edge))) for edge in box) for box in boxes)


def of_people(source: Datastream) -> bool:
    """Whether its records are of somebody whom an attack could be after."""
    return source.kind == "rfid" or (source.kind == "measurement" and source.privacy_unit_id is not None)


def newest(store: Store, stream: str, span: Span, most: int) -> list[Point]:
    """The newest points of a stream in a span, at most so many, oldest first."""
    return store.read(stream, span.start, span.end, limit=most, newest_first=True)[::-1]


def _span(raw: Store, offer: Offer, days: int, now: int) -> Span:
    """The windows that are over, since the offer was made."""
    last = max(
        (point.time for point in raw.latest(one.datastream.stream for one in offer.releases).values()), default=0
    )
    step = offer.profile.aggregate.window_ns if offer.profile.aggregate else 1
    first = max(offer.created, last - days * times.DAY)
    return Span(-(-first // step) * step, min(-(-(last + 1) // step), now // step) * step)


def _beside(other: Offer, offer: Offer) -> bool:
    """Whether a reader can take what one of them tells away from what the other does: windows of the same datastreams."""
    same = {one.datastream.stream for one in other.releases} == {one.datastream.stream for one in offer.releases}
    return other.id != offer.id and other.profile.aggregate is not None and same


def as_json(found: Audited) -> dict[str, object]:
    """Everything, to be read by programs. Shares are from 0 to 1."""
    return {
        "offer": found.offer.id,
        "profile": found.offer.profile.name,
        "start": times.text(found.span.start),
        "end": times.text(found.span.end),
        "records": found.records,
        "attacks": [asdict(one) for one in found.findings],
    }


def as_text(found: Audited) -> str:
    """A line an attack."""
    start, end = map(times.text, found.span)
    head = f"offer {found.offer.id}, profile {found.offer.profile.name}: {found.records} records from {start} to {end}"
    lines = [f"{'attack':52}{'success':>9}{'chance':>9}{'raw':>9}{'of':>8}"]
    lines += [
        f"{one.attack:52}{_percent(one.success):>9}{_percent(one.chance):>9}{_percent(one.raw):>9}{one.tried:>8}  {one.note}".rstrip()
        for one in found.findings
    ]
    return "\n".join([head, "", *lines])


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"
