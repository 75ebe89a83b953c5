"""Several Mosquittos, each with a process that takes in: whoever dies, what had a receipt is kept once, heard where somebody may hear it and
nowhere else, on every way, and revoked everywhere.
"""

from __future__ import annotations

import itertools
import json
import ssl
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from bench.cluster.world import servers
from broker import times
from broker.partition import spread
from mitoyen.ports import free_ports
from tests.owners import Owner, Reader, new_owner, new_reader
from tests.pictures import telling_jpeg
from tests.publisher import CertainDevice, Device
from tests.servers import Mitoyen
from tests.subscriber import Subscriber
from tests.system.test_cameras import BLUR, Camera, Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(300)  # fifteen processes start, and two again
BEGIN = times.parse("2026-01-01T00:00:00Z")
COUNT = 1_500
EVERY_MINUTE = {"op": "aggregate", "window": "PT1M", "statistics": ["mean"]}
NUMBERS = itertools.count()
KINDS = ("mqtts", "mqtt-ws")


def message(number: int) -> str:
    return json.dumps({"time": times.text(BEGIN + number * times.SECOND), "value": number})


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    """Two Mosquittos, which listen for TLS and WebSockets too, two partitions, and all that a cluster has."""
    folder = tmp_path_factory.mktemp("edges")
    Mitoyen.run_command("certificates", "--out", str(folder / "tls"))
    ports = {kind: free_ports(2) for kind in KINDS}
    options = [
        part
        for kind, (first, second) in ports.items()
        for part in (f"--{kind}", f"127.0.0.1:{first} 127.0.0.1:{second}")
    ]
    city = folder / "city"
    city.mkdir()
    with servers(folder, partitions=2, edges=2) as settings:
        own = {name.removeprefix("MITOYEN_"): value for name, value in settings.items()}
        tls = {"TLS_CERTIFICATE": str(folder / "tls/server.pem"), "TLS_KEY": str(folder / "tls/server.key")}
        environment = {**own, **tls, "MQTT_HOST": "localhost", "LATENESS": "PT1S"}
        with Mitoyen(city, *options, store=environment.pop("STORE"), environment=environment) as running:
            yield running


def owner_at(edge: int, broker: Mitoyen) -> Owner:
    return new_owner(broker, next(name for name in (f"o{n}" for n in NUMBERS) if spread(name, 2) == edge))


def reader_at(edge: int, broker: Mitoyen) -> Reader:
    return new_reader(broker, next(name for name in (f"r{n}" for n in NUMBERS) if spread(f"{name}-org", 2) == edge))


def whole(edge: int, broker: Mitoyen, *readers: Reader) -> Subscriber:
    """Who hears all that is published at an edge, for HTTP."""
    port = next(one.mqtt["port"] for one in readers if spread(f"{one.id}-org", 2) == edge)
    return Subscriber({**broker.login("mitoyen.read"), "port": port}, "whole")


def test_what_comes_at_any_edge_is_kept_once_and_heard_whoever_dies_until_it_is_revoked(broker: Mitoyen) -> None:
    owners, readers = [owner_at(edge, broker) for edge in (0, 1)], [reader_at(edge, broker) for edge in (0, 1)]
    assert len({owner.mqtt["port"] for owner in owners}) == 2
    offers = [_offered(owner)["id"] for owner in owners]
    agreements = [(reader, reader.agree(offer)) for reader in readers for offer in offers]
    names = [owner.id for owner in owners]
    with ExitStack() as stack:
        ears = [stack.enter_context(Subscriber(reader.mqtt)) for reader in readers]
        for ear in ears:
            ear.subscribe("live/#")
        with ThreadPoolExecutor() as together:
            for device in [together.submit(_deliver, owner, _disasters(broker, owner)) for owner in owners]:
                device.result()
        for ear in ears:
            ear.await_that(lambda _, one=ear: _heard(one) == {(name, n) for name in names for n in range(COUNT)})
        for reader, agreement in agreements:
            kept = Counter((one["time"], one["value"]) for one in reader.history(agreement["releases"][0]["id"]))
            assert kept == Counter((times.text(BEGIN + n * times.SECOND), n) for n in range(COUNT))
            broker.call(reader.key, "DELETE", f"agreements/{agreement['id']}", {"reason": "The test is over"})
        for ear in ears:
            ear.ping()
            ear.messages.clear()
        for owner in owners:
            _deliver(owner, lambda _: None, COUNT, COUNT + 1)
        for ear in ears:
            ear.ping()
            assert not _heard(ear)


