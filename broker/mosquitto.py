"""Mosquitto as a child process: its configuration written, a left-over one dealt with, started and stopped."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import signal
import socket
import ssl
import string
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import structlog

from broker import authorisation
from broker.authorisation import Policy
from broker.errors import Malformed, Unavailable
from broker.model import MqttAccount
from broker.mqtt.codec import PINGREQ
from broker.private import write_private
from broker.settings.listeners import Listener
from broker.settings.settings import Settings

log = structlog.get_logger()

PLUGIN = "mosquitto_dynamic_security.so"
PATIENCE_S = 15  # starting loads what was persisted; stopping writes it: 256 MB of queue at worst
PAUSE_S = 0.02
LIVES_S = 5.0  # it has a queue of others to serve first
PACKET_KB = 64  # what of a packet may be beside its payload: topic and properties


def configuration() -> Path:
    """The repository's mosquitto.conf; in an installed wheel it lies beside this module."""
    here = Path(__file__).parent
    return next(path for path in (here.parent / "mosquitto.conf", here / "mosquitto.conf") if path.exists())


def plugin() -> Path:
    """Where Debian and others put the dynamic security plugin. Raises Unavailable."""
    for folder in (Path("/usr/lib"), Path("/usr/local/lib"), Path("/usr/lib64")):
        for found in (*folder.glob(PLUGIN), *folder.glob(f"*/{PLUGIN}")):
            return found
    raise Unavailable(f"{PLUGIN} is not installed: it comes with Mosquitto 2 (Debian's package mosquitto)")


def write(
    folder: Path,
    settings: Settings,
    policy: Policy,
    accounts: Iterable[MqttAccount],
    listeners: Iterable[Listener],
) -> Path:
    """Write configuration and access rules; returns the configuration's path. Raises Malformed."""
    check_tls(settings)
    values = {
        "listeners": "\n".join(_listener(listener, settings) for listener in listeners),
        "home": folder,
        "user": getpass.getuser(),
        "plugin": plugin(),
        "queue_bytes": settings.queue_mb << 20,
        "in_flight_bytes": settings.queue_mb << 18,
        "message_bytes": settings.mqtt_message_kb << 10,
        "packet_bytes": (settings.mqtt_message_kb + PACKET_KB) << 10,
    }
    path = folder / "mosquitto.conf"
    path.write_text(string.Template(configuration().read_text()).substitute(values))
    rules = authorisation.document(policy, accounts)
    write_private(folder / "dynamic-security.json", json.dumps(rules).encode())
    return path


def check_tls(settings: Settings) -> None:
    """Whether what TLS needs is there and fits together, before anything is started. Raises Malformed."""
    secured = [listener for of in settings.listeners for listener in of if listener.tls]
    if not secured:
        return
    if settings.tls_certificate is None or settings.tls_key is None:
        raise Malformed(
            "TLS needs MITOYEN_TLS_CERTIFICATE and MITOYEN_TLS_KEY; for a trial, `mitoyen certificates` makes them"
        )
    if any(listener.kind == "mtls" for listener in secured) and settings.tls_client_ca is None:
        raise Malformed("client certificates are checked against MITOYEN_TLS_CLIENT_CA: name it")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        server.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise Malformed(
            f"{settings.tls_certificate}, {settings.tls_key}: no certificate and its key in PEM: {error}"
        ) from error
    if settings.tls_client_ca is not None:
        try:
            server.load_verify_locations(settings.tls_client_ca)
        except (OSError, ssl.SSLError) as error:
            raise Malformed(f"{settings.tls_client_ca}: no certificates of authorities in PEM: {error}") from error


def _listener(listener: Listener, settings: Settings) -> str:
    lines = [f"listener {listener.port} {listener.host}"]
    if listener.kind != "mqtt" or listener.mount:
        lines.append(f"max_connections {settings.mqtt_connections}")
    if listener.websockets:
        lines.append("protocol websockets")
    if listener.tls:
        lines += [f"certfile {settings.tls_certificate}", f"keyfile {settings.tls_key}", "tls_version tlsv1.2"]
    if listener.kind == "mtls":
        lines += [f"cafile {settings.tls_client_ca}", "require_certificate true"]
    if listener.mount:
        lines.append(f"mount_point {listener.mount}")
    return "\n".join(lines)


def end_left_over(folder: Path) -> bool:
    """Stop a Mosquitto that a crash left running in this home, so that it writes down what it holds; whether there was one."""
    pid = left_over(folder)
    if pid is None:
        return False
    log.warning("mosquitto_left_over", pid=pid)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        os.kill(pid, sign)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if left_over(folder) is None:
                return True
            time.sleep(PAUSE_S)
    raise Unavailable(f"Mosquitto {pid}, left over from a crash, can't be stopped")


def left_over(folder: Path) -> int | None:
    """The process id of a Mosquitto that runs from this folder, or None. A number that was given anew is not taken for one."""
    try:
        pid = int((folder / "mosquitto.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return pid if str(folder / "mosquitto.conf").encode() in command and state != "Z" else None


def keep_sessions(folder: Path) -> None:
    """Have Mosquitto write down now who is subscribed. Killed before it does so by itself, it would come back without our
    session, and acknowledge and forget what is published until we subscribe again. Mosquitto's SIGUSR1.
    """
    pid = left_over(folder)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)


async def start(program: str, conf: Path, listeners: Iterable[Listener]) -> asyncio.subprocess.Process:
    """Start Mosquitto and wait until it answers. Raises Unavailable with what it said if it does not."""
    waiting = {(listener.host, listener.port) for listener in listeners}
    for host, port in waiting:
        if _answers((host, port)):
            raise Unavailable(f"something else listens at {host}:{port} already: choose another address for MQTT")
    with (conf.parent / "mosquitto.log").open("ab") as output:
        output.truncate(0)
        try:
            # a session of its own: Ctrl-C is for the supervisor, which stops its children in order
            child = await asyncio.create_subprocess_exec(
                program,
                "-c",
                str(conf),
                stdout=output,
                stderr=output,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise Unavailable(f"{program} is not installed (Debian's package mosquitto)") from error
    end = time.monotonic() + PATIENCE_S
    while waiting := {address for address in waiting if not _answers(address)}:
        if child.returncode is not None or time.monotonic() > end:
            said = (conf.parent / "mosquitto.log").read_text(errors="replace")[-500:]
            await _end(child)
            raise Unavailable(f"Mosquitto did not start: {said}")
        await asyncio.sleep(PAUSE_S)
    return child


async def lives(address: tuple[str, int]) -> bool:
    """Whether it does anything with what it is sent: a PINGREQ before a CONNECT, for which it hangs up (MQTT 5, 3.1). A connection alone
    is made by the system.
    """
    with suppress(OSError):  # TimeoutError is one
        async with asyncio.timeout(LIVES_S):
            reader, writer = await asyncio.open_connection(*address)
            try:
                writer.write(PINGREQ)
                with suppress(ConnectionResetError):
                    await reader.read()
            finally:
                writer.close()
        return True
    return False


async def _end(child: asyncio.subprocess.Process) -> None:
    """It would keep the address from whoever is started next."""
    with suppress(ProcessLookupError):
        child.kill()
    await child.wait()


def _answers(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=1):
            return True
    except OSError:
        return False
