"""What follows the registry is, after datastreams were added, as if it had been made anew."""

from __future__ import annotations

from dataclasses import replace

from broker.entry import Decoded
from broker.keeper.plan import compile_plan
from broker.keeper.plan import grown as grown_plan
from broker.licence import Terms
from broker.model import Datastream, Gateway, Offer, OfferId, OrganisationId, Origin, Release, ReleaseId
from broker.privacy.profile import Profile
from broker.registry.snapshot import Snapshot
from broker.routes import compile_routes, grown

CITY = OrganisationId("city")
DECODERS = {"json": lambda _payload, _kind, _arrived: Decoded([])}
FIRST = Datastream(CITY, "first", "own", "measurement", "temperature", "Cel")
FOREIGN = Datastream(CITY, "third", "other", "measurement", "temperature", "Cel", origin=Origin("device", "t", None))
ADDED = (
    Datastream(CITY, "camera", "own", "camera", None, None),
    Datastream(CITY, "tags", "own", "rfid", None, None, smooth="PT30S"),
    replace(FOREIGN, id="fourth", origin=Origin("device", "h", None)),
)
OFFER = Offer(
    OfferId("offer"),
    CITY,
    Profile("raw", ()),
    Terms("CC-BY-4.0", "The city", ("any",)),
    (Release(ReleaseId("release"), OfferId("offer"), FIRST, FIRST.stream),),
    0,
)
BEFORE = Snapshot(
    5,
    5,
    gateways=(Gateway(CITY, "other", "", "tasmota", ()), Gateway(CITY, "own", "", "json", ())),
    datastreams=(FIRST, FOREIGN),
    offers={OFFER.id: OFFER},
)
NOW = replace(BEFORE, revision=7, datastreams=(*BEFORE.datastreams, *ADDED))


def test_routes_that_grew_are_those_of_the_whole() -> None:
    assert NOW.added_to(BEFORE) == ADDED
    assert grown(compile_routes(BEFORE, DECODERS), ADDED, NOW, DECODERS) == compile_routes(NOW, DECODERS)


def test_a_plan_that_grew_is_that_of_the_whole_and_releases_the_same() -> None:
    before = compile_plan(BEFORE)
    after = grown_plan(before, ADDED)
    assert after == compile_plan(NOW)
    assert after.by_stream is before.by_stream


def test_what_was_read_anew_since_or_is_older_is_not_what_grew() -> None:
    assert NOW.added_to(NOW) == ()
    assert NOW.added_to(replace(BEFORE, revision=4)) is None
    assert BEFORE.added_to(NOW) is None
    assert NOW.added_to(Snapshot(-1)) is None
    assert Snapshot(7).added_to(Snapshot(6)) is None