def test_what_is_read_at_one_edge_alone_is_not_published_at_the_other_nor_kept_there_when_its_reader_left(
    broker: Mitoyen,
) -> None:
    owner, here, there = owner_at(0, broker), reader_at(0, broker), reader_at(1, broker)
    for name in ("closed", "open"):
        owner.datastream(name)
    offers = [owner.offer(["closed"], *operators) for operators in ((), (EVERY_MINUTE,))]
    closed, minutes = (offer["releases"][0]["topic"] for offer in offers)
    public = owner.offer(["open"], terms={"access": "open"})["releases"][0]["topic"]
    here.agree(offers[0]["id"])
    both = {closed, minutes}

    def say(number: int) -> None:
        """Something on the closed one, and then on the open one: who heard this heard that, were it there."""
        _deliver(owner, lambda _: None, number, number + 1, name="closed")
        _deliver(owner, lambda _: None, number, number + 1, name="open")
        for ear in (at_home, elsewhere):
            ear.await_that(lambda last: last.get(public, {}).get("value") == number)

    def shown() -> list[object]:
        """What came of them at the other; it may be told more than once that nothing is retained."""
        return [payload for topic, payload in elsewhere.messages if topic in both and payload is not None]

    with whole(0, broker, here) as at_home, whole(1, broker, there) as elsewhere:
        for ear in (at_home, elsewhere):
            ear.subscribe(f"live/{owner.id}/#")
        say(0)
        say(60)
        at_home.await_that(lambda last: both <= last.keys())
        assert not shown()

        agreed = [there.agree(offer["id"])["id"] for offer in offers]
        with Subscriber(there.mqtt) as newcomer:
            newcomer.subscribe("live/#")
            newcomer.await_that(lambda last: both <= last.keys())
            assert dict(newcomer.messages)[closed]["value"] == 60
            say(120)
            newcomer.await_that(lambda last: last[closed]["value"] == 120)

        for agreement in agreed:
            broker.call(there.key, "DELETE", f"agreements/{agreement}", {"reason": "It leaves"})
        elsewhere.await_that(lambda last: all(last[topic] is None for topic in both))
        elsewhere.messages.clear()
        say(180)
        assert dict(at_home.messages)[closed]["value"] == 180
        assert not shown()


