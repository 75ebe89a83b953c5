"""Where Mosquitto and HTTP listen, and what others are told of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, model_validator

from broker.partition import spread
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


Addresses = Annotated[str, AfterValidator(_addresses)]


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
    edges: Addresses = ""
    """Where further Mosquittos listen, HOST:PORT, several separated by blanks: gateways and applications of an organisation are sent to one of
    them all. Each has a process of its own that takes in. Needs a journal on NATS."""
    mqtts: Addresses | None = None
    """Further places where Mosquitto listens, of several one each in the order of `mqtt` and `edges`, separated by blanks: MQTT over TLS,"""
    mqtt_mtls: Addresses | None = None
    """over TLS for those alone who show a certificate of `tls_client_ca`, besides name and password,"""
    mqtt_ws: Addresses | None = None
    """over WebSockets,"""
    mqtt_wss: Addresses | None = None
    """over WebSockets and TLS."""
    mqtt_mounted: Annotated[str, AfterValidator(_mounted)] = ""
    """For devices that can't put anything before their topics: HOST:PORT=ORGANISATION/GATEWAY, several separated by blanks. What is
    published there goes below that gateway's topic; it logs in as everywhere. Of several Mosquittos it is its organisation's."""
    tls_certificate: Path | None = None
    """The server's certificate with its chain, in PEM, for all of them;"""
    tls_key: Path | None = None
    """its key;"""
    tls_client_ca: Path | None = None
    """the authorities whose certificates gateways show."""
    mqtt_host: str | None = None
    """The name that gateways and applications are told to connect to; left out: what is listened on. Of several Mosquittos one for all, or one
    each, separated by blanks."""
    http_url: Web | None = None
    """The address that others reach HTTP at, such as https://broker.example, for links where nobody asked for them: in messages over
    MQTT. Left out: what is listened on."""

    @model_validator(mode="after")
    def _listeners_have_a_mosquitto(self) -> Self:
        for name, at in {**self._listening, "mqtt_host": self.mqtt_host}.items():
            if at is not None and len(at.split()) > len(self.mqtt_addresses):
                raise ValueError(f"{name}: more than there are Mosquittos, in mqtt and edges")
        return self

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
    def _listening(self) -> dict[str, str | None]:
        """What is set of listeners, by kind."""
        plain = f"{self.mqtt} {self.edges}"
        return {"mqtt": plain, "mqtts": self.mqtts, "mtls": self.mqtt_mtls, "ws": self.mqtt_ws, "wss": self.mqtt_wss}

    @property
    def listeners(self) -> tuple[tuple[Listener, ...], ...]:
        """Where anyone may connect to each of the Mosquittos, the plain place first."""
        by_kind = [(kind, addresses.split()) for kind, addresses in self._listening.items() if addresses is not None]
        return tuple(
            tuple(Listener(kind, *split(addresses[number])) for kind, addresses in by_kind if number < len(addresses))
            for number in range(len(self.mqtt_addresses))
        )

    @property
    def told_listeners(self) -> tuple[tuple[Listener, ...], ...]:
        """The same, as gateways and applications are told it."""
        if self.mqtt_host is None:
            return self.listeners
        hosts = self.mqtt_host.split()
        return tuple(
            tuple(one._replace(host=hosts[min(number, len(hosts) - 1)]) for one in of)
            for number, of in enumerate(self.listeners)
        )

    def listeners_of(self, mosquitto: int) -> tuple[Listener, ...]:
        """All places where one of the Mosquittos listens, those for single gateways too."""
        return (*self.listeners[mosquitto], *self._for_one(mosquitto))

    def _for_one(self, mosquitto: int) -> list[Listener]:
        pairs = [one.split("=") for one in self.mqtt_mounted.split()]
        return [
            Listener("mqtt", *split(address), mount=f"in/{below}/")
            for address, below in pairs
            if spread(below.partition("/")[0], len(self.mqtt_addresses)) == mosquitto
        ]

    @property
    def http_address(self) -> tuple[str, int]:
        return split(self.http)
