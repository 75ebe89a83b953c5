"""A city on NATS, PostgreSQL and InfluxDB is backed up amid its load and restored with new ones: nothing that had a receipt is lost or doubled, and no
window is drawn a second time.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bench.cluster.world import Cluster, cluster
from broker import times
from broker.partition import spread
from broker.points import Point
from broker.store.influx import InfluxStore
from broker.tables.postgresql import PostgresSource, Server
from tests.owners import new_owner, new_reader
from tests.servers import Mitoyen, Postgres, await_that
from tests.steady import Load

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.tables.protocol import Rows

NAME = "north"
PARTITION = 0
assert spread(NAME, 2) == PARTITION
NOISY: list[dict[str, Any]] = [
    {"op": "aggregate", "window": "PT2S", "statistics": ["count"], "k": 5},
    {"op": "noise", "epsilon": 0.5, "budget": 10_000, "bound": 1},
]
DRAWS = "select stream, start, points from drawn"
PAID = "select source, start, stream, amount from spent"
USE = "select agreement, cast(sum(live_records) as bigint) from hours group by agreement"


def run(*command: str, **environment: str) -> str:
    own = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=own)
    assert done.returncode == 0, done.stderr
    return done.stdout


def remembered(settings: dict[str, str], statement: str) -> Rows:
    at = Server(settings["MITOYEN_REGISTRY"], settings["MITOYEN_REGISTRY_PASSWORD"])
    with closing(PostgresSource(at, PARTITION)) as source, source.reading() as read:
        return read(statement, ())


def in_file(home: Path, name: str, statement: str) -> Rows:
    with closing(sqlite3.connect(home / f"partitions/{PARTITION}/{name}.sqlite")) as db:
        return db.execute(statement).fetchall()


def city(folder: Path, settings: dict[str, str]) -> Mitoyen:
    folder.mkdir(exist_ok=True)
    own = {name.removeprefix("MITOYEN_"): value for name, value in settings.items()}
    return Mitoyen(folder, store=own.pop("STORE"), environment=own)


def in_store(made: Cluster, stream: str) -> list[Point]:
    """What the restored city's InfluxDB shows of a release."""
    with closing(InfluxStore(made.influxd.url, "again_released")) as store:
        return store.read(stream, 0, times.LATEST, limit=10_000)


def back_up(broker: Mitoyen, made: Cluster, folder: Path, meanwhile: Callable[[], None]) -> None:
    """`meanwhile` is called when keepers' progress is copied, and the stores are not."""
    go, script = folder / "go", folder / "stores.sh"
    os.mkfifo(go)
    script.write_text(f"cat {go} && exec influxd backup -portable -host {made.influxd.backups} {folder / 'influx'}")
    own = ("backup", str(folder / "city.backup"), "--home", str(broker.home), "--stores", f"sh {script}")
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(run, "mitoyen", *own)
        with go.open("w"):  # returns when the script reads it, which waits for its end
            meanwhile()
        done.result()
    dump = ("pg_dump", "--exclude-schema=partition_*", "--file", str(folder / "registry.sql"))
    run(*dump, made.settings["MITOYEN_REGISTRY"], PGPASSWORD=Postgres.PASSWORD)


def restore(made: Cluster, folder: Path, home: Path, onto: str) -> dict[str, str]:
    """The settings of the home that is made: a stream, if it has one, a database and stores of its own."""
    own = {"REGISTRY": made.postgres.new_database(), "JOURNAL_STREAM": "again", "INFLUX_DATABASE": "again"}
    settings = made.settings | {f"MITOYEN_{name}": value for name, value in own.items()}
    run("mitoyen", "restore", str(folder / "city.backup"), "--home", str(home))
    run("psql", "-q", "-f", str(folder / "registry.sql"), own["REGISTRY"], PGPASSWORD=Postgres.PASSWORD)
    influxd = ("influxd", "restore", "-portable", "-host", made.influxd.backups)
    for name in ("raw", "released"):
        run(*influxd, "-db", f"here_{name}", "-newdb", f"again_{name}", str(folder / "influx"))
    if onto == "servers":
        run("mitoyen", "migrate", "journal", "--home", str(home), **settings)
        return settings
    return settings | {"MITOYEN_JOURNAL": "sqlite", "MITOYEN_EDGES": ""}


