"""Names in place of tags: what they tell, and what nobody can tell any more."""

from __future__ import annotations

import hashlib
import hmac
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import times
from broker.points import Point
from broker.privacy import pseudonymise, seal
from broker.privacy.keys import PseudonymKeys

EPC = "urn:epc:id:sgtin:0614141.812345.6789"
secrets = st.binary(min_size=32, max_size=32)


def hkdf(secret: bytes, info: bytes) -> bytes:
    """RFC 5869 with SHA-256, no salt, 32 bytes: written out."""
    extracted = hmac.digest(b"\0" * 32, secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


@given(secrets, st.integers(0, 10**6))
def test_a_name_is_the_formula_that_is_published(secret: bytes, epoch: int) -> None:
    key = hkdf(secret, f"mitoyen pseudonym offer {epoch}".encode())
    assert pseudonymise.derive(secret, "offer", epoch) == key
    assert pseudonymise.name(key, EPC) == hmac.new(key, EPC.encode(), "sha256").hexdigest()[:32]


@given(secrets, st.sampled_from(["a", "b"]), st.integers(0, 3), st.sampled_from(["a", "b"]), st.integers(0, 3))
def test_offers_and_epochs_share_no_name(secret: bytes, offer: str, epoch: int, other: str, later: int) -> None:
    one = pseudonymise.name(pseudonymise.derive(secret, offer, epoch), EPC)
    two = pseudonymise.name(pseudonymise.derive(secret, other, later), EPC)
    assert (one == two) == ((offer, epoch) == (other, later))


def test_nothing_of_the_tag_is_left_in_a_named_read() -> None:
    read = Point(7, EPC, f"{EPC}|gate|1", '{"read_point":"gate","antenna":1}')
    named = pseudonymise.pseudonymise(read, b"k" * 32)
    assert "sgtin" not in repr(named)
    assert (named.time, named.extra) == (read.time, read.extra)
    assert named.key == f"{named.value}|gate|1"


@given(st.integers(times.EARLIEST, times.LATEST - 1), st.sampled_from([times.DAY, times.MINUTE, 7 * times.DAY]))
def test_every_time_falls_in_one_epoch_which_closes_after_it(time: int, rotate: int) -> None:
    epoch = pseudonymise.epoch_of(time, rotate)
    assert epoch * rotate <= time < (epoch + 1) * rotate
    assert pseudonymise.epoch_closes(epoch, rotate, 5) == (epoch + 1) * rotate + 5


def test_a_destroyed_key_never_comes_back(tmp_path: Path) -> None:
    keys = PseudonymKeys(tmp_path / "keys", tmp_path / "wrapping")
    first = keys.key("offer", 10)
    assert first == keys.key("offer", 10)
    assert keys.destroy("offer", 11) == 1
    for again in (keys, PseudonymKeys(tmp_path / "keys", tmp_path / "wrapping")):
        assert again.key("offer", 10) is None
        assert again.key("offer", 9) is None, "an epoch that was never used is past as well"
        assert again.key("offer", 11) is not None
        assert again.key("other", 10) is not None
    assert keys.destroy("offer", 5) == 0, "going back closes nothing and opens nothing"
    assert keys.key("offer", 10) is None


def test_a_destroyed_secret_is_gone_from_every_copy_of_the_file_that_was_made_before(tmp_path: Path) -> None:
    keys = PseudonymKeys(tmp_path / "keys", tmp_path / "wrapping")
    kept = [keys.key("offer", epoch) for epoch in (1, 2)]
    backup = (tmp_path / "keys").read_bytes()
    assert keys.destroy("offer", 2) == 1
    restored = PseudonymKeys(tmp_path / "restored", tmp_path / "wrapping")
    (tmp_path / "restored").write_bytes(backup)
    assert restored.key("offer", 1) is restored.key("offer", 2) is None
    assert restored.key("new", 5) is None, "in doubt nothing is named"
    assert restored.destroy("offer", 9) == 0
    assert PseudonymKeys(tmp_path / "keys", tmp_path / "wrapping").key("offer", 2) == kept[1]


@pytest.mark.parametrize("writes", range(3))
def test_a_crash_while_a_secret_is_destroyed_leaves_a_file_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    keys = PseudonymKeys(tmp_path / "keys", tmp_path / "wrapping")
    later = [keys.key("offer", epoch) for epoch in (1, 2)][1]
    left = iter([True] * writes)
    with monkeypatch.context() as patch:
        whole = seal.write_private
        patch.setattr(
            seal, "write_private", lambda path, content: whole(path, content) if next(left, False) else _die()
        )
        with pytest.raises(KeyboardInterrupt):
            keys.destroy("offer", 2)
    again = PseudonymKeys(tmp_path / "keys", tmp_path / "wrapping")
    assert again.key("offer", 2) == later
    again.destroy("offer", 2)
    assert again.key("offer", 1) is None
    assert len((tmp_path / "wrapping").read_text().split()) == 1


def _die() -> None:
    raise KeyboardInterrupt


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    keys = PseudonymKeys(tmp_path / "keys", tmp_path / "wrapping")
    keys.key("offer", 1)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def _key_in_another_process(path: Path, epoch: int) -> bytes | None:
    return PseudonymKeys(path, path.with_name("wrapping")).key("offer", epoch)


@pytest.mark.parametrize("epochs", [8])
def test_two_processes_call_a_tag_by_one_name(tmp_path: Path, epochs: int) -> None:
    wanted = [(tmp_path / "keys", epoch) for epoch in range(epochs)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(_key_in_another_process, wanted * 2, chunksize=1)
    assert found[:epochs] == found[epochs:]
    assert len({key for key in found if key}) == epochs
