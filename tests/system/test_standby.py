"""Another machine takes a partition over: what serves it dies or is stopped, and nothing is lost, doubled, or told otherwise."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter, defaultdict
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.cluster.world import servers
from broker.partition import spread
from broker.tables import postgresql
from broker.tables.postgresql import SILENT_S, PostgresSource
from tests.owners import new_owner, new_reader
from tests.servers import Mitoyen, Server, await_that
from tests.steady import RATE, Load
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

NAME = "north"
PARTITION = 0
assert spread(NAME, 2) == PARTITION
ROLES = ("worker", "keeper")
QUOTA = 10**9
LEAST_WINDOWS = 5
WINDOW_S, LATENESS_S = 2, 1
NOISY: list[dict[str, Any]] = [
    {"op": "aggregate", "window": f"PT{WINDOW_S}S", "statistics": ["count"], "k": 5},
    {"op": "noise", "epsilon": 0.5, "budget": 10_000, "bound": 1},
]
DEAD_S = 15.0
"""How long receipts may stall when a holder dies, on a busy machine; on one with time for it less than 3 s (docs/scaling.md)."""
KEYS = ("logins.json", "tags.key")


class Standby(Server):
    """`mitoyen part NAME` in a home of its own, as on another machine."""

    def __init__(self, directory: Path, name: str, environment: dict[str, str]) -> None:
        super().__init__(directory)
        self._name = name
        self._environment = environment

    def command(self) -> list[str]:
        mitoyen = str(Path(sys.executable).with_name("mitoyen"))
        given = [f"{name}={value}" for name, value in self._environment.items()]
        return ["env", *given, mitoyen, "part", self._name, "--home", str(self.directory / "home")]

    def ready(self) -> bool:
        return bool(self.said("lease_awaited"))

    def said(self, event: str) -> list[str]:
        """Its log's lines of this."""
        return [line for line in self.log().splitlines() if f" event={event} " in line]

    def signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


class City:
    """What two machines share, a home on each, and an owner whose partition goes from one to the other and back."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        settings = stack.enter_context(servers(folder, partitions=2, edges=2)) | {
            "MITOYEN_LATENESS": f"PT{LATENESS_S}S"
        }
        (folder / "here").mkdir()
        own = {name.removeprefix("MITOYEN_"): value for name, value in settings.items()}
        self.here = stack.enter_context(Mitoyen(folder / "here", store=own.pop("STORE"), environment=own))
        self.database = postgresql.Server(settings["MITOYEN_REGISTRY"], settings["MITOYEN_REGISTRY_PASSWORD"])
        settings["MITOYEN_MQTT"] = f"127.0.0.1:{self.here.mqtt_port}"
        self.there = {role: self._standby(stack, folder / role, f"{role}-{PARTITION}", settings) for role in ROLES}
        self.owner, self.reader = new_owner(self.here, NAME), new_reader(self.here, "patient")
        self.leaving = new_reader(self.here, "leaving")
        self.owner.datastream("d")
        self.owner.datastream("gate", kind="rfid", privacy_unit="tag")
        plain = self.owner.offer(["d"], terms={"quota": {"per": "day", "records": QUOTA}})
        self.agreement, self.revoked = self.reader.agree(plain["id"]), self.leaving.agree(plain["id"])
        self.counting = self.reader.agree(self.owner.offer(["gate"], *NOISY)["id"])

    def _standby(self, stack: ExitStack, directory: Path, name: str, settings: dict[str, str]) -> Standby:
        (directory / "home").mkdir(parents=True)
        for key in KEYS:
            shutil.copy(self.here.home / key, directory / "home" / key)
        return stack.enter_context(Standby(directory, name, settings))

    def remembered(self, statement: str) -> Any:
        """The one value of a question to what the partition remembers."""
        with closing(PostgresSource(self.database, PARTITION)) as source, source.reading() as read:
            return read(statement, ())[0][0]

    def counted(self, agreement: dict[str, Any]) -> int:
        """What the first machine's HTTP says that was delivered live under it."""
        use = self.here.call(self.reader.key, "GET", f"agreements/{agreement['id']}/use")
        return int(use["live"]["records"])

    def shown(self, agreement: dict[str, Any]) -> list[dict[str, Any]]:
        """What history has of its release now; nothing while it is not answered."""
        with self.here.client(self.reader.key) as client:
            path = f"/api/v1/releases/{agreement['releases'][0]['id']}/observations"
            answer = client.get(path, params={"limit": "10000"})
        found: list[dict[str, Any]] = answer.json()["observations"] if answer.is_success else []
        return found


