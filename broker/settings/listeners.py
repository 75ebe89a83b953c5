"""Where Mosquitto and HTTP listen, and what others are told of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

from broker.settings.forms import Address, Group, Web, address, split


def _addresses(value: str) -> str:
    for one in value.split():
        address(one)
    return value


def _mounted(value: str) -> str:
    for one in value.split():
        place, _, below = one.partition("=")
        address(place)
        if not _GATEWAY.fullmatch(below):
            raise ValueError("expected HOST:PORT=ORGANISATION/GATEWAY, several separated by blanks")
    return value


_GATEWAY = re.compile(r"[a-z0-9_-]{1,63}/[a-z0-9_-]{1,63}")


class Listener(NamedTuple):
    """A place where Mosquitto listens."""

    kind: str
    """mqtt, mqtts, mtls, ws or wss."""
    host: str
    port: int
    mount: str = ""
    """What Mosquitto puts before every topic there."""

    @property
    def tls(self) -> bool:
        return self.kind in ("mqtts", "mtls", "wss")

    @property
    def websockets(self) -> bool:
        return self.kind in ("ws", "wss")


class ListenerSettings(Group):
    """Addresses, and the certificates that are shown there."""

    http: Address = "127.0.0.1:8080"
    mqtt: Address = "127.0.0.1:1883"
    edges: Annotated[str, AfterValidator(_addresses)] = ""
    """Where further Mosquittos listen, HOST:PORT, several separated by blanks: gateways and applications of an organisation are sent to one of
    them all. Each has a process of its own that takes in. Needs a journal on NATS."""
    mqtts: Address | None = None
    """Further places where Mosquitto listens: MQTT over TLS,"""
    mqtt_mtls: Address | None = None
    """over TLS for those alone who show a certificate of `tls_client_ca`, besides name and password,"""
    mqtt_ws: Address | None = None
    """over WebSockets,"""
    mqtt_wss: Address | None = None
    """over WebSockets and TLS."""
    mqtt_mounted: Annotated[str, AfterValidator(_mounted)] = ""
    """For devices that can't put anything before their topics: HOST:PORT=ORGANISATION/GATEWAY, several separated by blanks. What is
    published there goes below that gateway's topic; it logs in as everywhere."""
    tls_certificate: Path | None = None
    """The server's certificate with its chain, in PEM, for all of them;"""
    tls_key: Path | None = None
    """its key;"""
    tls_client_ca: Path | None = None
    """the authorities whose certificates gateways show."""
    mqtt_host: str | None = None
    """The name that gateways and applications are told to connect to; left out: what is listened on."""
    http_url: Web | None = None
    """The address that others reach HTTP at, such as https://broker.example, for links where nobody asked for them: in messages over
    MQTT. Left out: what is listened on."""

    @property
    def web_address(self) -> str:
        """Where others reach HTTP, without a slash at its end."""
        return self.http_url or f"http://{self.http}"

    @property
    def mqtt_address(self) -> tuple[str, int]:
        return split(self.mqtt)

    @property
    def mqtt_addresses(self) -> tuple[tuple[str, int], ...]:
        """The plain listener of each Mosquitto."""
        return (self.mqtt_address, *(split(one) for one in self.edges.split()))

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """All places where Mosquitto listens, the plain one first."""
        named = {
            "mqtt": self.mqtt,
            "mqtts": self.mqtts,
            "mtls": self.mqtt_mtls,
            "ws": self.mqtt_ws,
            "wss": self.mqtt_wss,
        }
        return tuple(Listener(kind, *split(address)) for kind, address in named.items() if address is not None)

    def listeners_of(self, mosquitto: int) -> tuple[Listener, ...]:
        """Where one of the Mosquittos listens: the first wherever it is set, the others for plain MQTT at one address each."""
        if mosquitto == 0:
            return (*self.listeners, *self.mounted)
        return (Listener("mqtt", *self.mqtt_addresses[mosquitto]),)

    @property
    def mounted(self) -> tuple[Listener, ...]:
        """Places where Mosquitto listens for one gateway each."""
        pairs = [one.split("=") for one in self.mqtt_mounted.split()]
        return tuple(Listener("mqtt", *split(address), mount=f"in/{below}/") for address, below in pairs)

    @property
    def http_address(self) -> tuple[str, int]:
        return split(self.http)
