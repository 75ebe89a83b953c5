"""The process that attacks what an offer would show, before it is made: `python -m broker.auditor SETTINGS-FILE`.

The question comes on standard input, the answer goes to standard output, and the home's files are read alone. A process of its own, since attacks
are seconds of a core's work: it steps aside for everything else on the machine, and can be ended when it takes too long.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from broker import opening, times
from broker.audit.finding import Finding
from broker.audit.plain import sentence
from broker.audit.shown import Found
from broker.audit.suite import Case, attack
from broker.consent import Consents
from broker.control import Attacked, Audit, Audited
from broker.errors import Refused
from broker.home import Home
from broker.model import Offer
from broker.points import Point
from broker.preview import hypothetical
from broker.privacy import pseudonymise, tags
from broker.privacy.draw import laplace
from broker.privacy.keys import load_key
from broker.privacy.profile import LEAST_GROUP
from broker.registry.reading import PROFILE
from broker.registry.snapshot import Snapshot
from broker.settings.settings import Settings
from broker.store.open import open_raw
from broker.store.protocol import Store

NICE = 19  # what nobody else wants
MOST_RECORDS = 50_000
"""Looked at, the newest: some 4 s of a core."""
LONGEST_S = 60  # an orphan's, when the broker is gone that would have ended it
TOO_FEW = f"Fewer than {LEAST_GROUP} people, by their tags or privacy units, were seen in this time: a share would be of one of them."


class Span(NamedTuple):
    """From `start` on and before `end` (ns)."""

    start: int
    end: int


def main() -> None:
    os.nice(NICE)
    signal.alarm(LONGEST_S)
    settings = Settings.model_validate_json(Path(sys.argv[1]).read_text())
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Audit)
    try:
        answer = audit(settings, asked, time.time_ns())
    except Refused as refused:
        answer = Audited(refused=refused.reason, detail=refused.detail)
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def audit(settings: Settings, asked: Audit, now: int) -> Audited:
    """Attack what this profile would show of the datastreams, had it stood for so many days.

    Names are those of whoever consents now, as if they always had. Raises Refused where the profile does not suit, and StoreUnavailable.
    """
    home = Home(settings.home)
    snapshot = opening.registry(settings, home).snapshot()
    own = {one.id: one for one in snapshot.datastreams if one.organisation == asked.organisation}
    sources = [own[name] for name in asked.datastreams]
    profile = PROFILE.validate_json(asked.profile)
    offer = hypothetical(sources, profile, times.EARLIEST, tuple(asked.purposes))
    each = MOST_RECORDS // len(sources)
    account = opening.writer(settings)
    with closing(open_raw(settings.store, home.root, prefix=opening.prefix(settings, home), account=account)) as raw:
        span = last_days(raw, offer, asked.days, now)
        found = [(source, newest(raw, source.stream, span, each)) for source in sources]
    complete = all(len(points) < each for _, points in found)
    answer = Audited(start=span.start, end=span.end, complete=complete)
    if _people(found) < LEAST_GROUP:
        return msgspec.structs.replace(answer, detail=TOO_FEW)
    others = [one for one in snapshot.offers.values() if beside(one, offer)]
    consents = _consents(snapshot, offer, home)
    case = Case(offer, found, others, consents, lateness=settings.lateness_ns)
    return msgspec.structs.replace(answer, attacks=[_told(one) for one in play(case)])


def play(case: Case) -> list[Finding]:
    """Every attack, under keys of this audit alone; the same data give the same figures."""
    key = secrets.token_bytes(32)
    rng = np.random.default_rng(0)
    return attack(case, lambda of, epoch: pseudonymise.derive(key, of, epoch), laplace, rng)


def newest(store: Store, stream: str, span: Span, most: int) -> list[Point]:
    """The newest points of a stream in a span, at most so many, oldest first."""
    return store.read(stream, span.start, span.end, limit=most, newest_first=True)[::-1]


def last_days(raw: Store, offer: Offer, days: int, now: int) -> Span:
    """The windows that are over, of the last days that have something, since the offer was made."""
    last = max(
        (point.time for point in raw.latest(one.datastream.stream for one in offer.releases).values()), default=0
    )
    step = offer.profile.aggregate.window_ns if offer.profile.aggregate else 1
    first = max(offer.created, last - days * times.DAY)
    return Span(-(-first // step) * step, min(-(-(last + 1) // step), now // step) * step)


def beside(other: Offer, offer: Offer) -> bool:
    """Whether a reader can take what one of them tells away from what the other does: windows of the same datastreams."""
    same = {one.datastream.stream for one in other.releases} == {one.datastream.stream for one in offer.releases}
    return other.id != offer.id and other.profile.aggregate is not None and same


def _told(found: Finding) -> Attacked:
    """No share of fewer targets than a group needs: it would be of one of them, or of none and so no sign that anything withstands."""
    if found.tried < LEAST_GROUP:
        found = Finding(found.attack, None, None, None)
    return Attacked(found.attack, found.success, found.chance, found.raw, found.tried, sentence(found))


def _people(found: Found) -> int:
    units = {(d.privacy_unit_id or str(p.value), d.asset_prefixes) for d, points in found for p in points}
    return len({unit for unit, things in units if not unit.startswith(things)})


def _consents(snapshot: Snapshot, offer: Offer, home: Home) -> Consents:
    """Of whoever consents to what the offer permits, as if they always had."""
    always = {
        tag: tuple(replace(one, given=times.EARLIEST) for one in given) for tag, given in snapshot.consents.items()
    }
    offered = replace(snapshot, offers={**snapshot.offers, offer.id: offer}, consents=always)
    return offered.consented(tags.hasher(load_key(home.tags)))


if __name__ == "__main__":
    main()
