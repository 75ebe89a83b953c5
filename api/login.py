"""How an MQTT client logs in, as it is shown once."""

from __future__ import annotations

from api import forms
from api.services import Services, client_prefix


def login(with_: Services, username: str, password: str) -> forms.Mqtt:
    host, port = with_.mqtt
    return forms.Mqtt(
        host=host, port=port, username=username, password=password, client_id_prefix=client_prefix(username, password)
    )
