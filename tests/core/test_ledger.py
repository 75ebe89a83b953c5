"""The arithmetic of the public record, and what an auditor finds in a record that somebody changed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from broker.registry import ledger
from broker.registry.audit import Broken, Holds, verify
from broker.registry.checkpoint import Checkpoint, public

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, OTHER, THIRD = (Ed25519PrivateKey.from_private_bytes(bytes([place]) * 32) for place in range(1, 4))
TIME = "2026-11-22T20:00:00Z"
SALT = "00" * 16
Line = dict[str, Any]


class Chain:
    """A record in the making."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.last, self.hash = 0, ledger.BEGINNING

    def add(self, event: str = "offer_published", reason: str | None = None, **facts: object) -> Chain:
        texts = {"reason": ledger.Text(SALT, reason)} if reason else {}
        entry = ledger.sealed(self.last + 1, TIME, event, facts or {"offer": f"o{self.last}"}, self.hash, texts)
        self.lines.append(entry)
        self.last, self.hash = self.last + 1, str(entry["hash"])
        return self

    def sign(self, key: Ed25519PrivateKey = KEY) -> Chain:
        self.lines.append(Checkpoint(self.last, TIME, self.hash, public(key)).signed(key).fields())
        return self

    def announce(self, key: Ed25519PrivateKey) -> Chain:
        return self.add(ledger.KEY_ANNOUNCED, key=public(key))


def record(length: int = 5) -> Chain:
    """A key, entries with reasons, a checkpoint in the middle and one at the end."""
    made = Chain().announce(KEY)
    for place in range(2, length + 1):
        made.add("agreement_revoked", agreement=f"a{place}", reason=f"because {place}")
        if place == 3:
            made.sign()
    return made.sign()


def entries(of: Chain) -> list[Line]:
    return [line for line in of.lines if "checkpoint" not in line]


def rewritten(lines: list[Line], key: Ed25519PrivateKey) -> list[Line]:
    """The same with another first revocation: every hash made anew, every checkpoint signed anew by this key."""
    made = Chain()
    for line in lines:
        if "checkpoint" in line:
            made.sign(key)
        elif line["event"] == ledger.KEY_ANNOUNCED:
            made.announce(key)
        else:
            made.add(line["event"], agreement=f"not {line['agreement']}", reason=line["reason"])
    return made.lines


def test_a_record_that_nobody_touched_holds() -> None:
    assert verify(record().lines, whole=True) == Holds(5, 5, 0, public(KEY))
    assert verify(record().lines, whole=True, key=public(KEY)) == Holds(5, 5, 0, public(KEY))
    assert verify(entries(record())) == Holds(5)


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize(("name", "value"), [("agreement", "x"), ("event", "x"), ("time", "x"), ("more", "x")])
def test_the_first_changed_entry_is_named(place: int, name: str, value: str) -> None:
    found = entries(record())
    found[place][name] = value
    broken = verify(found)
    assert isinstance(broken, Broken)
    assert broken.seq == place + 1


@pytest.mark.parametrize("place", [0, 2, 4])
def test_an_entry_that_was_left_out_is_named(place: int) -> None:
    made = record()
    made.lines.remove(entries(made)[place])
    broken = verify(made.lines, whole=True)
    assert isinstance(broken, Broken)
    assert broken.seq == place + 1
    assert "missing" in broken.why


@pytest.mark.parametrize(
    "change", [lambda e: e.update(reason="another"), lambda e: e["salts"].update(reason="11" * 16)]
)
def test_a_text_that_was_changed_is_named(change: Callable[[Line], None]) -> None:
    made = record()
    change(entries(made)[2])
    assert verify(made.lines) == Broken(3, "its reason does not have its digest")


def test_an_erased_text_breaks_nothing_if_it_is_on_the_record() -> None:
    made = record()
    del entries(made)[2]["reason"], entries(made)[2]["salts"]
    assert verify(made.lines) == Broken(3, "its reason is gone, and no erasure of it is on the record")
    made.add(ledger.TEXT_ERASED, entry=3, field="reason", by="operator").sign()
    assert verify(made.lines, whole=True, older=record().lines) == Holds(6, 6, 1, public(KEY))


