"""The cases by name, and how long and how often each does what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from bench.faults import backups, disks, edges, fuzz, kills, limits, links, nonsense, partitions, stores


@dataclass(frozen=True, slots=True)
class Scale:
    """The whole suite; `short()` is what `make test` has time for."""

    rate: float = 300
    """Messages a second of each of two publishers."""
    rounds: int = 19
    """Kills that leave Mosquitto alive, on each store,"""
    rounds_of_mosquitto: int = 12
    """and those that don't; 50 in all."""
    moves: int = 20
    """Of a partition, from worker to worker."""
    away_s: float = 60
    """How long InfluxDB is away, slow, or in error."""
    full_s: float = 15
    stepped_s: float = 10
    flood: float = 2_000
    """Messages a second of each publisher, of 4 KB, that fill the journal."""
    overloaded_s: float = 600
    kills_of_gateway: int = 20
    gateway_away_s: float = 600
    cut_s: float = 20
    backed_up: int = 5_000
    """Receipts before the backup, and after it."""
    malformed: int = 100_000

    @classmethod
    def short(cls) -> Scale:
        return cls(
            rate=200,
            rounds=5,
            rounds_of_mosquitto=2,
            moves=3,
            away_s=2,
            full_s=2,
            stepped_s=1,
            overloaded_s=10,
            kills_of_gateway=5,
            gateway_away_s=2,
            cut_s=3,
            backed_up=500,
            malformed=1_000,
        )


Case: TypeAlias = Callable[[Path, Scale], dict[str, Any]]

CASES: Mapping[str, Case] = {
    "killed": lambda at, s: kills.without_mosquitto(at, rounds=s.rounds, rate=s.rate),
    "killed_on_sqlite": lambda at, s: kills.without_mosquitto(at, rounds=s.rounds, rate=s.rate, store="sqlite"),
    "mosquitto_killed": lambda at, s: kills.with_mosquitto(at, rounds=s.rounds_of_mosquitto, rate=s.rate),
    "workers_killed": lambda at, s: kills.workers(at, rounds=s.rounds, rate=s.rate),
    "partition_moved": lambda at, s: partitions.moved(at, moves=s.moves, rate=s.rate),
    "hung": lambda at, s: kills.hung(at, rate=s.rate),
    "store_away": lambda at, s: stores.away(at, away_s=s.away_s, rate=s.rate),
    "store_slow": lambda at, s: stores.slow(at, lasting_s=s.away_s, rate=s.rate),
    "store_erring": lambda at, s: stores.erring(at, lasting_s=s.away_s, rate=s.rate),
    "store_refusing": lambda at, s: stores.refusing_some(at, lasting_s=s.away_s / 4, rate=s.rate),
    "home_full": lambda at, s: disks.home_full(at, lasting_s=s.full_s, rate=s.rate),
    "store_full": lambda at, s: disks.store_full(at, lasting_s=s.full_s, rate=s.rate),
    "mosquitto_full": lambda at, s: disks.mosquitto_full(at, lasting_s=s.full_s, rate=s.rate),
    "clock_stepped": lambda at, s: edges.clock_stepped(at, lasting_s=s.stepped_s, rate=s.rate),
    "registry_locked": lambda at, s: edges.registry_locked(at, rate=s.rate),
    "mosquitto_hangs": lambda at, s: edges.mosquitto_hangs(at, rate=s.rate),
    "journal_full": lambda at, s: limits.journal_full(at, rate=s.flood),
    "gateway_killed": lambda at, s: links.gateway_killed(at, kills=s.kills_of_gateway, away_s=s.gateway_away_s),
    "outbox_full": lambda at, _: links.outbox_full(at),
    "network": lambda at, s: links.network(at, lasting_s=s.cut_s, rate=s.rate),
    "malformed": lambda at, s: nonsense.malformed(at, count=s.malformed, rate=s.rate),
    "frames_malformed": lambda at, s: nonsense.frames(at, count=s.malformed, rate=s.rate),
    "fuzzed": lambda at, s: fuzz.fuzzed(at, count=s.malformed),
    "restored": lambda at, s: backups.restored(at, answers=s.backed_up, rate=s.rate),
    "overloaded": lambda at, s: limits.overloaded(at, lasting_s=s.overloaded_s, rate=s.rate),
}
