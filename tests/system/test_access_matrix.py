"""Every role tries every call and every family of topics on a running broker; `tests/access_rows.py` says who may."""

from __future__ import annotations

import inspect
import itertools
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from api.routes.portal import BUILT
from api.serve import ROOMS, application
from broker import topics
from broker.authorisation import OWN_ROLES
from broker.mqtt import codec
from tests.access_rows import CONNECTS, EVERYONE, ROWS, TOPICS, WITHOUT_KEY, Row
from tests.mqtt import ANSWER_S
from tests.scenes import Scene, crowded, scene
from tests.servers import Mitoyen
from tests.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

WHERE = "tests/access_rows.py"
READS = ("get", "head")
REFUSED = 128  # reason codes of MQTT 5 from here on say no


@dataclass(frozen=True, slots=True)
class Call:
    """A call, and how the description has it: empty for what it leaves out."""

    method: str
    path: str
    described: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path.removeprefix('/api/v1/')}"

    def parameters(self, place: str) -> dict[str, Any]:
        """The example of each."""
        wanted = [one for one in self.described.get("parameters", []) if one["in"] == place]
        return {one["name"]: one["schema"]["examples"][0] for one in wanted}


APPLICATION = application()
DESCRIPTION = APPLICATION.openapi()


def calls() -> dict[str, Call]:
    """All that the application answers, described or not; what is not described is taken to be asked for as its GET is."""
    routed = [(m.lower(), route.path) for room in ROOMS for route in room.router.routes for m in route.methods or ()]
    routed += [("get", route.path) for route in APPLICATION.routes if hasattr(route, "path")]
    described = DESCRIPTION["paths"]
    found = [Call(m, p, described.get(p, {}).get("get" if m == "head" else m, {})) for m, p in routed]
    return {call.name: call for call in found}


CALLS = calls()


def call_of(row: str) -> str:
    """The call that a row is about."""
    return row.removesuffix(" of open").partition("?")[0]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """In a broker of its own, whose tags and organisations nobody else has to do with."""
    with Mitoyen(tmp_path_factory.mktemp("matrix")) as broker:
        yield crowded(broker, "matrix")


def test_every_call_has_a_row_and_every_row_a_call() -> None:
    missing = sorted(CALLS.keys() - {call_of(row) for row in ROWS})
    assert not missing, (
        f"Nobody has said who may use {', '.join(missing)}. Add a row for each to ROWS in {WHERE}, such as\n"
        f'    "{missing[0]}": Row(OWNER),\n'
        "with the roles that are let in (the sets above ROWS; EVERYONE for what needs no key). All others have to be refused, with 401 or 403; "
        "name in `absent` those who get 404; say `ends` if what it is about is gone afterwards. What the path or the body's example names is made in `scene` of tests/scenes.py: "
        "add yours there, and its name to `names`."
    )
    stale = sorted(row for row in ROWS if call_of(row) not in CALLS)
    assert not stale, f"There is no such call any more: remove {', '.join(stale)} from ROWS in {WHERE}."


def test_the_description_asks_for_a_key_where_the_matrix_does() -> None:
    schemas = {name: call for name, call in CALLS.items() if "security" in call.described}
    for name, row in ROWS.items():
        public = row.permitted == EVERYONE
        if CALLS[call_of(name)].described:
            assert public == (call_of(name) not in schemas), f"{name}: open by accident, or closed?"


