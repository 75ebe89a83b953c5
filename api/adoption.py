"""From what a device says to the datastreams that its owner makes of it with one call. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from broker.errors import NotFound
from broker.model import Datastream, OrganisationId, Origin
from broker.place import Place
from broker.suggestions import Suggestion

LONGEST_ID = 63
_OTHER = re.compile(r"[^a-z0-9_]+")


def chosen(suggested: Sequence[Suggestion], device: str, properties: Collection[str] | None) -> list[Suggestion]:
    """What is suggested of a device, all of it or these properties. Raises NotFound for what it did not say."""
    of_device = {one.property: one for one in suggested if one.device == device}
    if not of_device:
        raise NotFound(f"device {device!r}: nothing is suggested of it")
    if unknown := sorted(set(properties or ()) - of_device.keys()):
        raise NotFound(f"device {device!r}: it has not said {', '.join(unknown)}, or a datastream takes it already")
    return [one for name, one in of_device.items() if properties is None or name in properties]


def datastream(
    of: Suggestion,
    organisation: str,
    gateway: str,
    taken: Collection[str],
    *,
    place: Place | None,
    theme: str | None,
    personal_data: bool | None,
    asset_prefixes: Sequence[str],
    smooth: str | None,
) -> Datastream:
    """The datastream that takes it, under an id that none of `taken` is. `place`: in place of what the device says of where it stands."""
    said = Place(of.longitude, of.latitude) if of.longitude is not None and of.latitude is not None else None
    return Datastream(
        organisation=OrganisationId(organisation),
        id=free_id(of.device, of.property, taken),
        gateway=gateway,
        kind=of.kind,
        observed_property=of.property if of.kind == "measurement" else None,
        unit=of.unit if of.unit_known else None,
        place=place or said,
        theme=theme,
        personal_data=of.kind == "rfid" if personal_data is None else personal_data,
        asset_prefixes=tuple(asset_prefixes) if of.kind == "rfid" else (),
        description=", ".join(filter(None, (of.name, of.model))) or None,
        origin=Origin(of.device, of.property),
        smooth=smooth if of.kind == "rfid" else None,
    )


def free_id(device: str, observed: str, taken: Collection[str]) -> str:
    """An id that reads like device and property, and that none of `taken` is."""
    name = _OTHER.sub("-", f"{device} {observed}".lower()).strip("-") or "datastream"
    candidate, number = name[:LONGEST_ID].strip("-"), 1
    while candidate in taken:
        number += 1
        candidate = f"{name[: LONGEST_ID - len(str(number)) - 1].strip('-')}-{number}"
    return candidate