def test_what_is_no_text_can_not_be_taken_out_as_one() -> None:
    made = Chain().announce(KEY)
    made.lines[0]["digests"] = {"event": "0" * 64}
    made.lines[0]["hash"] = ledger.digest(made.lines[0])
    assert isinstance(verify(made.lines), Broken)


def test_an_export_that_was_cut_off_is_noticed() -> None:
    for kept in (5, 6):
        broken = verify(record().lines[:kept], whole=True)
        assert isinstance(broken, Broken)
        assert broken.seq == 4
    earlier = record().lines[:4]
    assert verify(earlier, whole=True) == Holds(3, 3, 0, public(KEY))
    assert verify(earlier, whole=True, older=record().lines) == Broken(4, "it is missing: the older copy has it")


def test_a_chain_that_was_rewritten_with_another_key_is_noticed_with_the_key_or_an_older_copy() -> None:
    forged = rewritten(record().lines, OTHER)
    assert isinstance(verify(forged, whole=True), Holds), "by itself it looks right"
    assert verify(forged, key=public(KEY)) == Broken(5, "no checkpoint up to it is signed with the given key")
    assert verify(forged, older=record().lines) == Broken(1, "the older copy has another in its place")


def test_a_chain_that_was_rewritten_with_the_key_itself_is_noticed_with_an_older_copy() -> None:
    forged = rewritten(record().lines, KEY)
    assert isinstance(verify(forged, key=public(KEY), whole=True), Holds)
    assert verify(forged, older=record().lines) == Broken(2, "the older copy has another in its place")


def test_a_checkpoint_is_of_its_entry_and_signed_by_its_key() -> None:
    made = record()
    for name, value in (("hash", "0" * 64), ("time", "x"), ("signature", "x"), ("key", public(OTHER))):
        lines = copy.deepcopy(made.lines)
        lines[3][name] = value
        broken = verify(lines)
        assert isinstance(broken, Broken)
        assert broken.seq == 3
    assert verify([*made.lines, {"checkpoint": 5}]) == Broken(5, "what follows it is neither an entry nor a checkpoint")


def test_a_key_hands_over_by_signing_the_announcement_of_the_next() -> None:
    made = record().announce(OTHER).sign(KEY).add().sign(OTHER)
    assert verify(made.lines, whole=True) == Holds(7, 7, 0, public(OTHER))
    assert verify(made.lines, whole=True, key=public(KEY)) == Holds(7, 7, 0, public(OTHER))
    assert verify(made.lines, whole=True, key=public(OTHER)) == Holds(7, 7, 0, public(OTHER))
    made.add().sign(KEY)
    assert isinstance(verify(made.lines), Broken), "the old key is worth nothing any more"


def test_a_key_that_nobody_vouched_for_signs_nothing() -> None:
    made = record().announce(THIRD).sign(THIRD)
    assert isinstance(verify(made.lines), Broken)
    assert verify(made.lines, key=public(THIRD), whole=True) == Holds(6, 6, 0, public(THIRD))


texts = st.text("a0é\ud800", max_size=4)
values = st.none() | st.integers(0, 3) | texts | st.lists(texts, max_size=2) | st.dictionaries(texts, texts, max_size=2)
names = st.sampled_from(["seq", "time", "event", "previous", "hash", "digests", "salts", "checkpoint", "key", "x"])


@given(st.lists(st.dictionaries(names, values, max_size=6), max_size=4))
def test_whatever_a_file_holds_the_auditor_answers(lines: list[Line]) -> None:
    found = verify(lines, whole=True)
    assert isinstance(found, Broken) == bool(lines)


@given(st.text(), st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_one_text_has_another_digest_under_every_salt(text: str, salt: bytes, other: bytes) -> None:
    one, two = ledger.Text(salt.hex(), text), ledger.Text(other.hex(), text)
    assert (one.digest == two.digest) == (salt == other)


def test_ids_purposes_and_codes_are_in_the_chain_and_what_people_write_is_beside_it() -> None:
    facts = {"agreement": "a", "purpose": "p", "by": "operator", "version": 2, "datastreams": ["d"]}
    assert not any(ledger.is_text(name, value) for name, value in facts.items())
    for name in ("reason", "name", "criterion", "price", "justification", "link", "whatever"):
        assert ledger.is_text(name, "written")