def test_each_role_reads_what_its_row_says_and_changes_nothing_that_it_does_not(crowd: Scene) -> None:
    wrong = [
        f"{name} as {role}: {status}, expected {expected(row, role)}"
        for name, row in ROWS.items()
        for role in sorted(EVERYONE)
        if name.startswith(READS) or role not in row.permitted
        for status in [send(crowd, crowd, name, role)]
        if status not in expected(row, role)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(300)
def test_each_role_changes_what_its_row_says(crowd: Scene) -> None:
    wrong, numbers = [], itertools.count()
    for name, row in ROWS.items():
        for role in sorted(row.permitted) if not name.startswith(READS) else ():
            at = scene(crowd.broker, f"matrix-{next(numbers)}") if row.ends else crowd
            status = send(at, crowd, name, role)
            if status not in expected(row, role):
                wrong.append(f"{name} as {role}: {status}, expected {expected(row, role)}")
    assert not wrong, "\n".join(wrong)


def expected(row: Row, role: str) -> tuple[int, ...]:
    """The statuses that this role may get; a conflict is told to those alone who may."""
    if role in row.permitted:
        return (200, 201, 202, 204, 409, *row.also)
    if role in WITHOUT_KEY:
        return (401,)
    return (404,) if role in row.absent else (403,)


def send(at: Scene, crowd: Scene, name: str, role: str) -> int:
    """The status of a row's call as this role, about the things of the scene `at`."""
    call = CALLS[call_of(name)]
    query = {"organisation": "air-lyon"} if role == "operator" and "organisation" in call.parameters("query") else {}
    if "?" in name:
        query |= {one: call.parameters("query")[one] for one in [name.partition("?")[2]]}
    with at.broker.client(at.keys.get(role, crowd.keys[role])) as client:
        request = client.build_request(
            call.method, path(at, name), params=at.here(query), json=body(at, call), headers={"Accept": "*/*"}
        )
        answer = client.send(request, stream=True)
        answer.close()
        return answer.status_code


def path(at: Scene, name: str) -> str:
    call = CALLS[call_of(name)]
    given = call.parameters("path")
    filled = at.here(given)
    if name.endswith(" of open"):
        filled |= {"offer": at.open["id"], "release": at.open["releases"][0]["id"]}
    if name.endswith("/decision"):
        filled["agreement"] = at.request
    if "seq" in filled:
        filled["seq"] = at.entry()
    filled |= {"name": next(BUILT.joinpath("assets").iterdir()).name} if call.path.startswith("/assets") else {}
    pages = {"organisation": "air-lyon", "datastream": "pm25-roof-1", "part": "offers"}
    return call.path.replace(":path}", "}").format(**{"path": "Datastreams", **pages, **filled})


def body(at: Scene, call: Call) -> Any:
    """The example, without an id of its own: whoever may make something makes another."""
    if "requestBody" not in call.described:
        return None
    reference = call.described["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    example = DESCRIPTION["components"]["schemas"][reference.rpartition("/")[2]]["examples"][0]
    return at.here({name: value for name, value in example.items() if name != "id"})


# --- MQTT


def families() -> set[str]:
    """The first level of every topic that `broker/topics.py` makes or the broker's own rules name."""
    texts = {rule.topic for rules in OWN_ROLES.values() for rule in rules}
    for name, one in vars(topics).items():
        if isinstance(one, str) and not name.startswith("_") and "/" in one and "\n" not in one:
            texts.add(one)
        elif inspect.isfunction(one):
            signature = inspect.signature(one)
            takes = {parameter.annotation for parameter in signature.parameters.values()}
            if takes == {"str"} and signature.return_annotation == "str":
                texts.add(one(*["x"] * len(signature.parameters)))
    return {text.partition("/")[0] for text in texts}


def test_every_family_of_topics_has_rows() -> None:
    missing = sorted(families() - TOPICS.keys())
    assert not missing, (
        f"Nobody has said who may publish to, subscribe to and hear the topics below {', '.join(missing)}/. "
        f"Add rows to TOPICS in {WHERE}, such as\n"
        f'    "{missing[0]}": [TopicRow("{missing[0]}/{{owner}}/x", subscribes=GATEWAY), TopicRow("{missing[0]}/#")],'
    )


def test_each_role_publishes_subscribes_and_hears_what_its_row_says(crowd: Scene) -> None:
    names = {
        "owner": crowd.names["air-lyon"],
        "offer": crowd.names["air-by-minute"],
        "open": crowd.open["id"],
        "number": number(crowd, crowd.names["air-by-minute"]),
        "open_number": number(crowd, crowd.open["id"]),
        "application": crowd.names["smog-alert"],
    }
    rows = {row.topic.format(**names): row for of in TOPICS.values() for row in of}
    wrong = []
    with ExitStack() as connections:
        clients = {r: connections.enter_context(Trying(crowd.mqtt[r])) for r in sorted(CONNECTS)}
        for role, client in clients.items():
            for topic, row in rows.items():
                if client.subscribes(topic) != (role in row.subscribes):
                    wrong.append(f"{role} subscribes to {topic}: {role not in row.subscribes}")
                if not {"#", "+"} & set(topic) and takes(crowd.mqtt[role], topic) != (role in row.publishes):
                    wrong.append(f"{role} publishes to {topic}: {role not in row.publishes}")
        record, below = '{"time": "2026-03-01T00:00:01Z", "value": 2}', f"{names['owner']}/roof-1"
        clients["gateway"].publishes(f"in/{below}/pm25-roof-1", record, respond=f"ack/{below}")
        crowd.terms()  # which is told on notices/
        due = {role: {topic for topic, row in rows.items() if role in row.hears} for role in clients}
        for role, client in clients.items():
            client.awaits(due[role])
        for role, client in clients.items():
            heard = client.heard(rows)
            if heard != due[role]:
                wrong.append(f"{role} heard {sorted(heard)}, expected {sorted(due[role])}")
    assert not wrong, "\n".join(wrong)


def number(crowd: Scene, offer: str) -> int:
    """The Datastream's, as SensorThings has it."""
    with crowd.broker.client(crowd.keys["agreed"]) as client:
        found = client.get("/v1.1/Datastreams", params={"$filter": f"properties/offer eq '{offer}'"})
    return int(found.json()["value"][0]["@iot.id"])


class Trying(Subscriber):
    """A role's connection, which tries what it may not."""

    def __init__(self, login: Mapping[str, Any]) -> None:
        super().__init__(login, "matrix")
        self._client.on_subscribe = lambda *answer: self._note("granted", not answer[3][0].is_failure)

    def subscribes(self, topic: str) -> bool:
        self._noted.pop("granted", None)
        self._client.subscribe(topic, qos=1)
        self._await(lambda: "granted" in self._noted, "no answer to SUBSCRIBE")
        return bool(self._noted["granted"])

    def publishes(self, topic: str, payload: str, respond: str) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic, properties.CorrelationData = respond, b"1"
        self._client.publish(topic, payload, qos=1, properties=properties)

    def awaits(self, due: set[str]) -> None:
        self._await(lambda: due <= {topic for topic, _ in self.messages}, f"not heard on all of {sorted(due)}")

    def heard(self, rows: Collection[str]) -> set[str]:
        """On which topics; of releases of other tests, which may be open, nothing is said."""
        self.ping()
        return {topic for topic, _ in self.messages if topic in rows or not topic.startswith(("live/", "status/"))}


def takes(login: Mapping[str, Any], topic: str) -> bool:
    """Whether Mosquitto takes a message on this topic; on a connection of its own, since it hangs up on whoever tries in vain."""
    with socket.create_connection((login["host"], login["port"]), timeout=ANSWER_S) as connection:
        account = (login["client_id_prefix"] + "tries", login["username"], login["password"])
        connection.sendall(codec.connect(*account, clean=True, session_expiry_s=0, keepalive_s=60))
        assert connection.recv(1_000)
        connection.sendall(codec.publish(codec.heading(topic), 1, codec.user_properties(()), b"online", retain=False))
        answer = connection.recv(1_000)
        packets, _ = codec.scan(answer)
        return codec.acknowledgement(answer, packets[0])[1] < REFUSED


@pytest.mark.parametrize("role", sorted(EVERYONE - CONNECTS))
def test_whoever_has_no_account_or_is_suspended_does_not_connect(crowd: Scene, role: str) -> None:
    address = {name: crowd.mqtt["agreed"][name] for name in ("host", "port", "client_id_prefix")}
    key = crowd.keys[role]
    for login in (
        crowd.mqtt.get(role),
        {"username": role, "password": key},
        {"username": "application.x", "password": key},
    ):
        if login is not None:
            with pytest.raises(PermissionError), Subscriber({**address, **login}):
                pass
