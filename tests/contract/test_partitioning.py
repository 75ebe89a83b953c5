"""What a registry remembers of partitions, on each database that may hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.errors import Conflict, NotFound
from broker.model import Gateway, Organisation, OrganisationId
from broker.partition import Partitions
from broker.registry.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers import Postgres

HERE = OrganisationId("here")


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    if request.param == "sqlite":
        made = Registry.in_home(tmp_path)
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        made = Registry.in_home(tmp_path, postgres.new_database(), postgres.PASSWORD)
    made.migrate()
    made.add_organisation(Organisation(HERE, "Here", None, None), "key", 1)
    yield made
    made.close()


def test_the_number_of_partitions_is_fixed_once(registry: Registry) -> None:
    assert registry.snapshot().partitions == Partitions(1)
    registry.partitioning.fix(4)
    registry.partitioning.fix(4)
    with pytest.raises(Conflict, match="expected 4, as this registry was made with, not 2"):
        registry.partitioning.fix(2)
    assert registry.snapshot().partitions == registry.partitioning.now() == Partitions(4)


def test_an_organisation_is_placed_before_it_has_gateways(registry: Registry) -> None:
    registry.partitioning.fix(4)
    before = registry.revision()
    registry.partitioning.place(HERE, 1)
    registry.partitioning.place(HERE, 3)
    assert registry.snapshot().partitions == Partitions(4, placed={HERE: 3})
    assert registry.revision() > before
    registry.add_gateway(Gateway(HERE, "g", "", "json", ()), 2)
    with pytest.raises(Conflict, match="has gateways"):
        registry.partitioning.place(HERE, 0)
    with pytest.raises(NotFound, match="there is no partition 4"):
        registry.partitioning.place(HERE, 4)
    with pytest.raises(NotFound, match="there is no organisation elsewhere"):
        registry.partitioning.place("elsewhere", 0)


def test_a_partition_is_given_to_a_worker(registry: Registry) -> None:
    registry.partitioning.fix(2)
    registry.partitioning.give(1, 0)
    assert registry.snapshot().partitions == Partitions(2, moved={1: 0})
    with pytest.raises(NotFound):
        registry.partitioning.give(2, 0)
