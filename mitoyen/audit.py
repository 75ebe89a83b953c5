"""`mitoyen audit`: attacks on a release, with what was really released and the raw store beside it as the truth.

It reads the home's files and asks nobody, so that what comes in waits for none of it. Names are made anew under a key of this audit, since theirs may be
destroyed already; windows are those of the released store.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

from broker import opening, times
from broker.audit.finding import Finding
from broker.audit.suite import Case
from broker.auditor import Span, beside, last_days, newest, play
from broker.errors import Refused
from broker.home import Home
from broker.model import Offer, Release
from broker.preview import of_people
from broker.privacy import tags
from broker.privacy.keys import load_key
from broker.settings.settings import Settings
from broker.store.open import open_raw
from broker.store.pictures import Pictures
from broker.vision import models, picture
from broker.vision.boxes import Boxes
from broker.vision.detector import Detector

MOST_RECORDS = 1_000_000
"""Looked at, the newest: some minutes, and about 2 GB."""


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
        span = last_days(raw, offer, days, time.time_ns())
        found = [(source, newest(raw, source.stream, span, MOST_RECORDS // len(sources))) for source in sources]
        told = {one.stream: newest(released, one.stream, span, MOST_RECORDS) for one in offer.releases}
    finally:
        raw.close()
        released.close()
    records = sum(len(points) for _, points in found)
    if not records:
        raise Refused("no_records", f"offer {offer.id}: nothing came since it was made, so there is nothing to attack")
    consents = registry.snapshot().consented(tags.hasher(load_key(home.tags)))
    others = [one for one in registry.snapshot().offers.values() if beside(one, offer)]
    case = Case(offer, found, others, consents, lateness=settings.lateness_ns, released=told)
    return Audited(offer, span, records, play(case))


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
