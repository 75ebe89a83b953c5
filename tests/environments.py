"""Environments for other people's clients, each with its own packages: made once, kept in the user's cache, never in this project's."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mitoyen-tests"
PATIENCE_S = 300


def python(*packages: str) -> Path:
    """An interpreter that has these packages, as pip spells them."""
    folder = _folder("python", f"{sys.version_info[:2]}", *packages)
    program = folder / "bin" / "python"
    if not (folder / "made").exists():
        venv.create(folder, clear=True, with_pip=True)
        _run([str(program), "-m", "pip", "install", "--quiet", "--no-input", *packages])
        (folder / "made").touch()
    return program


def node(*packages: str) -> Path:
    """A folder below which these packages are found, as npm spells them."""
    folder = _folder("node", *packages)
    if not (folder / "made").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"private": True, "type": "module"}))
        _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", *packages], cwd=folder)
        (folder / "made").touch()
    return folder


def run(*command: str | Path, **environment: str) -> str:
    """What a program prints. Raises AssertionError with all that it said if it fails."""
    return _run([str(part) for part in command], env={**os.environ, "NO_PROXY": "127.0.0.1", **environment})


def _folder(kind: str, *packages: str) -> Path:
    return CACHE / f"{kind}-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:12]}"


def _run(command: list[str], **more: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **more)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout
