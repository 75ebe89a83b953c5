"""What follows the registry is, after datastreams were added, as if it had been made anew."""

from __future__ import annotations

from dataclasses import replace

from broker.entry import Decoded
from broker.keeper.plan import compile_plan
from broker.licence import Terms
from broker.model import Datastream, Gateway, Offer, OfferId, OrganisationId, Origin, Release, ReleaseId
from broker.privacy.profile import Profile
from broker.registry.snapshot import Added, Snapshot
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
NEW = replace(
    OFFER,
    id=OfferId("other"),
    releases=tuple(
        Release(ReleaseId(f"release-{one.id}"), OfferId("other"), one, one.stream) for one in (FIRST, *ADDED)
    ),
)
BEFORE = Snapshot(
    5,
    gateways=(Gateway(CITY, "other", "", "tasmota", ()), Gateway(CITY, "own", "", "json", ())),
    datastreams=(FIRST, FOREIGN),
    offers={OFFER.id: OFFER},
)
NOW = replace(
    BEFORE,
    revision=7,
    grown=2,
    datastreams=(*BEFORE.datastreams, *ADDED),
    offers={OFFER.id: OFFER, NEW.id: NEW},
)
MORE = Added(ADDED, (NEW,))


def test_routes_that_grew_are_those_of_the_whole() -> None:
    assert NOW.added_to(BEFORE) == MORE
    assert grown(compile_routes(BEFORE, DECODERS), MORE, NOW, DECODERS) == compile_routes(NOW, DECODERS)


def test_a_plan_that_grew_is_that_of_the_whole_and_tells_what_is_new_in_it() -> None:
    plan = compile_plan(BEFORE)
    told = plan.grow(MORE)
    assert plan == compile_plan(NOW)
    assert [(feed.stream, len(feed.shown_by)) for feed in told] == [
        ("city/first", 2),
        ("city/tags", 1),
        ("city/fourth", 1),
    ]


def test_what_was_read_anew_since_or_is_older_is_not_what_grew() -> None:
    assert NOW.added_to(NOW) == Added((), ())
    assert replace(NOW, grown=1).added_to(BEFORE) is None
    assert BEFORE.added_to(NOW) is None
    assert NOW.added_to(Snapshot(-1)) is None
    assert Snapshot(7).added_to(Snapshot(6)) is None
