"""What is longer than a message may be arrives whole, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.transport.pieces import PIECE, Together, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


def put(together: Together, came: Iterable[tuple[dict[str, str], bytes]]) -> list[bytes]:
    return [whole for headers, body in came if (whole := together.add(headers[PIECE], body)) is not None]


@given(st.binary(max_size=60), st.integers(1, 20), st.randoms(use_true_random=False))
def test_a_whole_is_put_together_once_in_whatever_order_its_pieces_come(
    whole: bytes, most: int, chance: Random
) -> None:
    made = list(pieces(whole, most, "a"))
    assert all(len(body) <= most for _, body in made)
    chance.shuffle(made)
    assert put(Together(), made) == [whole]


@given(st.binary(min_size=1, max_size=60), st.integers(1, 20), st.data())
def test_a_whole_that_lacks_a_piece_is_none_and_spoils_no_later_one(
    whole: bytes, most: int, data: st.DataObject
) -> None:
    made = list(pieces(whole, most, "a"))
    lost = data.draw(st.integers(0, len(made) - 1))
    together = Together()
    assert put(together, made[:lost] + made[lost + 1 :] + made[:lost]) == []
    assert put(together, pieces(b"later", most, "b")) == [b"later"]


def test_two_that_answer_at_once_are_not_mixed() -> None:
    one, other = pieces(b"aaaa", 2, "one"), pieces(b"bbbb", 2, "other")
    mixed = [piece for both in zip(one, other, strict=True) for piece in both]
    assert put(Together(), mixed[:3]) == [b"aaaa"]


def test_the_header_of_another_is_an_error() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        Together().add("another", b"")
