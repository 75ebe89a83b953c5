"""The set-up installs what `pyproject.toml` asks for, in versions that `requirements.lock` pins."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]


def test_the_lock_pins_plain_versions_and_nothing_else() -> None:
    assert [line for line in LOCK if not re.fullmatch(r"[\w.-]+==[\w.+!]+", line)] == []


def test_every_dependency_is_pinned_within_what_it_asks_for() -> None:
    pinned = {canonicalize_name(name): version for name, version in (line.split("==") for line in LOCK)}
    asked = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]

    unpinned = [str(one) for one in asked if pinned.get(canonicalize_name(one.name), "") not in one.specifier]

    assert unpinned == []


def test_help_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    declared = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert declared is not None
    explained = re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)
    assert explained == declared[1].split()
