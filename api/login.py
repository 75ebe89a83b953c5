"""How an MQTT client logs in, as it is shown once."""

from __future__ import annotations

from api import forms, hardware
from api.services import Services, client_prefix
from broker import topics
from broker.model import Gateway
from broker.partition import spread
from broker.settings.listeners import Listener


def login(with_: Services, organisation: str, username: str, password: str) -> forms.Mqtt:
    """Where an organisation's own clients are to connect: of several Mosquittos to one, the only one that lets its applications in."""
    plain, *others = with_.listeners[spread(organisation, len(with_.listeners))]
    return forms.Mqtt(
        host=plain.host,
        port=plain.port,
        username=username,
        password=password,
        client_id_prefix=client_prefix(username, password),
        also=[forms.AlsoAt(url=_url(one), certificate=one.kind == "mtls") for one in others],
    )


def gateway_login(with_: Services, gateway: Gateway, username: str, password: str) -> hardware.GatewayMqtt:
    """The same with where a gateway publishes."""
    template = topics.input_template if gateway.format == "json" else topics.foreign_template
    return hardware.GatewayMqtt(
        **login(with_, gateway.organisation, username, password).model_dump(),
        topic=template(gateway.organisation, gateway.id),
        will_topic=topics.presence(gateway.organisation, gateway.id),
    )


def endpoints(with_: Services) -> list[str]:
    """Every place where applications may connect, as URLs, of each Mosquitto the plain one first."""
    return [_url(one) for of in with_.listeners for one in of]


def _url(listener: Listener) -> str:
    return f"{_SCHEMES[listener.kind]}://{listener.host}:{listener.port}"


_SCHEMES = {"mqtt": "mqtt", "mqtts": "mqtts", "mtls": "mqtts", "ws": "ws", "wss": "wss"}
