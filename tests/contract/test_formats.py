"""Every format that a gateway may speak: no payload does worse than being refused with a reason."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.entry import Refusal
from broker.model import FormatName
from gateways import formats
from gateways.foreign import EXPECTED, parse
from tests.payloads import MESSAGES, REFUSED
from tests.samples import DATA, MIXED, NO_DATA
from tests.samples import REFUSED as SAMPLES_REFUSED
from tests.understood import holds, read

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS: tuple[FormatName, ...] = get_args(FormatName)
each_format = pytest.mark.parametrize("name", FORMATS)

# --- mutations: what a bad line, a bug or an enemy makes of a good payload

leaves = (
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=12)
    | st.sampled_from(["1e999", "-0", "NaN", 1e308, 10**400, "\ud800", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59Z", [], {}, ""])
)  # fmt: skip


@st.composite
def mutated_bytes(draw: st.DrawFn, payload: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 4))):
        at, to = sorted((draw(st.integers(0, len(payload))), draw(st.integers(0, len(payload)))))
        middle = draw(st.binary(max_size=8) | st.just(payload[at:to] * 2) | st.just(b""))
        payload = payload[:at] + middle + payload[draw(st.sampled_from([at, to])) :]
    return payload


@st.composite
def mutated_json(draw: st.DrawFn, payload: bytes) -> bytes:
    found = json.loads(payload)
    for _ in range(draw(st.integers(1, 3))):
        found = draw(_changed(found))
    return json.dumps(found).encode(errors="surrogatepass")


@st.composite
def _changed(draw: st.DrawFn, found: object) -> object:
    """The same, but for one value somewhere within."""
    if not isinstance(found, dict | list) or not found or draw(st.integers(0, 3)) == 0:
        return draw(leaves | st.just([found]) | st.just({"value": found}))
    changed = dict(found) if isinstance(found, dict) else list(found)
    at = draw(st.sampled_from(list(found) if isinstance(found, dict) else range(len(found))))  # type: ignore[arg-type]  # keys of either
    if draw(st.integers(0, 4)) == 0:
        del changed[at]  # type: ignore[arg-type]  # as above
    else:
        changed[at] = draw(_changed(found[at]))  # type: ignore[index]  # as above
    return changed


def mutated(name: FormatName) -> st.SearchStrategy[list[tuple[str, bytes]]]:
    """All of a format's messages in their order, one of them or more mutated, now and then on another's topic."""

    @st.composite
    def messages(draw: st.DrawFn) -> list[tuple[str, bytes]]:
        found = list(MESSAGES[name])
        for _ in range(draw(st.integers(1, 2))):
            at = draw(st.integers(0, len(found) - 1))
            topic, payload = found[at]
            how = draw(st.sampled_from([mutated_bytes, mutated_json]))
            topic = draw(st.sampled_from([topic, topic, "", f"{topic}/x", topic.rpartition("/")[0]]))
            found[at] = (topic, draw(_how(how, payload)))
        return found

    return messages()


def _how(how: Callable[[bytes], st.SearchStrategy[bytes]], payload: bytes) -> st.SearchStrategy[bytes]:
    try:
        parse(payload)
    except EXPECTED:
        return mutated_bytes(payload)
    return how(payload)


def rows_of(document: str) -> list[list[str]]:
    """The cells of a document's table."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in document.splitlines()
        if line.startswith("| `")
    ]


@each_format
def test_the_formats_own_messages_are_understood_whole(name: FormatName) -> None:
    items = read(name, MESSAGES[name])
    assert items
    assert all(holds(item) and not isinstance(item, Refusal) for item in items)


def _fuzz(name: FormatName, payloads: int) -> None:
    @settings(max_examples=payloads, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutated(name))
    def nothing_is_raised(messages: list[tuple[str, bytes]]) -> None:
        assert all(holds(item) for item in read(name, messages))

    nothing_is_raised()


@each_format
def test_no_mutated_payload_does_worse_than_being_refused(name: FormatName) -> None:
    _fuzz(name, 100)


@pytest.mark.long
@pytest.mark.timeout(900)
@each_format
def test_no_payload_of_10_000_mutated_ones_does_worse_than_being_refused(name: FormatName) -> None:
    _fuzz(name, 10_000)


@each_format
@given(payload=st.binary(max_size=200))
@settings(max_examples=50, database=None)
def test_no_bytes_do_worse_than_being_refused(name: FormatName, payload: bytes) -> None:
    assert all(holds(item) for item in read(name, [("", payload)]))


def test_every_format_that_is_named_can_be_made() -> None:
    assert set(formats.READERS) == set(FORMATS) == set(MESSAGES)


# --- what docs/formats.md says

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"
ROWS = {row[0].split()[0].strip("`"): row for row in rows_of(DOCUMENT.read_text())}


@each_format
def test_what_is_refused_is_refused_for_the_reason_that_the_document_gives(name: FormatName) -> None:
    for topic, payload, words in REFUSED[name]:
        documented, _, said = words.partition("|")
        assert documented in ROWS[name][2], words
        items = read(name, [(topic, payload)])
        reasons = [item.reason for item in items if isinstance(item, Refusal)]
        assert reasons
        assert all((said or documented) in reason for reason in reasons), reasons


def test_the_document_has_every_format_and_no_other() -> None:
    assert set(ROWS) == set(FORMATS) == set(REFUSED)


@each_format
def test_every_sample_that_the_document_names_is_tested(name: FormatName) -> None:
    known = (
        {sample: of for sample, (of, *_) in DATA.items()}
        | NO_DATA
        | {s: of for s, (of, _) in SAMPLES_REFUSED.items()}
        | dict.fromkeys(MIXED, "cloudevents")
    )
    for pattern in re.findall(r"`(\w+/[^`]+)`", ROWS[name][3]):
        tested = [sample for sample in known if fnmatch(sample, pattern)]
        assert tested, pattern
        assert name == "senml" or {known[sample] for sample in tested} == {name}, pattern
