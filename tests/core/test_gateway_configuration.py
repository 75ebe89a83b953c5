"""The file of `mitoyen gateway`: read whole before anything connects, and what is wrong in it is said where it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from broker.errors import Malformed
from gateways.agent.configuration import AnySource, Configuration, load, login

FILE = "{kind: file, name: log, path: sensor.log, datastream: pm25}"
LOGIN = {
    "id": "roof-1",
    "mqtt": {
        "host": "broker.example.org",
        "port": 1883,
        "username": "gateway.air.roof-1",
        "password": "secret",
        "client_id_prefix": "abc-",
        "topic": "in/air/roof-1/{datastream}",
    },
}


def read(folder: Path, text: str) -> Configuration:
    file = folder / "gateway.yaml"
    file.write_text(text)
    return load(file)


def write_login(folder: Path, said: object = LOGIN, mode: int = 0o600) -> None:
    (folder / "roof-1.json").write_text(json.dumps(said))
    (folder / "roof-1.json").chmod(mode)


LLRP = "kind: llrp, name: a, host: h"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (f"{LLRP}, edge: {{op: pseudonymise, rotate: P1D, gap: PT5M}}", "gap and cut_m are for offers"),
        (f"{LLRP}, edge: {{op: pseudonymise, rotate: daily}}", "ISO 8601"),
        (f"{LLRP}, edge: {{op: aggregate, window: PT5M, statistics: [count], by: cell}}", "datastream or read_point"),
        (f"{LLRP}, edge: {{op: aggregate, window: PT5M, statistics: [count], by: district}}", "datastream or read_point"),
        (f"{LLRP}, edge: {{op: aggregate, window: PT5M, statistics: [mean]}}", "tags are counted"),
        (f"{LLRP}, smooth: PT1S", "twice `every`"),
        ("kind: file, name: a, path: p, datastream: d, edge: {op: aggregate, window: PT5M, statistics: [min, max]}", "one statistic"),
        ("kind: file, name: a, path: p, datastream: d, edge: {op: blur}", "blur"),
        ("kind: camera, name: a, url: 'ftp://h/x', datastream: d", "rtsp"),
        ("kind: camera, name: a, url: 'http://h/x', datastream: d, edge: {op: pseudonymise, rotate: P1D}", "edge"),
    ],
)  # fmt: skip
def test_an_edge_that_would_not_do_what_it_says_is_refused(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        read(tmp_path, f"broker: {{login: a}}\nsources: [{{{source}}}]")


def test_paths_lie_in_the_files_own_folder(tmp_path: Path) -> None:
    found = read(tmp_path, f"broker: {{login: roof-1.json}}\nsources: [{FILE}]")
    assert found.broker.login == tmp_path / "roof-1.json"
    assert found.outbox.path == tmp_path / "outbox.db"
    assert found.sources[0].path == tmp_path / "sensor.log"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file"),
        ("broker: {login: a}\nsources: []", "sources: "),
        (f"broker: {{login: a, urll: b}}\nsources: [{FILE}]", "broker.urll"),
        (f"broker: {{login: a, url: 'http://b'}}\nsources: [{FILE}]", "mqtts://HOST:PORT"),
        (f"broker: {{login: a}}\noutbox: {{limit_mb: 1}}\nsources: [{FILE}]", "outbox.limit_mb"),
        (f"broker: {{login: a}}\nsources: [{FILE}, {FILE}]", "two sources are called log"),
        (f"broker: {{login: a, url: 'mqtts://me:pw@b'}}\nsources: [{FILE}]", "no name or password in an address"),
        (
            "broker: {login: a}\nsources: [{kind: poll, name: a, urls: ['https://me:pw@b/x'], datastream: y}]",
            "no name or",
        ),
        (
            "broker: {login: a}\nsources: [{kind: poll, name: a, urls: ['file:///etc/passwd'], datastream: y}]",
            "https://",
        ),
        ("broker: {login: a}\nsources: [{kind: camera, name: a, url: 'rtsp://me@b/x', datastream: y}]", "no name or"),
        ("broker: {login: a}\nsources: [{kind: pigeon, name: a}]", "pigeon"),
        ("broker: {login: a}\nsources: [{kind: file, name: A B, path: x, datastream: y}]", "sources.0.file.name"),
        ("a: [", "expected"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Malformed, match=r"gateway\.yaml") as raised:
        read(tmp_path, text)
    assert said in str(raised.value)


def test_the_documents_example_holds_and_has_every_kind_of_source() -> None:
    found = load(Path(__file__).parents[2] / "docs" / "gateway.yaml")
    kinds = {get_args(source.model_fields["kind"].annotation)[0] for source in get_args(AnySource)}
    assert {source.kind for source in found.sources} == kinds


def test_the_login_is_what_the_broker_answered(tmp_path: Path) -> None:
    write_login(tmp_path)
    found = login(read(tmp_path, f"broker: {{login: roof-1.json}}\nsources: [{FILE}]").broker)
    assert (found.host, found.port, found.password, found.tls) == ("broker.example.org", 1883, "secret", None)
    assert (found.prefix, found.receipts) == ("in/air/roof-1/", "ack/air/roof-1")


def test_a_url_says_where_to_connect_instead(tmp_path: Path) -> None:
    write_login(tmp_path)
    broker = "broker: {login: roof-1.json, url: 'wss://other.example.org'}"
    found = login(read(tmp_path, f"{broker}\nsources: [{FILE}]").broker)
    assert (found.host, found.port, found.websockets) == ("other.example.org", 443, True)
    assert found.tls is not None


@pytest.mark.parametrize(
    ("said", "mode", "why"), [(LOGIN, 0o644, "mode 0600"), ({}, 0o600, "expected what"), ([], 0o600, "expected what")]
)
def test_a_login_that_is_none_or_that_others_may_read_is_refused(
    tmp_path: Path, said: object, mode: int, why: str
) -> None:
    write_login(tmp_path, said, mode)
    with pytest.raises(Malformed, match=why):
        login(read(tmp_path, f"broker: {{login: roof-1.json}}\nsources: [{FILE}]").broker)
