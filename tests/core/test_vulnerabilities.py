"""What the registries say of known vulnerabilities fails the tests; that they say nothing is told, and never taken for an answer."""

from __future__ import annotations

import json

import pytest

from scripts.vulnerabilities import of_npm, of_python

SKIPPED = {"name": "b", "skip_reason": "Dependency not found on PyPI"}


def test_what_is_known_of_a_python_package_is_found() -> None:
    told = [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}, {"name": "b", "version": "2", "vulns": []}]
    answer = of_python(json.dumps({"dependencies": told}), 2)
    assert answer.found == ("a 1: PYSEC-1",)
    assert answer.line == "FAILED  requirements.lock: a 1: PYSEC-1"


def test_packages_that_nobody_was_asked_about_are_counted_and_told() -> None:
    answer = of_python(json.dumps({"dependencies": [{"name": "a", "version": "1", "vulns": []}, SKIPPED]}), 2)
    assert (answer.asked, answer.found) == (1, ())
    assert answer.line.startswith("UNASKED requirements.lock: nothing was said of 1 of 2 packages (Dependency not")


def test_a_registry_that_answers_and_knows_nothing_is_believed() -> None:
    python = of_python(json.dumps({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}), 1)
    npm = of_npm(json.dumps({"vulnerabilities": {}, "metadata": {}}), 98)
    assert [python.line, npm.line] == [
        "ok      requirements.lock: nothing is known of 1 packages",
        "ok      portal/package-lock.json: nothing is known of 98 packages",
    ]


def test_what_is_known_of_a_package_of_npm_is_found() -> None:
    said = {"metadata": {}, "vulnerabilities": {"vite": {"severity": "high", "via": []}}}
    assert of_npm(json.dumps(said), 98).found == ("vite: high",)


@pytest.mark.parametrize(
    ("said", "why"),
    [("", "no answer"), ("a trace\nno network\n", "no network"), ('{"message": "405 Not Allowed"}', "405 Not Allowed")],
)
def test_what_is_no_answer_is_none(said: str, why: str) -> None:
    answer = of_npm(said, 98)
    assert (answer.asked, answer.why) == (0, why)


@pytest.mark.parametrize("said", ["", "no network", "{}"])
def test_pip_audit_that_breaks_off_is_no_answer(said: str) -> None:
    answer = of_python(said, 3)
    assert (answer.asked, answer.found) == (0, ())
