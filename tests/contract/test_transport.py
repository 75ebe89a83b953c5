"""Both ways that calls go: within a home and between machines they are answered, refused and missed alike."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager, closing, suppress
from secrets import token_hex
from typing import TYPE_CHECKING

import msgspec
import pytest

from broker import control
from broker.errors import LeaseLost, NotFound, Refused, Unavailable
from broker.home import Home
from broker.keeper.state import KeeperState
from broker.natsservers import Servers, urls
from broker.transport import nats as over_nats
from broker.transport.nats import OverNats
from broker.transport.protocol import ACCESS, Service, Transport
from broker.transport.sockets import Sockets
from mitoyen.ports import free_ports
from tests.natsservers import NatsServer
from tests.servers import await_that

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.natsservers import Nats

PARTITIONS = 2
WORKER = Service("worker", 1)
SOON_S = 5.0
"""Whatever is not waited for is there sooner than this, and patience ends later."""
MORE_THAN_NATS_TAKES = 9 << 20


class City:
    """What several processes share."""

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._made: list[Transport] = []

    def process(self) -> Transport:
        """One of another process, or machine."""
        made = self._make()
        self._made.append(made)
        return made

    def close(self) -> None:
        for made in self._made:
            made.close()


def in_home(folder: Path) -> City:
    home = Home(folder / "home")
    home.make(PARTITIONS, edges=2)
    return City(lambda: Sockets(home, PARTITIONS))


def on_nats(nats: Nats) -> City:
    name = f"test_{token_hex(6)}"
    return City(lambda: OverNats(Servers(urls(nats.url)), name))


@pytest.fixture(params=["sockets", "nats"])
def city(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[City]:
    made = in_home(tmp_path) if request.param == "sockets" else on_nats(request.getfixturevalue("nats"))
    with closing(made):
        yield made


@pytest.fixture
def machines(nats: Nats) -> Iterator[City]:
    """They share no home."""
    with closing(on_nats(nats)) as made:
        yield made


async def ask(city: Transport, service: Service, what: control.Call, patience_s: float = control.PATIENCE_S) -> bytes:
    return bytes(await asyncio.to_thread(city.to(service).call, what, patience_s))


@asynccontextmanager
async def serving(city: City, service: Service, answer: control.Serve) -> AsyncIterator[None]:
    """In another process. It need not be there yet when the `with` begins."""
    task = asyncio.create_task(city.process().serve(service, answer))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_answered(asking: Transport, service: Service, what: control.Call) -> bytes:
    end = time.monotonic() + control.PATIENCE_S
    while True:
        try:
            return await ask(asking, service, what)
        except Unavailable:
            assert time.monotonic() < end, "nobody serves"
        await asyncio.sleep(0.02)


def heard(keeper: Transport, listening: Transport, partition: int, state: KeeperState) -> bool:
    """Whether it is, said once more."""
    keeper.say(partition, state)
    return listening.said(partition) == state


def saying(what: object) -> control.Serve:
    async def answer(_: control.Call) -> object:
        return what

    return answer


async def test_each_service_answers_what_it_is_asked(city: City) -> None:
    services = [ACCESS, Service("worker", 0), Service("worker", 1), Service("edge", 0), Service("edge", 1)]
    asking = city.process()

    def echoing(service: Service) -> control.Serve:
        async def answer(call: control.Call) -> object:
            return [service, call]

        return answer

    what = control.Preview("o", "d", "{}", None, 7, 3)
    for service in services:
        async with serving(city, service, echoing(service)):
            told = await until_answered(asking, service, what)
            (kind, number), call = msgspec.json.decode(told, type=tuple[tuple[str, int], control.Call])
            assert (kind, number, call) == (*service, what)


async def test_a_refusal_comes_as_one_and_what_fails_as_unavailable(city: City) -> None:
    async def answer(call: control.Call) -> object:
        if isinstance(call, control.Sign):
            raise Refused("no_key", "There is none")
        if isinstance(call, control.Ready):
            raise NotFound("no such thing")
        return None

    asking = city.process()
    async with serving(city, WORKER, answer):
        assert await until_answered(asking, WORKER, control.Changed()) == b"null"
        with pytest.raises(Refused, match="There is none") as refused:
            await ask(asking, WORKER, control.Sign())
        assert refused.value.reason == "no_key"
        with pytest.raises(Unavailable, match="could not do it: no such thing"):
            await ask(asking, WORKER, control.Ready())


async def test_where_nobody_serves_that_is_known_at_once(city: City) -> None:
    asking = city.process()
    async with serving(city, WORKER, saying(1)):
        await until_answered(asking, WORKER, control.Ready())
        asked = time.monotonic()
        with pytest.raises(Unavailable, match="does not answer"):
            await ask(asking, Service("worker", 0), control.Ready())
    with pytest.raises(Unavailable, match="does not answer"):
        await ask(asking, WORKER, control.Ready())
    assert time.monotonic() - asked < SOON_S


async def test_whoever_does_not_answer_in_time_is_unavailable(city: City) -> None:
    never = asyncio.Event()

    async def answer(call: control.Call) -> object:
        if isinstance(call, control.Sign):
            await never.wait()
        return None

    asking = city.process()
    async with serving(city, WORKER, answer):
        await until_answered(asking, WORKER, control.Ready())
        with pytest.raises(Unavailable, match="does not answer"):
            await ask(asking, WORKER, control.Sign(), patience_s=0.3)


async def test_a_long_answer_arrives_whole_and_a_slow_one_delays_no_other(city: City) -> None:
    slow, long = asyncio.Event(), "long" * (MORE_THAN_NATS_TAKES // 4)

    async def answer(call: control.Call) -> object:
        if isinstance(call, control.Sign):
            await slow.wait()
            return long
        return call

    asking = city.process()
    async with serving(city, WORKER, answer):
        await until_answered(asking, WORKER, control.Ready())
        waiting = asyncio.create_task(ask(asking, WORKER, control.Sign()))
        calls = [control.TakenIn(number) for number in range(50)]
        told = await asyncio.gather(*(ask(asking, WORKER, call) for call in calls))
        assert [msgspec.json.decode(one, type=control.TakenIn) for one in told] == calls
        assert not waiting.done()
        slow.set()
        assert msgspec.json.decode(await waiting, type=str) == long


async def test_whoever_lost_the_lease_answers_nothing(city: City) -> None:
    has_it = True

    async def answer(_: control.Call) -> object:
        if not has_it:
            raise LeaseLost("another has it")
        return None

    asking = city.process()
    async with serving(city, WORKER, answer):
        await until_answered(asking, WORKER, control.Ready())
        has_it = False
        with pytest.raises(Unavailable, match="does not answer"):
            await ask(asking, WORKER, control.Ready(), patience_s=0.3)


def test_what_a_keeper_said_last_is_known_however_long_it_is(city: City) -> None:
    keeper, listening = city.process(), city.process()
    assert listening.said(1) is None
    for through in (1, 2):
        state = KeeperState(time.time_ns(), through, trouble="x" * MORE_THAN_NATS_TAKES * (through - 1))
        await_that(lambda state=state: heard(keeper, listening, 1, state), "it is not heard")
    assert listening.said(0) is None


# --- between machines


async def test_of_two_that_serve_the_one_that_has_the_lease_answers(machines: City) -> None:
    asking = machines.process()

    async def lost(_: control.Call) -> object:
        raise LeaseLost("another has it")

    async with serving(machines, WORKER, lost), serving(machines, WORKER, saying("mine")):
        told = [await until_answered(asking, WORKER, control.Ready()) for _ in range(20)]
    assert set(told) == {b'"mine"'}


async def test_a_call_outlives_whoever_had_it_and_is_answered_by_the_next(machines: City) -> None:
    asking, came = machines.process(), asyncio.Event()

    async def dies(call: control.Call) -> object:
        if isinstance(call, control.Sign):
            came.set()
            await asyncio.Event().wait()
        return None

    async with serving(machines, WORKER, dies):
        await until_answered(asking, WORKER, control.Ready())
        call = asyncio.create_task(ask(asking, WORKER, control.Sign()))
        await came.wait()
        async with serving(machines, WORKER, saying("the next")):
            assert await call == b'"the next"'


async def test_a_call_is_done_once_though_nats_servers_die_with_it(nats: Nats, machines: City) -> None:
    asking = machines.process()
    assert isinstance(asking, OverNats)
    came, go_on, calls = asyncio.Event(), asyncio.Event(), 0

    async def answer(call: control.Call) -> object:
        nonlocal calls
        if isinstance(call, control.Sign):
            calls += 1
            came.set()
            await go_on.wait()
        return None

    async with serving(machines, WORKER, answer):
        await until_answered(asking, WORKER, control.Ready())
        for number in range(1, 3):
            came.clear()
            go_on.clear()
            call = asyncio.create_task(ask(asking, WORKER, control.Sign()))
            await came.wait()
            server = _server_of(asking, nats)
            server.kill()
            try:
                go_on.set()
                assert await call == b"null"
            finally:
                await asyncio.to_thread(server.start)
            assert calls == number


def _server_of(asking: OverNats, nats: Nats) -> NatsServer:
    """To which it is connected."""
    assert asking._client is not None
    assert asking._client.connected_url is not None
    port = asking._client.connected_url.port
    return next(one for one in nats.servers if one.port == port)


async def test_whoever_serves_waits_for_nats_and_whoever_asks_does_not_for_long(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, "late", tuple(free_ports(3)), [])  # type: ignore[arg-type]  # it is three
    city = City(lambda: OverNats(Servers((f"nats://127.0.0.1:{server.port}",)), "test"))
    with closing(city):
        async with serving(city, WORKER, saying(1)):
            with pytest.raises(Unavailable, match="does not answer"):
                await ask(city.process(), WORKER, control.Ready(), patience_s=0.3)
            with server:
                asking = city.process()
                assert await until_answered(asking, WORKER, control.Ready()) == b"1"
                server.kill()
                asked = time.monotonic()
                with pytest.raises(Unavailable, match="no NATS server is reached"):
                    await ask(asking, WORKER, control.Ready())
                assert time.monotonic() - asked < control.PATIENCE_S / 2


async def test_a_call_that_is_too_long_is_refused_in_words(machines: City) -> None:
    asking = machines.process()
    with pytest.raises(Unavailable, match="max_payload"):
        await ask(asking, WORKER, control.Changed({"name": "x" * MORE_THAN_NATS_TAKES}))


def test_a_keeper_that_is_silent_is_not_known_whatever_its_clock_says(
    machines: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, listening = machines.process(), machines.process()
    ahead = KeeperState(time.time_ns() + 10**12, 1)
    assert listening.said(0) is None
    await_that(lambda: heard(keeper, listening, 0, ahead), "it is not heard")
    monkeypatch.setattr(over_nats, "FRESH_S", 0.2)
    await_that(lambda: listening.said(0) is None, "it is believed still")


def test_whoever_begins_to_listen_waits_for_the_first_word(machines: City) -> None:
    keeper, listening = machines.process(), machines.process()
    state, stop = KeeperState(time.time_ns(), 1), threading.Event()

    def speak() -> None:
        while not stop.wait(0.05):
            keeper.say(0, state)

    speaking = threading.Thread(target=speak)
    speaking.start()
    try:
        assert listening.said(0) == state
    finally:
        stop.set()
        speaking.join()
