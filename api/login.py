"""How an MQTT client logs in, as it is shown once."""

from __future__ import annotations

from api import forms, hardware
from api.services import Services, client_prefix
from broker import topics
from broker.model import Gateway
from broker.partition import spread


def login(with_: Services, organisation: str, username: str, password: str) -> forms.Mqtt:
    """Where an organisation's own clients are to connect: of several Mosquittos, which all know them, to one."""
    host, port = with_.mqtt_addresses[spread(organisation, len(with_.mqtt_addresses))]
    return forms.Mqtt(
        host=with_.mqtt_host or host,
        port=port,
        username=username,
        password=password,
        client_id_prefix=client_prefix(username, password),
        also=[
            forms.AlsoAt(
                url=f"{_SCHEMES[one.kind]}://{with_.mqtt_host or one.host}:{one.port}", certificate=one.kind == "mtls"
            )
            for one in with_.listeners[1:]
        ],
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
    """Every place where applications may connect, as URLs, the plain one first."""
    return [f"{_SCHEMES[one.kind]}://{with_.mqtt_host or one.host}:{one.port}" for one in with_.listeners]


_SCHEMES = {"mqtt": "mqtt", "mqtts": "mqtts", "mtls": "mqtts", "ws": "ws", "wss": "wss"}
