"""The load that faults are measured with: what it takes for an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.faults.load import REFUSED, TAKEN, Load, Publisher, is_wrong
from tests.owners import new_owner

if TYPE_CHECKING:
    from tests.servers import Mitoyen

RATE = 1_000
LEAST = 600


def test_of_two_that_publish_for_a_gateway_each_takes_only_its_own_receipts_for_answers(mitoyen: Mitoyen) -> None:
    owner = new_owner(mitoyen, "two-at-a-gateway")
    owner.datastream("registered", unit="1")
    registered, unknown = (Publisher(owner.mqtt, name, certain=True, rate=RATE) for name in ("registered", "unknown"))
    with Load([registered, unknown], []) as load:
        assert load.await_answers(LEAST, within_s=30)
        assert load.settle(within_s=30)
    assert registered.answered(REFUSED) == {number for number in range(registered.sent) if is_wrong(number)}
    assert not unknown.answered(TAKEN)
    assert registered.sent
    assert unknown.sent
