"""The process that keeps what the journal holds."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, closing

import structlog

from broker import alive, control, secrets
from broker.errors import LeaseLost
from broker.everywhere import Publishers
from broker.home import Home
from broker.keeper.keeper import Keeper, KeeperSettings
from broker.keeper.live import PahoPublisher
from broker.keeper.progress import Progress
from broker.keeper.state import KeeperState
from broker.metrics import LEASES_LOST
from broker.opening import registry, transport
from broker.part import accounts
from broker.parts import journals, remembered, stores
from broker.privacy import tags
from broker.privacy.keys import load_key
from broker.settings.settings import Settings
from broker.tables.protocol import Tables
from broker.transport.protocol import Service

log = structlog.get_logger()


def run_keeper(settings: Settings, partition: int = 0) -> None:
    """Keep what the journal of a partition holds, whenever nobody else does; until SIGTERM."""
    home = Home(settings.home)
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    alive.beat_in_thread(stop)
    while not stop.is_set():
        try:
            with remembered.of_keeper(settings, home, partition, stop) as tables:
                if tables is not None:
                    _keep(settings, home, partition, tables, stop)
        except LeaseLost as error:
            LEASES_LOST.labels("keeper").inc()
            log.error("lease_lost", role="keeper", partition=partition, reason=str(error))


def _keep(settings: Settings, home: Home, partition: int, tables: Tables, stop: threading.Event) -> None:
    """Until told to stop. Raises LeaseLost."""
    suffix = "-keeper" if settings.partitions == 1 else f"-keeper-{partition}"
    with ExitStack() as stack:
        opened = stores.both(settings, home)
        stack.enter_context(closing(opened.raw))
        stack.enter_context(closing(opened.released))
        login = secrets.load(home.logins)["mitoyen.live"]
        live = Publishers([stack.enter_context(closing(PahoPublisher(at))) for at in accounts(settings, login, suffix)])
        calls = stack.enter_context(closing(transport(settings, home)))
        worker = calls.to(Service("worker", partition))

        def say(state: KeeperState) -> None:
            tables.check()
            calls.say(partition, state)

        keeper = Keeper(
            registry=stack.enter_context(closing(registry(settings, home))),
            journal=stack.enter_context(closing(journals.reader(settings, home, partition))),
            progress=Progress(tables),
            raw=opened.raw,
            released=opened.released,
            keys=remembered.names(settings, home, tables),
            hash_of=tags.hasher(load_key(home.tags)),
            live=live,
            say=say,
            settings=KeeperSettings(settings.lateness_ns, settings.silent_after_ns, partition),
            report=lambda published: worker.call(control.WindowsPublished(published)),
        )
        keeper.run(stop)
