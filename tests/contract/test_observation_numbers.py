"""Numbers of observations are given by threads that a stopping process does not wait for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# a process of its own: sqlite3 of CPython 3.11 calls what is no more when a connection is closed while another thread uses it
CLOSED_AMID = """
import sys
import threading
from itertools import count
from pathlib import Path
from api.sensorthings.numbered import Numbers
from broker.errors import StoreUnavailable

told = []

def ask(numbers, begun, first):
    begun.set()
    for time in count(first, 4):
        try:
            numbers.of(1, [(time * 1_000 + 1, "key")])
            numbers.place(1, time)
        except StoreUnavailable as error:
            return told.append(error)

for turn in range(30):
    numbers = Numbers(Path(sys.argv[1]))
    begun = [threading.Event() for _ in range(4)]
    asking = [threading.Thread(target=ask, args=(numbers, one, first)) for first, one in enumerate(begun)]
    for thread in asking:
        thread.start()
    for one in begun:
        one.wait()
    numbers.close()
    for thread in asking:
        thread.join()
print(len(told))
"""


def test_whoever_asks_for_numbers_while_they_are_closed_is_told_that_they_are(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", CLOSED_AMID, str(tmp_path / "observations.sqlite")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "120\n"), ended.stderr