@pytest.mark.timeout(300)  # eighteen processes start, and again
@pytest.mark.long
@pytest.mark.parametrize("onto", ["servers", "one machine"])
def test_a_city_on_servers_is_backed_up_amid_its_load_and_restored_with_nothing_lost_doubled_or_drawn_twice(
    tmp_path: Path, onto: str
) -> None:
    with ExitStack() as stack:
        made = stack.enter_context(cluster(tmp_path, partitions=2, edges=2))
        made.settings["MITOYEN_LATENESS"] = "PT1S"
        with city(tmp_path / "here", made.settings | {"MITOYEN_INFLUX_DATABASE": "here"}) as broker:
            owner, reader = new_owner(broker, NAME), new_reader(broker, "patient")
            owner.datastream("d")
            owner.datastream("gate", kind="rfid", privacy_unit="tag")
            plain = reader.agree(owner.offer(["d"], terms={"quota": {"per": "day", "records": 10**9}})["id"])
            counting = reader.agree(owner.offer(["gate"], *NOISY)["id"])

            def await_windows(more: int) -> None:
                count = len(remembered(made.settings, DRAWS)) + more
                await_that(lambda: len(remembered(made.settings, DRAWS)) >= count, "no more windows are released")

            with Load(owner) as load:
                await_windows(2)
                promised = set(map(int, list(load.receipts)))
                with pytest.raises(AssertionError, match="expected --stores"):
                    run("mitoyen", "backup", str(tmp_path / "none"), "--home", str(broker.home))
                back_up(broker, made, tmp_path, lambda: await_windows(2))
                await_windows(2)
            told = set(remembered(made.settings, DRAWS))
        home = tmp_path / "again" / "home"
        settings = restore(made, tmp_path, home, onto)
        files = {DRAWS: "keeper", PAID: "keeper", USE: "meter"}
        known = {statement: in_file(home, file, statement) for statement, file in files.items()}
        assert len(known[DRAWS]) == len(known[PAID]) >= 2
        assert set(known[DRAWS]) <= told
        drawn = [point for _, _, points in known[DRAWS] for point in msgspec.json.decode(points, type=list[Point])]
        stream = known[DRAWS][0][0]
        copied = set(in_store(made, stream))
        assert copied
        assert copied <= set(drawn), "the stores show what is not known to be drawn"
        with city(tmp_path / "again", settings) as broker:
            again = replace(reader, broker=broker)
            kept = Counter((one["time"], one["value"]) for one in again.history(plain["releases"][0]["id"]))
            sent = Counter({(at, number + 1): 1 for number, at in enumerate(load.sent)})
            assert kept <= sent
            assert {number + 1 for number in promised} <= {value for _, value in kept}
            assert again.history(counting["releases"][0]["id"])
            now = {
                statement: remembered(settings, statement) if onto == "servers" else in_file(home, file, statement)
                for statement, file in files.items()
            }
            assert set(known[DRAWS]) <= set(now[DRAWS])
            assert set(known[PAID]) <= set(now[PAID])
            assert all(dict(now[USE])[agreement] >= records for agreement, records in known[USE])
            shown = {point.time: point for point in in_store(made, stream)}
            assert copied <= set(shown.values())
            assert all(shown.get(point.time, point) == point for point in drawn), "a window was drawn again"
            sums = broker.call(owner.key, "GET", "reconciliation")
            assert sums["settled"]
            assert sums["accepted"] == sums["stored"] + sums["rejected"]
