"""Whose reads a per-person release shows: those of tags that consented before, to all that the offer is for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.consent import Consents
from broker.licence import Terms
from broker.model import Consent, Datastream, Offer, OfferId, OrganisationId, Release, ReleaseId
from broker.points import Point, tag_key
from broker.privacy import tags
from broker.privacy.profile import Profile, Pseudonymise
from broker.release import pointwise

DOORS = Datastream(OrganisationId("o"), "doors", "g", "rfid", personal_data=True)
RELEASE = Release(ReleaseId("r"), OfferId("f"), DOORS, "s")
OFFER = Offer(
    OfferId("f"), DOORS.organisation, Profile("p", (Pseudonymise("pseudonymise", "P1D"),)), Terms("CC0-1.0", "", ("a", "b")), (RELEASE,), 0
)  # fmt: skip
moments = st.integers(0, 20)
consents = st.lists(
    st.builds(Consent, st.sampled_from("xyz"), st.sampled_from(["a", "b", "c", "any"]), moments), max_size=9
)


@given(consents, st.frozensets(st.sampled_from(["a", "b"]), min_size=1), moments, moments, st.sampled_from("xyz"))
def test_a_read_is_shown_only_if_its_bearer_had_consented_to_every_purpose_before_it_was_made_and_came(
    given_consents: list[Consent], purposes: frozenset[str], made: int, arrived: int, tag: str
) -> None:
    by_tag = {name: tuple(c for c in given_consents if c.tag == name) for name in "xyz"}
    standing = Consents({name: of for name, of in by_tag.items() if of}, {"f": purposes}, str)
    read = Point(made, tag, tag_key(tag, None, None))
    shown = pointwise(RELEASE, OFFER, [read], arrived, lambda *_: b"k" * 32, 10**18, standing).points
    before = {c.purpose for c in given_consents if c.tag == tag and c.given <= made and c.given <= arrived}
    assert bool(shown) == ("any" in before or purposes <= before)
    assert tag not in {point.value for point in shown}


def test_nobody_is_covered_in_an_offer_whose_purposes_are_not_known() -> None:
    assert not Consents({"x": (Consent("x", "a", 0),)}, {}, str).covers("f", "x", 5)


def test_a_code_is_taken_as_people_write_it_and_speaks_for_one_tag_alone() -> None:
    key, code = b"k" * 32, "ABCDEFGHJKLM"
    kept = tags.code_hash(key, "tag", code)
    assert tags.spelt(code) == "ABCD-EFGH-JKLM"
    assert all(tags.code_hash(key, "tag", one) == kept for one in ("abcd-efgh-jklm", "ABCD EFGH JKLM"))
    assert tags.code_hash(key, "other", code) != kept
    assert tags.code_hash(b"l" * 32, "tag", code) != kept


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_hash_of_a_tag_is_its_own_and_needs_the_key(one: str, other: str) -> None:
    hash_of = tags.hasher(b"k" * 32)
    assert (hash_of(one) == hash_of(other)) == (one == other)
    assert hash_of(one) != tags.hasher(b"l" * 32)(one)
