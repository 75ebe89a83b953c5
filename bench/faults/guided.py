"""Payloads of one format, found by which branches they take: `python -m bench.faults.guided FORMAT [options of libFuzzer] FOLDER`.

The first byte chooses a topic of those that the format's own messages have, the rest is the payload. Ends with 0, or with what a payload did to it.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["gateways", "broker"]):
    from tests.payloads import MESSAGES
    from tests.understood import holds, read


def main() -> None:
    name = sys.argv.pop(1)
    messages = MESSAGES[name]  # type: ignore[index]  # a format's name, or it ends here

    def one(data: bytes) -> None:
        topic, _ = messages[data[0] % len(messages) if data else 0]
        assert all(holds(item) for item in read(name, [(topic, data[1:])]))  # type: ignore[arg-type]  # as above

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
