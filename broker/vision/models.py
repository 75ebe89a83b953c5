"""The networks: which files they are, whether they are the right ones, and opening them with onnxruntime.

They are taken out of packages on PyPI that were pinned by their hash (`scripts/models`), at set-up: nothing is fetched when Mitoyen runs, and
a file that is missing or is not exactly the one that was measured is an error. Why these: `docs/decisions/0006-cameras.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import onnxruntime

from broker.errors import Unavailable
from broker.vision import faces, onnx


class File(NamedTuple):
    name: str
    sha256: str
    setup: str = "run"
    """With which argument `scripts/setup` fetches it."""


FACES = File("centerface.onnx", "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc")
PLATES = File("clp_det.onnx", "1bb07d364ba3b1cca8c27176d3ea6b5997b6264dea8c9304e092c618b112d5f0")
TEXT = File("ch_PP-OCRv4_det_infer.onnx", "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9")
FILES = (FACES, PLATES, TEXT)
_ERRORS_ONLY = 3  # onnxruntime's severity: of these files it warns of weights that are not used


@dataclass(frozen=True, slots=True)
class Models:
    """Opened and ready."""

    faces: onnxruntime.InferenceSession
    plates: onnxruntime.InferenceSession
    text: onnxruntime.InferenceSession


def check(where: Path) -> None:
    """Raises Unavailable, with what to do, unless all files are there and are the right ones."""
    for file in FILES:
        read(where, file)


def open_(where: Path) -> Models:
    """Open all, each on one thread. Raises Unavailable."""
    return Models(
        _session(read(where, FACES), lambda model: onnx.flexible(model, faces.INPUT)),
        _session(read(where, PLATES)),
        _session(read(where, TEXT)),
    )


def read(where: Path, file: File) -> bytes:
    """A file's content. Raises Unavailable if it is not exactly the one that is meant."""
    try:
        content = (where / file.name).read_bytes()
    except OSError as error:
        raise Unavailable(
            f"no model {file.name} in {where}: `scripts/setup {file.setup}` fetches it, MITOYEN_MODELS names the folder"
        ) from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise Unavailable(
            f"{where / file.name} is not the model that was measured: remove it, and `scripts/setup {file.setup}` fetches it again"
        )
    return content


def _session(model: bytes, change: Callable[[bytes], bytes] = bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # one worker a core, so that none waits for another
    options.log_severity_level = _ERRORS_ONLY
    return onnxruntime.InferenceSession(change(model), options, providers=["CPUExecutionProvider"])