def kill_here(city: City) -> None:
    for role in ROLES:
        city.here.kill(f"{role}-{PARTITION}")


@contextmanager
def killed(city: City) -> Iterator[float]:
    """How long the other may take."""
    kill_here(city)
    yield DEAD_S


@contextmanager
def stopped(city: City) -> Iterator[float]:
    """Amid its work, and woken when the other has it: it notices by itself."""
    held = [city.here.part(f"{role}-{PARTITION}") for role in ROLES]
    for process in held:
        os.kill(process, signal.SIGSTOP)
    yield SILENT_S + DEAD_S
    for process in held:
        os.kill(process, signal.SIGCONT)
    await_that(lambda: city.here.log().count(" event=lease_lost ") == len(held), "it never noticed")


@pytest.mark.timeout(300)  # eighteen processes start
@pytest.mark.parametrize("disaster", [killed, pytest.param(stopped, marks=pytest.mark.long)])
def test_another_machine_takes_a_partition_over_and_back_and_nothing_is_lost_doubled_or_told_otherwise(
    disaster: Callable[[City], AbstractContextManager[float]], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        city = City(stack, tmp_path)
        ear = stack.enter_context(Subscriber(city.reader.mqtt))
        ear.subscribe("live/#")
        with Load(city.owner) as load:
            _await_windows(city, 1)
            before = _used(city)
            load.longest_s = 0
            with disaster(city) as patience_s:
                for standby in city.there.values():
                    await_that(lambda standby=standby: standby.said("lease_taken"), "it is not taken over")
                _await_windows(city, city.remembered("select count(*) from drawn") + 2)
                _first_machine_answers(city, ear)
            assert load.longest_s < patience_s
            for standby in city.there.values():
                standby.signal(signal.SIGKILL)
            _await_windows(city, city.remembered("select count(*) from drawn") + 2)
        sent = Counter({(at, number + 1): 1 for number, at in enumerate(load.sent)})
        await_that(lambda: len(city.shown(city.agreement)) >= len(sent), "it is not all kept")
        assert Counter((one["time"], one["value"]) for one in city.shown(city.agreement)) == sent
        ear.ping()
        _all_heard(ear, len(sent))
        _windows_told_once(city, ear)
        assert before < _used(city) >= len(sent) - 2 * RATE, "of each holder a second at most is not counted"


def _first_machine_answers(city: City, ear: Subscriber) -> None:
    """While another has the partition: history whole, use of what either publishes, and a revocation that holds when it is answered."""
    await_that(city.here.ready, "it is not ready")
    for agreement in (city.agreement, city.counting):
        assert city.reader.history(agreement["releases"][0]["id"])
        before = city.counted(agreement)
        await_that(lambda one=agreement, before=before: city.counted(one) > before, "it is not counted")
    with Subscriber(city.leaving.mqtt) as leaving:
        leaving.subscribe("live/#")
        leaving.await_messages(2)
        city.here.call(city.leaving.key, "DELETE", f"agreements/{city.revoked['id']}", {"reason": "It leaves"})
        leaving.ping()
        leaving.messages.clear()
        ear.await_messages(len(ear.messages) + RATE)
        leaving.ping()
        assert not leaving.messages


def _await_windows(city: City, count: int) -> None:
    await_that(lambda: city.remembered("select count(*) from drawn") >= count, "no more windows are released")


def _used(city: City) -> int:
    """As it is written down."""
    rows = city.remembered(
        "select json_object_agg(agreement, n) from (select agreement, sum(live_records) n from hours group by 1) s"
    )
    return int((rows or {}).get(city.agreement["id"], 0))


def _all_heard(ear: Subscriber, count: int) -> None:
    heard = {one["value"] for one in _heard(ear, "d")}
    assert heard == set(range(1, count + 1))


def _windows_told_once(city: City, ear: Subscriber) -> None:
    """In history, live and each time that it was asked: one value a window, and each paid once."""
    told = defaultdict(set)
    for one in (*_heard(ear, "gate"), *city.shown(city.counting)):
        told[one["time"]].add(json.dumps(one["statistics"], sort_keys=True))
    assert len(told) >= LEAST_WINDOWS
    assert {len(values) for values in told.values()} == {1}
    drawn, paid = city.remembered("select count(*) from drawn"), city.remembered("select count(*) from spent")
    assert drawn == paid
    assert city.remembered("select cast(sum(amount) as bigint) from spent") == paid * 5 * 10**8


def _heard(ear: Subscriber, datastream: str) -> list[dict[str, Any]]:
    of = [said for topic, said in list(ear.messages) if topic.endswith(f"/{datastream}")]
    return [one for said in of for one in (said if isinstance(said, list) else [said])]
