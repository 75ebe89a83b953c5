"""Every MQTT topic that Mitoyen uses, in one place. Pure.

Identifiers have no `/`, `+` or `#`, so names can be put together and taken apart by level.
"""

from __future__ import annotations

from typing import NamedTuple

EVERY_INPUT = "in/#"
MARK = "in/~"
"""What the ingester sends to itself, to know that it has all that Mosquitto took before. No organisation is called `~`."""
EVERY_FRAME = "frame/#"
EVERY_LIVE = "live/#"
EVERY_RECEIPT = "ack/#"
EVERY_STATUS = "status/#"
EVERY_NOTICE = "notices/#"
EVERY_THING = "v1.1/#"
OBSERVATIONS = "v1.1/Observations"
"""SensorThings' own topics (18-088, 14.2.1): of all that anyone may read,"""
OBSERVATIONS_OF_ANY = "v1.1/+/Observations"
"""a filter of those of each of its Datastreams."""
PRESENCE = "~"
"""In the place of a datastream: whether the gateway itself is there. No datastream is called so."""
ANY = "+"
"""Any one level, in a filter."""
CONTROL = "$CONTROL/dynamic-security/v1"
CONTROL_RESPONSE = CONTROL + "/response"
DROPPED = "$SYS/broker/publish/messages/dropped"
"""What Mosquitto has dropped since it started, of all clients whose queues were full."""


class Source(NamedTuple):
    """Where a message came in."""

    organisation: str
    gateway: str
    datastream: str
    """Or, of a gateway that speaks a device's own format, the device's topic, of several levels."""


def frame(organisation: str, gateway: str, datastream: str) -> str:
    """Where a camera's frames come in."""
    return f"frame/{organisation}/{gateway}/{datastream}"


def frames_of_gateway(organisation: str, gateway: str) -> str:
    return f"frame/{organisation}/{gateway}/#"


def mark(partition: int) -> str:
    """The same of whoever takes in for one partition of several."""
    return f"{MARK}/{partition}"


def input_of_organisation(organisation: str) -> str:
    """All that its gateways publish."""
    return f"in/{organisation}/#"


def live(organisation: str, offer: str, datastream: str) -> str:
    return f"live/{organisation}/{offer}/{datastream}"


def live_of_offer(organisation: str, offer: str) -> str:
    """All releases of an offer: one agreement is this one rule."""
    return f"live/{organisation}/{offer}/+"


def siblings(topic: str) -> str:
    """The filter of all topics that differ in the last level alone."""
    return f"{topic.rpartition('/')[0]}/{ANY}"


def input_of_gateway(organisation: str, gateway: str) -> str:
    return f"in/{organisation}/{gateway}/#"


def input_template(organisation: str, gateway: str) -> str:
    """What an owner is told: `{datastream}` stays to be filled in."""
    return f"in/{organisation}/{gateway}/{{datastream}}"


def foreign_template(organisation: str, gateway: str) -> str:
    """The same for a gateway that speaks a device's own format: `{topic}` is the device's."""
    return f"in/{organisation}/{gateway}/{{topic}}"


def receipts(organisation: str, gateway: str) -> str:
    return f"ack/{organisation}/{gateway}"


def presence(organisation: str, gateway: str) -> str:
    """Where a gateway's last will goes."""
    return f"in/{organisation}/{gateway}/{PRESENCE}"


def status(organisation: str, offer: str, datastream: str) -> str:
    """Whether a release is live, silent or withheld, and why."""
    return f"status/{organisation}/{offer}/{datastream}"


def status_of_offer(organisation: str, offer: str) -> str:
    return f"status/{organisation}/{offer}/+"


def status_of_gateway(organisation: str, gateway: str) -> str:
    """Whether a gateway is live or silent, for its owner."""
    return f"status/{organisation}/{gateway}"


def status_of_gateways(organisation: str) -> str:
    return f"status/{organisation}/+"


def notices(application: str) -> str:
    """What an application is told about its agreements."""
    return f"notices/{application}"


def observations(datastream: int) -> str:
    """Of the Datastream with this id, which anyone may read."""
    return f"v1.1/Datastreams({datastream})/Observations"


def source(topic: str) -> Source | None:
    """The parts of `in/{organisation}/{gateway}/{datastream}`, or `frame/…`, or None if it is neither."""
    levels = topic.split("/", 3)
    return Source(*levels[1:]) if len(levels) == 4 and levels[0] in ("in", "frame") else None  # noqa: PLR2004 - as the form above
