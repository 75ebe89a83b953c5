"""Showing how a payload would be read, before any device sends it."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from fastapi import APIRouter

from api import forms, hardware
from api.services import OfOrganisation, With
from broker.control import Decode
from broker.errors import Malformed
from broker.reading import About

router = APIRouter(prefix="/api/v1/decode", tags=["gateways"])


class _Decoded(msgspec.Struct):
    items: list[dict[str, Any]]
    about: list[About]


@router.post("")
def decode_payload(body: hardware.Payload, caller: OfOrganisation, with_: With) -> hardware.Decoded:
    """What a gateway would understand of a payload, and what it would refuse and why. Nothing is stored."""
    asked = Decode(caller.id, body.format, body.topic, _bytes(body), body.zone)
    found = msgspec.json.decode(with_.control.call(asked), type=_Decoded)
    about = [
        hardware.AboutShown(device=one.device, name=one.name, model=one.model, location=forms.geo_point(one.place))
        for one in found.about
    ]
    return hardware.Decoded(items=found.items, about=about)


def _bytes(body: hardware.Payload) -> bytes:
    if body.encoding is None:
        return body.payload.encode()
    try:
        return base64.b64decode(body.payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"payload: no base64 ({error})") from error
