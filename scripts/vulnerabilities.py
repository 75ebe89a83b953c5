"""Ask PyPI and npm for known vulnerabilities of what is locked: `make vulnerabilities`, a part of `make test`.

    .venv/bin/python scripts/vulnerabilities.py [--must-answer]

pip-audit looks at `requirements.lock`, npm at `portal/package-lock.json`, each at the registry that the packages come from. A mirror may have
no such service, and pip-audit then reports that nothing was found: so what was asked is counted, and whoever was not asked about is told.
Fails if something is known; with `--must-answer` also if anything could not be asked, as before a release.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of the packages of one lock file."""

    of: str
    packages: int
    asked: int
    """Of how many of them something was said, be it that nothing is known."""
    found: tuple[str, ...] = ()
    why: str = ""
    """What was said in place of an answer."""

    @property
    def line(self) -> str:
        if self.found:
            return f"FAILED  {self.of}: {'; '.join(self.found)}"
        if self.asked < self.packages:
            return f"UNASKED {self.of}: nothing was said of {self.packages - self.asked} of {self.packages} packages ({self.why})"
        return f"ok      {self.of}: nothing is known of {self.packages} packages"


def of_python(said: str, packages: int) -> Answer:
    """From pip-audit's JSON, in which a package that nobody knows is skipped with a reason."""
    try:
        told = json.loads(said)["dependencies"]
    except (ValueError, KeyError):
        return Answer("requirements.lock", packages, 0, why=_last(said))
    found = [f"{one['name']} {one['version']}: {bad['id']}" for one in told for bad in one.get("vulns", ())]
    skipped = [one["skip_reason"] for one in told if "skip_reason" in one]
    why = skipped[0] if skipped else ""
    return Answer("requirements.lock", packages, len(told) - len(skipped), tuple(found), why)


def of_npm(said: str, packages: int) -> Answer:
    """From npm's JSON, which has `metadata` if the registry answered and `message` if not."""
    try:
        told = json.loads(said)
    except ValueError:
        return Answer("portal/package-lock.json", packages, 0, why=_last(said))
    if "metadata" not in told:
        return Answer("portal/package-lock.json", packages, 0, why=str(told.get("message") or told.get("error")))
    found = [f"{name}: {one['severity']}" for name, one in told["vulnerabilities"].items()]
    return Answer("portal/package-lock.json", packages, packages, tuple(found))


def _last(said: str) -> str:
    return said.strip().splitlines()[-1] if said.strip() else "no answer"


def main() -> None:
    answers = [of_python(*_pip_audit()), of_npm(*_npm_audit())]
    for answer in answers:
        print(answer.line)
    failed = any(answer.found for answer in answers)
    unasked = any(answer.asked < answer.packages for answer in answers)
    sys.exit(failed or (unasked and "--must-answer" in sys.argv))


def _pip_audit() -> tuple[str, int]:
    lock = ROOT / "requirements.lock"
    options = (
        "--requirement",
        str(lock),
        "--no-deps",
        "--disable-pip",
        "--progress-spinner",
        "off",
        "--format",
        "json",
    )
    packages = sum("==" in line for line in lock.read_text().splitlines())
    return _said(sys.executable, "-m", "pip_audit", *options), packages


def _npm_audit() -> tuple[str, int]:
    locked = json.loads((ROOT / "portal" / "package-lock.json").read_text())["packages"]
    return _said(str(ROOT / "scripts" / "portal"), "audit"), len(locked) - 1  # itself is one of them


def _said(*command: str) -> str:
    """What it printed, or what it complained of."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return "it took too long"
    return ended.stdout if ended.stdout.strip() else ended.stderr


if __name__ == "__main__":
    main()
