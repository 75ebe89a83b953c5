"""The city that `make audit` attacks: its people's tags, and the offers that an owner might make of them. Pure.

What is worst for people is assumed: every resident consented, every reader is offered, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from broker import times
from broker.audit.shown import Found
from broker.audit.suite import Case
from broker.consent import Consents
from broker.identity import identity
from broker.licence import Terms
from broker.model import Consent, Datastream, Offer, OfferId, OrganisationId, Release, ReleaseId
from broker.points import Point, tag_key
from broker.privacy import suitability
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
_COUNT: Mapping[str, object] = MappingProxyType({"op": "aggregate", "window": "PT1H", "statistics": ["count"], "k": 5})
_BY_GATE: Mapping[str, object] = MappingProxyType({**_COUNT, "by": "read_point"})
RECOMMENDED = ("tags: counts by read point and hour, k 5",)
PROFILES: Mapping[str, tuple[Mapping[str, object], ...]] = MappingProxyType(
    {
        "tags: names of a day": ({"op": "pseudonymise", "rotate": "P1D"},),
        "tags: names of an hour": ({"op": "pseudonymise", "rotate": "PT1H"},),
        "tags: names of a day, times rounded to an hour": (
            {"op": "round_time", "to": "PT1H"},
            {"op": "pseudonymise", "rotate": "P1D"},
        ),
        RECOMMENDED[0]: (_BY_GATE,),
        "tags: the same with noise": (_BY_GATE, {"op": "noise", "epsilon": 0.5, "budget": 12, "bound": 1}),
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


def case(name: str, found: Found, people: Population) -> Case:
    """An offer of this profile, and what stands beside it. Raises Refused where the broker would refuse it."""
    offer = _offer("audited", PROFILES[name], GATES)
    beside = [_offer(f"beside-{n}", operators, GATES) for n, operators in enumerate(_BESIDE)]
    owner = {people.epc(tag): f"resident {tag % people.residents}" for tag in range(2 * people.residents)}
    return Case(offer, found, beside, _everybody(offer), lambda tag: owner.get(tag, tag))


def _offer(name: str, operators: tuple[Mapping[str, object], ...], datastream: Datastream) -> Offer:
    profile = PROFILE.validate_python({"name": name, "operators": [dict(op) for op in operators]})
    suitability.check(profile, [datastream])
    release = Release(ReleaseId(name), OfferId(name), datastream, identity(name, datastream, profile, shared=False))
    terms = Terms("CC-BY-4.0", "", ("any",))
    return Offer(OfferId(name), OrganisationId("city"), profile, terms, (release,), BEGIN)


def _everybody(offer: Offer) -> Consents:
    """Everybody's consent to everything, from the beginning."""
    return Consents({"": (Consent("", "any", times.EARLIEST),)}, {offer.id: frozenset({"any"})}, lambda _: "")