def test_an_application_is_let_in_at_its_own_edge_alone_and_a_gateway_at_each(broker: Mitoyen) -> None:
    owner, here, there = owner_at(0, broker), reader_at(0, broker), reader_at(1, broker)
    reader = here.agree(_offered(owner)["id"]) and here
    with pytest.raises(PermissionError), Subscriber({**here.mqtt, "port": there.mqtt["port"]}):
        pass
    with CertainDevice({**owner.mqtt, "port": there.mqtt["port"]}) as device, Subscriber(reader.mqtt) as ear:
        ear.subscribe("live/#")
        device.deliver("d", [message(0)], lambda _: None)
        ear.await_messages(1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_edge_listens_for_tls_and_websockets(broker: Mitoyen, kind: str) -> None:
    trusted = ssl.create_default_context(cafile=str(broker.directory.parent / "tls/ca.pem"))
    way: dict[str, Any] = {"mqtts": {"tls": trusted}, "mqtt-ws": {"websockets": True}}[kind]
    for edge in (0, 1):
        owner, reader = owner_at(edge, broker), reader_at(edge, broker)
        reader.agree(_offered(owner)["id"])
        with Device(_by(kind, owner.mqtt), **way) as device, Subscriber(_by(kind, reader.mqtt), **way) as ear:
            ear.subscribe("live/#")
            device.publish("d", [message(edge)])
            ear.await_messages(1)


def test_frames_come_in_at_every_edge_and_their_pictures_go_out_where_they_are_seen(broker: Mitoyen) -> None:
    here, there = reader_at(0, broker), reader_at(1, broker)
    for edge in (0, 1):
        owner = owner_at(edge, broker)
        owner.datastream("corner", kind="camera")
        offer = owner.offer(["corner"], BLUR)["id"]
        other = (there, here)[edge]
        with Screen({**broker.login("mitoyen.read"), "port": other.mqtt["port"]}, "whole") as elsewhere:
            elsewhere.subscribe(f"live/{owner.id}/#")
            with Camera(owner.mqtt, "camera") as camera, Screen((here, there)[edge].mqtt, "screen") as screen:
                (here, there)[edge].agree(offer)
                screen.subscribe(f"live/{owner.id}/#")
                camera.see("corner", telling_jpeg(), owner.id)
                screen.await_picture()
            elsewhere.ping()
            assert not elsewhere.messages
            agreed = other.agree(offer)["id"]
            with Screen(other.mqtt, "newcomer") as newcomer:
                newcomer.subscribe(f"live/{owner.id}/#")
                newcomer.await_picture()
            broker.call(other.key, "DELETE", f"agreements/{agreed}", {"reason": "It leaves"})
            elsewhere._await(lambda: elsewhere.messages[-1][1][0] == b"", "the picture is still there")


@pytest.mark.parametrize("edge", [0, 1])
def test_streams_and_topics_of_sensorthings_tell_what_comes_at_every_edge(broker: Mitoyen, edge: int) -> None:
    owner, readers = owner_at(edge, broker), [reader_at(one, broker) for one in (0, 1)]
    owner.datastream("d")
    release = owner.offer(["d"], terms={"access": "open"})["releases"][0]["id"]
    number = itertools.count()
    with ExitStack() as stack:
        device = stack.enter_context(Device(owner.mqtt))
        ears = [stack.enter_context(Subscriber(reader.mqtt)) for reader in readers]
        for ear in ears:
            ear.subscribe("v1.1/Observations")
        until = time.monotonic() + 30
        while not all(ear.messages for ear in ears):  # a new offer is listened to within half a second
            assert time.monotonic() < until
            device.publish("d", [message(next(number))])
            for ear in ears:
                ear.ping()
        client = stack.enter_context(broker.client())
        lines = stack.enter_context(client.stream("GET", f"/api/v1/releases/{release}/live")).iter_lines()
        told = (json.loads(line[5:])["value"] for line in lines if line.startswith("data:"))
        next(told)  # the retained one
        last = next(number)
        device.publish("d", [message(last)])
        assert last in told


def _by(kind: str, login: dict[str, Any]) -> dict[str, Any]:
    """The same login where it is told that this kind of listener is."""
    scheme = {"mqtts": "mqtts", "mqtt-ws": "ws"}[kind]
    at = next(urlsplit(one["url"]) for one in login["also"] if one["url"].startswith(f"{scheme}:"))
    return {**login, "host": at.hostname, "port": at.port}


def _offered(owner: Owner) -> dict[str, Any]:
    owner.datastream("d")
    return owner.offer(["d"])


def _deliver(
    owner: Owner, on_progress: Callable[[int], None], begin: int = 0, end: int = COUNT, *, name: str = "d"
) -> None:
    with CertainDevice(owner.mqtt) as device:
        device.deliver(name, map(message, range(begin, end)), on_progress)
        assert set(map(str, device.receipts.values())) == {"{'stored': 1}"}


def _disasters(broker: Mitoyen, owner: Owner) -> Callable[[int], None]:
    """Of the first edge and of its owner's worker each once, on the way; of the other's nothing."""
    due = [(2 * COUNT // 3, "worker-"), (COUNT // 3, "edge-")] if spread(owner.id, 2) == 0 else []

    def happen(receipts: int) -> None:
        if due and receipts > due[-1][0]:
            broker.kill(due.pop()[1] + str(spread(owner.id, 2)))

    return happen


def _heard(subscriber: Subscriber) -> set[tuple[str, int]]:
    """(owner, value) of all that it was told, packs included."""
    return {
        (topic.split("/")[1], int(one["value"]))
        for topic, said in list(subscriber.messages)
        for one in (said if isinstance(said, list) else [said])
        if one and topic.startswith("live/")
    }
