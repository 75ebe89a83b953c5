"""The public record on a running broker: what an export proves by itself, and what can be erased of it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.owners import new_owner, new_reader
from tests.servers import Mitoyen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitoyen]:
    with Mitoyen(tmp_path_factory.mktemp("record"), environment={"CHECKPOINT_EVERY": "PT1S"}) as running:
        yield running


def export(broker: Mitoyen, to: Path) -> Path:
    to.write_text(broker.text(None, "/api/v1/ledger?format=ndjson"))
    return to


def verify(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and answer of `mitoyen ledger verify`."""
    try:
        return 0, json.loads(Mitoyen.run_command("ledger", "verify", *arguments, "--json"))
    except subprocess.CalledProcessError as error:
        return error.returncode, json.loads(error.stdout)


def revoke(broker: Mitoyen, owner: str, reason: str) -> str:
    """An agreement with an owner of this name that ended for this reason."""
    made = new_owner(broker, owner)
    made.datastream("d")
    agreed = new_reader(broker, f"{owner}-reader").agree(made.offer(["d"])["id"])
    broker.call(made.key, "DELETE", f"agreements/{agreed['id']}", {"reason": reason})
    return str(agreed["id"])


def test_an_export_verifies_offline_and_tampering_is_named(broker: Mitoyen, tmp_path: Path) -> None:
    revoke(broker, "first", "end of trial")
    older = export(broker, tmp_path / "older.ndjson")
    key = broker.call(None, "GET", "ledger/key")["key"]
    revoke(broker, "second", "it was resold")
    newer = export(broker, tmp_path / "newer.ndjson")
    status, found = verify(str(newer), "--key", key, "--against", str(older))
    assert (status, found["holds"], found["key"]) == (0, True, key)
    assert found["signed"] == found["entries"] == len(broker.call(None, "GET", "ledger", limit="10000"))

    lines = [json.loads(line) for line in newer.read_text().splitlines()]
    (at,) = [line["seq"] for line in lines if line.get("reason") == "end of trial"]
    for line in lines:
        if line.get("seq") == at:
            line["reason"] = "no reason"
    tampered = tmp_path / "tampered.ndjson"
    tampered.write_text("\n".join(json.dumps(line) for line in lines))
    assert verify(str(tampered)) == (1, {"holds": False, "seq": at, "why": "its reason does not have its digest"})
    status, found = verify(str(older), "--against", str(newer))
    assert (status, found["seq"]) == (1, len([line for line in older.read_text().splitlines() if '"seq"' in line]) + 1)


def test_the_registry_itself_is_verified_and_a_change_in_its_file_is_named(tmp_path: Path) -> None:
    with Mitoyen(tmp_path) as broker:
        new_owner(broker, "owner")
        whole = export(broker, tmp_path / "export.ndjson")
    assert verify("--home", str(broker.home))[1]["holds"]
    with sqlite3.connect(broker.home / "registry.sqlite") as registry:
        registry.execute("drop trigger ledger_no_update")
        registry.execute(
            """update ledger set facts = '{"organisation": "x"}' where event = 'organisation_registered'"""
        )
    status, found = verify("--home", str(broker.home))
    assert (status, found["seq"], found["why"]) == (1, 3, "its content does not have its hash")
    assert verify("--home", str(broker.home), "--against", str(whole))[0] == 1


def test_the_operator_erases_a_text_and_the_chain_still_holds(broker: Mitoyen, tmp_path: Path) -> None:
    revoke(broker, "erasing", "Jean Untel moved to 7 rue de la Paix")
    before = export(broker, tmp_path / "before.ndjson")
    (entry,) = [e for e in broker.call(None, "GET", "ledger", limit="10000") if "Jean" in e.get("reason", "")]
    path = f"ledger/{entry['seq']}/texts/reason"
    for key, status in ((None, 401), (new_owner(broker, "curious").key, 403)):
        with pytest.raises(httpx.HTTPStatusError) as refused:
            broker.call(key, "DELETE", path, {"reason": "x"})
        assert refused.value.response.status_code == status
    broker.call(broker.operator_key, "DELETE", path, {"reason": "It names a person"})
    with pytest.raises(httpx.HTTPStatusError) as gone:
        broker.call(broker.operator_key, "DELETE", path, {"reason": "again"})
    assert gone.value.response.status_code == 404
    entries = broker.call(None, "GET", "ledger", limit="10000")
    after = next(e for e in entries if e["seq"] == entry["seq"])
    assert after == {name: value for name, value in entry.items() if name not in ("reason", "salts")}
    acts = [e for e in entries if e["event"] == "text_erased"]
    assert [(a["entry"], a["field"], a["by"]) for a in acts] == [(entry["seq"], "reason", "operator")]
    status, found = verify(str(export(broker, tmp_path / "after.ndjson")), "--against", str(before))
    assert (status, found["erased"]) == (0, 1)
    shown = broker.call(broker.operator_key, "GET", "ledger", limit="10000")
    assert "Jean" not in json.dumps(shown)
    with sqlite3.connect(broker.home / "registry.sqlite") as registry:
        assert "Jean" not in "\n".join(registry.iterdump()), "it stands elsewhere still"


def test_checkpoints_come_by_themselves_and_on_demand(broker: Mitoyen) -> None:
    new_owner(broker, "signed")
    length = len(broker.call(None, "GET", "ledger", limit="10000"))
    broker.await_that(lambda: broker.call(None, "GET", "ledger/checkpoints", after=str(length - 1)) != [], "not signed")
    new_owner(broker, "signed-too")
    made = broker.call(None, "POST", "ledger/checkpoints")
    assert made["checkpoint"] == length + 1
    assert broker.call(None, "POST", "ledger/checkpoints") == made
    assert broker.call(None, "GET", "ledger/checkpoints", after=str(length)) == [made]
    assert broker.call(None, "GET", "ledger", after=str(length))[0]["hash"] == made["hash"]


def test_a_rotated_key_is_vouched_for_by_the_old_one(broker: Mitoyen, tmp_path: Path) -> None:
    old = broker.call(None, "GET", "ledger/key")["key"]
    new = broker.run_command("ledger", "rotate-key", "--home", str(broker.home)).strip()
    assert broker.call(None, "GET", "ledger/key")["key"] == new != old
    assert broker.call(None, "POST", "ledger/checkpoints")["key"] == new
    copy = str(export(broker, tmp_path / "rotated.ndjson"))
    assert verify(copy, "--key", old) == verify(copy, "--key", new) == verify(copy)
    assert verify(copy)[1]["key"] == new
    assert (broker.home / "ledger.key").stat().st_mode & 0o077 == 0


def test_an_export_is_whole_and_asks_for_no_part(broker: Mitoyen) -> None:
    with broker.client() as client:
        answer = client.get("/api/v1/ledger", headers={"Accept": "application/x-ndjson"})
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert json.loads(answer.text.splitlines()[-1])["checkpoint"] > 0
        assert client.get("/api/v1/ledger?format=ndjson&after=3").status_code == 422
