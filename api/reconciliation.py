"""What became of every record, as an owner and Prometheus are told it: sums of what the keeper and the journal counted. Pure.

`broker/keeper/tally.py` says what each means and why the sides are equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from api.figures import Reconciliation, ReleaseReconciled
from broker import times
from broker.control import Reconciled
from broker.model import Offer, Release

STORED, RELEASED, DELIVERED = "stored", "released", "delivered"


@dataclass(slots=True)
class _Stream:
    fates: dict[str, int] = field(default_factory=dict)
    waiting: int = 0

    def others(self, *known: str) -> dict[str, int]:
        """By reason, what was withheld or refused."""
        return {fate: count for fate, count in self.fates.items() if fate not in known}


def of_organisation(organisation: str, offers: Iterable[Offer], found: Reconciled) -> Reconciliation:
    """What concerns one organisation. `offers`: its own."""
    streams = _streams(found)
    raw = [stream for name, stream in streams.items() if name.count("/") == 1 and name.startswith(f"{organisation}/")]
    own = [counts for counts in found.gateways if counts[0] == organisation]
    return Reconciliation(
        settled=found.settled,
        accepted=sum(accepted for _, _, accepted, _ in own),
        rejected=sum(rejected for _, _, _, rejected in own),
        stored=sum(stream.fates.get(STORED, 0) for stream in raw),
        refused=_added(stream.others(STORED) for stream in raw),
        releases=[
            _release(release, streams.get(release.stream, _Stream())) for offer in offers for release in offer.releases
        ],
    )


def families(offers: Iterable[Offer], found: Reconciled) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
    """The same of everyone, for Prometheus."""
    streams = _streams(found)
    raw = [stream for name, stream in streams.items() if name.count("/") == 1]
    accepted = CounterMetricFamily("mitoyen_reconciled_accepted", "Records that were journalled")
    accepted.add_metric([], sum(count for _, _, count, _ in found.gateways))
    stored = CounterMetricFamily("mitoyen_reconciled_stored", "Of them, kept in the raw store")
    stored.add_metric([], sum(stream.fates.get(STORED, 0) for stream in raw))
    refused = CounterMetricFamily("mitoyen_reconciled_refused", "Of them, refused after all", labels=["reason"])
    for reason, count in sorted(_added(stream.others(STORED) for stream in raw).items()):
        refused.add_metric([reason], count)
    yield from (accepted, stored, refused)
    yield from _of_releases([(r, streams.get(r.stream, _Stream())) for offer in offers for r in offer.releases])


def slowest(offers: Iterable[Offer], delays: Iterable[tuple[str, int]]) -> GaugeMetricFamily:
    """How long the last release of those was in coming that were slowest: few, whatever the city has."""
    of = {release.stream: release.id for offer in offers for release in offer.releases}
    what = "Seconds that what was released last had waited, of the slowest releases"
    told = GaugeMetricFamily("mitoyen_release_delay_seconds", what, labels=["release"])
    for stream, delay in delays:
        if stream in of:
            told.add_metric([of[stream]], delay / times.SECOND)
    return told


def _of_releases(
    releases: list[tuple[Release, _Stream]],
) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
    released = CounterMetricFamily("mitoyen_release_released", "Records that came under a release", labels=["release"])
    delivered = CounterMetricFamily("mitoyen_release_delivered", "Of them, in what it shows", labels=["release"])
    withheld = CounterMetricFamily("mitoyen_release_withheld", "Of them, withheld", labels=["release", "reason"])
    waiting = GaugeMetricFamily("mitoyen_release_waiting", "Of them, waiting for their window", labels=["release"])
    for release, stream in releases:
        released.add_metric([release.id], stream.fates.get(RELEASED, 0))
        delivered.add_metric([release.id], stream.fates.get(DELIVERED, 0))
        waiting.add_metric([release.id], stream.waiting)
        for reason, count in stream.others(RELEASED, DELIVERED).items():
            withheld.add_metric([release.id, reason], count)
    yield from (released, delivered, withheld, waiting)


def _streams(found: Reconciled) -> dict[str, _Stream]:
    streams: dict[str, _Stream] = {}
    for stream, fate, records in found.tallies:
        streams.setdefault(stream, _Stream()).fates[fate] = records
    for stream, records in found.waiting:
        streams.setdefault(stream, _Stream()).waiting = records
    return streams


def _release(release: Release, stream: _Stream) -> ReleaseReconciled:
    return ReleaseReconciled(
        release=release.id,
        offer=release.offer,
        datastream=release.datastream.id,
        released=stream.fates.get(RELEASED, 0),
        delivered=stream.fates.get(DELIVERED, 0),
        withheld={reason: count for reason, count in stream.others(RELEASED, DELIVERED).items() if count},
        waiting=stream.waiting,
    )


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    added: dict[str, int] = {}
    for one in counts:
        for reason, count in one.items():
            added[reason] = added.get(reason, 0) + count
    return added
