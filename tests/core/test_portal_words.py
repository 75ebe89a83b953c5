"""Whatever the portal says is said in French as well."""

from __future__ import annotations

import json
import re
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "portal" / "src"
SAID = re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)+)"')
COUNTED = re.compile(r'\btn\(\s*[^",]+,\s*"((?:[^"\\]|\\.)+)",\s*"((?:[^"\\]|\\.)+)"')
GIVEN = re.compile(r"\{(\w+)\}")


def _texts() -> set[str]:
    found: set[str] = set()
    for source in [*SOURCES.rglob("*.ts"), *SOURCES.rglob("*.tsx")]:
        text = source.read_text()
        found.update(json.loads(f'"{one}"') for one in SAID.findall(text))
        found.update(json.loads(f'"{one}"') for pair in COUNTED.findall(text) for one in pair)
    return found


FRENCH: dict[str, str] = json.loads((SOURCES / "words" / "fr.json").read_text())


def test_every_text_is_there_in_french() -> None:
    assert len(_texts()) > 50
    missing = sorted(_texts() - FRENCH.keys())
    assert not missing, f"add to portal/src/words/fr.json: {json.dumps(missing, ensure_ascii=False, indent=2)}"


def test_a_translation_has_the_same_values_put_in() -> None:
    other = {text: said for text, said in FRENCH.items() if set(GIVEN.findall(text)) != set(GIVEN.findall(said))}
    assert not other
