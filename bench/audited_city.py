"""The city that `make audit` attacks: its people's tags and meters, and the offers that an owner might make of them. Pure.

What is worst for people is assumed: every resident consented, every reader is offered, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from broker import times
from broker.audit.shown import Found
from broker.audit.suite import Case
from broker.consent import Consents
from broker.identity import identity
from broker.licence import Terms
from broker.model import Consent, Datastream, Offer, OfferId, OrganisationId, Release, ReleaseId
from broker.place import Place
from broker.points import Point, tag_key
from broker.privacy import suitability
from broker.privacy.aggregate import read_point_of
from broker.registry.reading import PROFILE
from simulators.people import Population
from simulators.tags import ASSET_PREFIX

BEGIN = times.parse("2026-11-02T00:00:00Z")
"""A Monday."""
GATES = Datastream(
    OrganisationId("city"),
    "gates",
    "roof-1",
    "rfid",
    personal_data=True,
    privacy_unit="tag",
    asset_prefixes=(ASSET_PREFIX,),
)
METER = Datastream(
    OrganisationId("city"),
    "meter",
    "roof-1",
    "measurement",
    observed_property="power",
    unit="W",
    personal_data=True,
    location_h3=9,
    privacy_unit="household",
)
_COUNT: Mapping[str, object] = MappingProxyType({"op": "aggregate", "window": "PT1H", "statistics": ["count"], "k": 5})
_BY_GATE: Mapping[str, object] = MappingProxyType({**_COUNT, "by": "read_point"})
BY_TRIP = "tags: names of a trip, cut 400 m around its ends"
RECOMMENDED = ("tags: counts by read point and hour, k 5", "meters: means by cell and hour, k 5")
_CELL: Mapping[str, object] = MappingProxyType({"op": "generalise_location", "h3": 8})
_OF_CELL: Mapping[str, object] = MappingProxyType(
    {"op": "aggregate", "window": "PT1H", "statistics": ["mean", "count"], "by": "cell", "k": 5}
)
NAMED = ("tags: names of a day", "tags: names of an hour", BY_TRIP)
PROFILES: Mapping[str, tuple[Mapping[str, object], ...]] = MappingProxyType(
    {
        NAMED[0]: ({"op": "pseudonymise", "rotate": "P1D"},),
        NAMED[1]: ({"op": "pseudonymise", "rotate": "PT1H"},),
        "tags: names of a day, times rounded to an hour": (
            {"op": "round_time", "to": "PT1H"},
            {"op": "pseudonymise", "rotate": "P1D"},
        ),
        BY_TRIP: ({"op": "pseudonymise", "rotate": "P1D", "gap": "PT30M", "cut_m": 400},),
        RECOMMENDED[0]: (_BY_GATE,),
        "tags: the same with noise": (_BY_GATE, {"op": "noise", "epsilon": 0.5, "budget": 12, "bound": 1}),
        RECOMMENDED[1]: (_CELL, _OF_CELL),
    }
)
_BESIDE: tuple[tuple[Mapping[str, object], ...], ...] = (
    ({**_BY_GATE, "k": 10},),
    (_COUNT,),
    ({**_BY_GATE, "window": "PT30M"},),
    ({**_BY_GATE, "window": "PT20M"},),
    ({**_COUNT, "window": "PT2H"},),
    (_BY_GATE, {"op": "quantise", "step": 5}),
)
"""Other offers that a curious reader would like to have beside it."""
_BESIDE_CELLS: tuple[tuple[Mapping[str, object], ...], ...] = (
    (_CELL, {**_OF_CELL, "k": 10}),
    ({**_CELL, "h3": 7}, _OF_CELL),
    (_CELL, {**_OF_CELL, "window": "PT30M"}),
    (_CELL, {"op": "clip", "min": 0, "max": 1_000}, _OF_CELL),
)


def reads(people: Population, days: int) -> Found:
    """What readers saw of the people in so many days, as the raw store has it."""
    seen = people.reads(BEGIN, BEGIN + days * times.DAY)
    urns = [point.urn for point in people.read_points]
    epcs = {tag: people.epc(tag) for tag in set(seen.tag.tolist())}
    points = [
        Point(
            time,
            epc := epcs[tag],
            tag_key(epc, urn := urns[place], antenna),
            f'{{"read_point":"{urn}","antenna":{antenna},"rssi":{rssi}}}',
        )
        for time, tag, place, antenna, rssi in zip(*(column.tolist() for column in seen), strict=True)
    ]
    return [(GATES, points)]


def meters(people: Population, days: int) -> Found:
    """What a meter in every second resident's home says each hour (W)."""
    rng = np.random.default_rng(people.seed)
    homes = people.homes[::2].tolist()
    watts = rng.lognormal(5.5, 0.5, (len(homes), 1)) * rng.lognormal(0, 0.4, (len(homes), days * 24))
    found = []
    for n, home in enumerate(homes):
        longitude, latitude = people.streets.location(home) + rng.uniform(-0.0008, 0.0008, 2)  # within the block
        meter = replace(
            METER, id=f"meter-{n}", privacy_unit_id=f"household-{n}", place=Place(float(longitude), float(latitude))
        )
        found.append((meter, [Point(BEGIN + h * times.HOUR, round(w)) for h, w in enumerate(watts[n].tolist())]))
    return found


def case(name: str, found: Found, people: Population) -> Case:
    """An offer of this profile, and what stands beside it. Raises Refused where the broker would refuse it."""
    if name == BY_TRIP:
        found = _by_gate(found, people)
    sources = [datastream for datastream, _ in found]
    offer = _offer("audited", PROFILES[name], sources)
    others = _BESIDE if sources == [GATES] else _BESIDE_CELLS if offer.profile.by_cell else ()
    beside = [_offer(f"beside-{n}", operators, sources) for n, operators in enumerate(others)]
    owner = {people.epc(tag): f"resident {tag % people.residents}" for tag in range(2 * people.residents)}
    return Case(offer, found, beside, _everybody(offer), lambda tag: owner.get(tag, tag))


def _by_gate(found: Found, people: Population) -> Found:
    """A datastream for each reader, which has a place."""
    of_gate: dict[str, list[Point]] = {point.urn: [] for point in people.read_points}
    for _, points in found:
        for point in points:
            of_gate[read_point_of(point)].append(point)
    return [
        (replace(GATES, id=f"gate-{n}", place=Place(*point.location)), of_gate[point.urn])
        for n, point in enumerate(people.read_points)
    ]


def _offer(name: str, operators: tuple[Mapping[str, object], ...], datastreams: list[Datastream]) -> Offer:
    profile = PROFILE.validate_python({"name": name, "operators": [dict(op) for op in operators]})
    suitability.check(profile, datastreams)
    releases = tuple(
        Release(ReleaseId(f"{name}-{one.id}"), OfferId(name), one, identity(name, one, profile, shared=False))
        for one in datastreams
    )
    terms = Terms("CC-BY-4.0", "", ("any",))
    return Offer(OfferId(name), OrganisationId("city"), profile, terms, releases, BEGIN)


def _everybody(offer: Offer) -> Consents:
    """Everybody's consent to everything, from the beginning."""
    return Consents({"": (Consent("", "any", times.EARLIEST),)}, {offer.id: frozenset({"any"})}, lambda _: "")
