"""Which partition an organisation is in, what a partition sees, and how calls are divided and their answers put together."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from broker import control
from broker.access import Used
from broker.dispatch import divided, together
from broker.entry import Entry
from broker.keeper.state import KeeperState, worst
from broker.licence import Terms
from broker.meter import Delivered, Row
from broker.model import (
    Agreement,
    AgreementId,
    Application,
    ApplicationId,
    Datastream,
    Gateway,
    Offer,
    OfferId,
    OrganisationId,
    Release,
    ReleaseId,
)
from broker.partition import Partitions, spread
from broker.privacy.profile import Profile
from broker.registry.snapshot import Snapshot

NAMES = [f"organisation-{number}" for number in range(2_000)]
HERE, THERE = "air-lyon", "trees-lyon"
TWO = Partitions(2, placed={HERE: 0, THERE: 1})


def test_an_id_decides_the_partition_for_ever() -> None:
    assert [Partitions(4).of(name) for name in ("air-lyon", "trees-lyon", "o")] == [0, 1, 3]
    assert {Partitions(1).of(name) for name in NAMES} == {0}


def test_organisations_spread_evenly() -> None:
    counts = [sum(Partitions(8).of(name) == number for name in NAMES) for number in range(8)]
    assert min(counts) > 0.8 * len(NAMES) / 8


@pytest.mark.parametrize("count", range(1, 8))
def test_one_more_takes_its_share_and_moves_nobody_else(count: int) -> None:
    moved = [(spread(name, count), spread(name, count + 1)) for name in NAMES]
    assert all(after in (before, count) for before, after in moved)
    taken = sum(after == count for _, after in moved)
    assert 0.8 < taken * (count + 1) / len(NAMES) < 1.2


def test_what_was_placed_by_hand_is_there() -> None:
    assert (TWO.of(HERE), TWO.of(THERE)) == (0, 1)


@pytest.mark.parametrize(("count", "workers"), [(1, 1), (5, 2), (4, 4), (8, 3)])
def test_every_partition_is_served_by_one_worker(count: int, workers: int) -> None:
    partitions = Partitions(count, moved={0: 7})
    served = [number for worker in range(workers) for number in partitions.served_by(worker, workers)]
    assert sorted(served) == list(range(count))
    assert 0 in partitions.served_by(7 % workers, workers)


def _of(organisation: str) -> tuple[Gateway, Datastream, Application, Offer, Agreement]:
    owner = OrganisationId(organisation)
    datastream = Datastream(owner, "d", "g", "measurement")
    profile, terms = Profile("whole", ()), Terms("CC0-1.0", "nobody", ("any",))
    name = OfferId(f"{organisation}-offer")
    release = Release(ReleaseId(f"{organisation}-r"), name, datastream, f"{organisation}/d/whole")
    offer = Offer(name, owner, profile, terms, (release,), 0)
    other = ApplicationId("reader")
    agreement = Agreement(AgreementId(f"{organisation}-a"), offer.id, other, "any", "active", 0, owner, terms)
    return (
        Gateway(owner, "g", "", "json", ()),
        datastream,
        Application(ApplicationId(organisation), owner, "", ()),
        offer,
        agreement,
    )


def test_a_partition_sees_its_own_organisations_and_what_is_agreed_on_their_offers() -> None:
    gateways, datastreams, applications, offers, agreements = zip(_of(HERE), _of(THERE), strict=True)
    whole = Snapshot(
        7, 0, gateways, datastreams, applications, {one.id: one for one in offers}, {ApplicationId("reader"): agreements},
        withdrawn=offers, deleted=datastreams, partitions=TWO,
    )  # fmt: skip
    for number in (0, 1):
        part = whole.part(number)
        assert (part.gateways, part.datastreams) == (gateways[number : number + 1], datastreams[number : number + 1])
        assert part.applications == applications[number : number + 1]
        assert list(part.offers.values()) == [offers[number]]
        assert part.agreements == {"reader": (agreements[number],)}
        assert (part.withdrawn, part.deleted) == ((offers[number],), (datastreams[number],))
    assert dataclasses.replace(whole, partitions=Partitions()).part(0).gateways == gateways


OWNED = {"here": HERE, "there": THERE}


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (control.Gateways(THERE, ["g"]), {1: control.Gateways(THERE, ["g"])}),
        (control.CaughtUp(HERE), {0: control.CaughtUp(HERE)}),
        (control.CaughtUp(), {0: control.CaughtUp(), 1: control.CaughtUp()}),
        (control.Reconcile(), {0: control.Reconcile(), 1: control.Reconcile()}),
        (
            control.HttpDelivered([Delivered("here", "a", 1, 2), Delivered("there", "b", 3, 4)]),
            {
                0: control.HttpDelivered([Delivered("here", "a", 1, 2)]),
                1: control.HttpDelivered([Delivered("there", "b", 3, 4)]),
            },
        ),
        (control.WindowsPublished([("there", 1, 2)]), {1: control.WindowsPublished([("there", 1, 2)])}),
        (
            control.FramesSeen([Entry(f"frame/{THERE}/g/d", 5, [], [])]),
            {1: control.FramesSeen([Entry(f"frame/{THERE}/g/d", 5, [], [])])},
        ),
    ],
)
def test_a_call_goes_to_the_partitions_that_it_is_for(
    call: control.WorkersCall, parts: dict[int, control.WorkersCall]
) -> None:
    assert divided(call, TWO, OWNED.__getitem__) == parts


def raw(*answers: object) -> list[msgspec.Raw]:
    return [msgspec.Raw(msgspec.json.encode(answer)) for answer in answers]


@pytest.mark.parametrize(
    ("call", "answers", "answer"),
    [
        (control.CaughtUp(), raw(True, False), False),
        (control.Ready(), raw(True, True), True),
        (control.HttpDelivered([]), raw(["b"], ["a", "b"]), ["a", "b"]),
        (
            control.QuotaUsed(),
            raw({"a": Used(1, 2)}, {"a": Used(1, 1), "b": Used(3, 4)}),
            {"a": Used(2, 3), "b": Used(3, 4)},
        ),
        (
            control.TotalUsage(),
            raw([Row("there", "a", 2, 0, 0, 0, 0)], [Row("here", "a", 1, 0, 0, 0, 0)]),
            [Row("here", "a", 1, 0, 0, 0, 0), Row("there", "a", 2, 0, 0, 0, 0)],
        ),
        (
            control.Reconcile(),
            raw(
                control.Reconciled(True, [(HERE, "g", 1, 2)], [("here/d", "stored", 1)], []),
                control.Reconciled(False, [(THERE, "g", 3, 4)], [], [("there/d", 5)]),
            ),
            control.Reconciled(
                False, [(HERE, "g", 1, 2), (THERE, "g", 3, 4)], [("here/d", "stored", 1)], [("there/d", 5)]
            ),
        ),
        (control.WindowsPublished([]), raw(None), None),
        (control.Refusals(HERE, "g", 1), raw(["as it is"]), msgspec.Raw(b'["as it is"]')),
    ],
)
def test_answers_are_put_together(call: control.WorkersCall, answers: list[msgspec.Raw], answer: object) -> None:
    assert together(call, answers) == answer


def test_of_several_keepers_the_worst_holds() -> None:
    one = KeeperState(10, 9, ("a",), 8)
    assert worst([one]) == one
    assert worst([one, KeeperState(7, 20, ("b",), 3, "full")]) == KeeperState(7, 9, ("a", "b"), 3, "full")
