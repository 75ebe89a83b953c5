"""`/openapi.json` against the broker that it describes: whatever is sent, no call fails, or answers what is not described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance

from tests.owners import new_owner, new_reader
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator


STREAMS = r"/live$"
"""They do not end; `tests/core/test_one_decision.py` and `tests/system/test_revocation.py` are about them."""
UNAVAILABLE = 503
SEED = 20_260_101


@dataclass
class Described:
    """A broker of its own, since what is sent may remove anything; and whoever calls it."""

    broker: Mitoyen
    keys: dict[str, str | None]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    with Mitoyen(tmp_path_factory.mktemp("described")) as broker:
        owner, reader = new_owner(broker, "described"), new_reader(broker, "describer")
        keys = {"nobody": None, "organisation": owner.key, "application": reader.key, "operator": broker.operator_key}
        yield Described(broker, keys)


def _try(described: Described, who: str, examples: int) -> None:
    """Send so many made-up requests to every call."""
    key = described.keys[who]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    schema = schemathesis.openapi.from_url(f"{described.broker.url}/openapi.json").exclude(path_regex=STREAMS)

    def send(case: schemathesis.Case) -> None:
        response = case.call(headers=headers)
        if response.status_code != UNAVAILABLE:  # a part that is busy says so
            case.validate_response(response, checks=[not_a_server_error, status_code_conformance])

    tried = 0
    for found in schema.get_all_operations():
        how = settings(max_examples=examples, suppress_health_check=list(HealthCheck), deadline=None, database=None)
        how(seed(SEED)(given(case=found.ok().as_strategy())(send)))()
        tried += 1
    assert tried > 70


@pytest.mark.parametrize("who", ["nobody", "organisation"])
def test_no_call_fails_or_answers_what_is_not_described(described: Described, who: str) -> None:
    _try(described, who, examples=3)


@pytest.mark.long
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("who", ["nobody", "organisation", "application", "operator"])
def test_no_call_fails_however_long_it_is_tried(described: Described, who: str) -> None:
    _try(described, who, examples=60)
