"""What the documents name must exist: commands, options, settings, paths, calls. And what they show must run."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from api import rendered
from api.asyncapi import asyncapi
from api.serve import application
from broker.settings.settings import Settings
from mitoyen.command import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
GROUPS = ("ledger", "migrate", "operator-key", "partitions")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def _code(document: Path) -> str:
    there, _, _ = document.read_text().partition("\nNot yet")
    return "\n".join(CODE.findall(there))


@cache
def described() -> dict[str, Any]:
    """The broker's description of its calls, which takes a second."""
    return application().openapi()


def _ids(document: Path) -> str:
    return str(document.relative_to(ROOT))


documents = pytest.mark.parametrize("document", DOCUMENTS, ids=_ids)


@documents
def test_every_make_target_named_exists(document: Path) -> None:
    named = set(re.findall(r"\bmake ([a-z-]+)", _code(document)))
    assert named <= TARGETS, named - TARGETS


@documents
def test_every_command_named_exists(document: Path) -> None:
    command = get_command(app)
    known = set(command.commands)  # type: ignore[attr-defined]  # a click.Group, as the app has several commands
    named = set(re.findall(r"\bmitoyen ([a-z-]+)\b", _code(document)))
    assert named <= known, named - known


@documents
def test_every_option_of_a_command_named_exists(document: Path) -> None:
    for line in _code(document).splitlines():
        found = re.search(r"\bmitoyen ([a-z-]+)\b(.*)", line)
        if found is None:
            continue
        command, rest = found.groups()
        of_group = re.match(r" ([a-z-]+)", rest) if command in GROUPS else None
        words = [command, *([of_group[1]] if of_group else [])]
        shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
        for option in re.findall(r"(--[a-z][a-z-]+)", rest):
            assert option in shown, f"mitoyen {command} has no {option}"


@documents
def test_every_path_of_the_tree_named_exists(document: Path) -> None:
    """Whatever begins like one of our folders or ends like one of our files."""
    rooms = "broker|gateways|api|simulators|mitoyen|tests|docs|bench|scripts"
    pattern = rf"(?<![\w/.{{-])((?:{rooms})/[\w./-]*|[\w./-]+\.(?:py|md|toml|conf))(?![\w/])"
    for path in re.findall(pattern, _code(document)):
        places = (ROOT / path, ROOT / "broker" / path, document.parent / path)
        assert any(place.exists() for place in places), path


@documents
def test_every_setting_named_exists(document: Path) -> None:
    named = {name for name in re.findall(r"\bMITOYEN_([A-Z_]+)\b", _code(document)) if not name.startswith("TEST_")} - {
        "SECRETS"
    }
    assert named <= {name.upper() for name in Settings.model_fields}


def test_every_setting_is_named_somewhere_as_itself_or_as_its_option() -> None:
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    unnamed = [
        name
        for name in Settings.model_fields
        if f"MITOYEN_{name.upper()}" not in text and f"--{name.replace('_', '-')}" not in text
    ]
    assert unnamed == []


@documents
def test_every_call_named_is_described_by_the_broker(document: Path) -> None:
    known = [re.sub(r"\{\w+\}", "[^/]+", path) for path in described()["paths"]]
    for named in re.findall(r"/api/v1/[\w/{}-]+", _code(document)):
        assert any(re.fullmatch(path, named) for path in known), named


@documents
def test_the_python_shown_is_python(document: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL):
        ast.parse(block)


def test_the_reference_is_up_to_date() -> None:
    again = "run `make reference` and commit what it wrote"
    calls = rendered.openapi(described())
    assert (ROOT / "docs" / "reference" / "calls.md").read_text() == calls, again
    topics = rendered.asyncapi(asyncapi(["mqtt://127.0.0.1:1883"], ""))
    assert (ROOT / "docs" / "reference" / "topics.md").read_text() == topics, again
