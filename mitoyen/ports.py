"""Ports that nobody listens on."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress


def free_ports(count: int) -> list[int]:
    """So many on the loopback address; asked for together, so that no two are the same.

    They lie below those that Linux gives to clients, one of which could else be given away before its server is there.
    """
    sockets: list[socket.socket] = []
    while len(sockets) < count:
        with suppress(OSError):
            sockets.append(socket.create_server(("127.0.0.1", 16_000 + secrets.randbelow(16_000))))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
