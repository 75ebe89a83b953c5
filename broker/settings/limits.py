"""How much is taken, from whom, and how long anything may take; and how long it is waited for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from broker import times
from broker.settings.forms import Duration, Group


class LimitSettings(Group):
    """Bounds, each with its reason."""

    ahead: Duration = "PT5M"
    """How far a record's time may lie ahead of ours: clocks without NTP drift by minutes, not by hours."""
    lateness: Duration = "PT20S"
    """How long after a window's end its records are waited for: a gateway's retry, and well within the minute in which a
    window is to be released."""
    silent_after: Duration = "PT10M"
    """How long a gateway or a datastream may say nothing before it counts as silent: most sensors speak every few minutes."""
    hangs_after: Duration = "PT1M"
    """How long a part may say nothing before it is killed and started again: Mosquitto writes 256 MB of queue within this."""
    batch_records: Annotated[int, Field(ge=1, le=1_000_000)] = 5_000
    """Records that are journalled at the latest together: 1 MB, and 30 ms of work."""
    batch_delay_ms: Annotated[float, Field(ge=0, le=1_000)] = 1.0
    """How long a message waits for company before it is journalled: a commit costs 0.5 ms, so at 2,000 messages/s this saves
    two thirds of them."""
    journal_limit_mb: Annotated[int, Field(ge=16)] = 4_096
    """When the journal holds this much, nothing more is acknowledged: a day of a city's 1,000 records/s."""
    requests_per_key: Annotated[float, Field(gt=0)] = 200
    """Calls a second with one key, ten times as many at once: a notebook that pages through history asks 20 times a second, and
    ten of them may share a key."""
    requests_per_address: Annotated[float, Field(gt=0)] = 1_000
    """Calls a second from one address, with any key or none: an office or a proxy with five such keys. More than two cores answer."""
    wrong_keys: Annotated[int, Field(ge=1)] = 1_000
    """Calls a minute with wrong keys from one address; then no key from there is looked at until it pauses. Nobody guesses 256 random
    bits, so this bounds what trying costs: a second's work a minute."""
    trusted_proxies: str | None = None
    """Addresses, with commas between them, of proxies that are believed when they say whom they call for (X-Forwarded-For)."""
    http_connections: Annotated[int, Field(ge=1)] = 10_000
    """Connections to HTTP at once, streams included: each costs some 20 KB and a file descriptor. More are answered 503 and closed."""
    http_head_kb: Annotated[int, Field(ge=1)] = 64
    """What a request's address and headers may have, as other servers take it."""
    http_body_mb: Annotated[int, Field(ge=1)] = 4
    """What its body may have: an offer of 10,000 datastreams has 1 MB, a payload that is tried out 2."""
    http_within_s: Annotated[float, Field(gt=0)] = 30.0
    """How long its head, and then its body, may take to arrive: 4 MB by a bad mobile connection."""
    mqtt_connections: Annotated[int, Field(ge=1)] = 10_000
    """Connections to each of the listeners but `mqtt`, which the broker itself needs: a flood there leaves this one free, and
    each costs Mosquitto some 10 KB and a file descriptor. Mosquitto 2.0 does not count WebSockets."""
    mqtt_message_kb: Annotated[int, Field(ge=64, le=262_143)] = 2_048
    """The largest message on any listener: a pack of 10,000 records, or a camera's frame (`picture_max_mb`)."""
    queue_mb: Annotated[int, Field(ge=1)] = 256
    """What Mosquitto holds in memory for one client that does not fetch it, and a quarter more that is in flight."""
    camera_workers: Annotated[int, Field(ge=1, le=256)] | None = None
    """Processes that look at cameras' frames, one picture each at a time; left out: one a core. They step aside for everything else."""
    frame_timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """A frame that takes longer is not released: a large one takes some 5 s on a busy machine."""

    @property
    def ahead_ns(self) -> int:
        return times.parse_duration(self.ahead)

    @property
    def lateness_ns(self) -> int:
        return times.parse_duration(self.lateness)

    @property
    def silent_after_ns(self) -> int:
        return times.parse_duration(self.silent_after)

    @property
    def hangs_after_s(self) -> float:
        return times.parse_duration(self.hangs_after) / times.SECOND
