"""What a simulation file may say of times, and what it may ask to go wrong. Checked by pydantic before anything is played."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from broker.errors import Malformed
from broker.times import MINUTE, parse, parse_duration
from simulators.faults import BREAKS, Break


def _duration(value: object) -> int:
    if value in ("PT0S", 0):
        return 0
    if not isinstance(value, str):
        raise ValueError("expected an ISO 8601 duration, such as PT30M")  # noqa: TRY004 - for pydantic
    try:
        return parse_duration(value)
    except Malformed as error:
        raise ValueError(str(error)) from error


def _moment(value: object) -> int:
    if isinstance(value, dt.datetime):  # YAML reads times; without a zone it means UTC
        value = (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).isoformat()
    if not isinstance(value, str):
        raise ValueError("expected RFC 3339 with a zone, such as 2026-11-23T07:00:00Z")  # noqa: TRY004 - for pydantic
    try:
        return parse(value)
    except Malformed as error:
        raise ValueError(str(error)) from error


def _zone(value: str) -> str:
    try:
        zone_of(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone {value!r} is known here; expected one such as Europe/Paris") from error
    return value


def zone_of(name: str) -> dt.tzinfo:
    return dt.UTC if name == "UTC" else ZoneInfo(name)  # a machine may have no table of zones


Id = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,63}$")]
Duration = Annotated[int, BeforeValidator(_duration)]
"""Written as ISO 8601, held in nanoseconds."""
Moment = Annotated[int, BeforeValidator(_moment)]
"""Written as RFC 3339, held in nanoseconds since 1970."""
Span = Annotated[Duration, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Zone = Annotated[str, AfterValidator(_zone)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spells(Strict):
    """A fault that lasts."""

    rate: Rate = Field(description="share of the time")
    lasting: Span = Field(10 * MINUTE, description="length of a spell (ISO 8601); two may follow one another")


class Skew(Spells):
    """A gateway's clock that is wrong; all its records then carry its time."""

    by: tuple[Span, ...] = Field(
        (2 * MINUTE,),
        min_length=1,
        description="by how much, ahead or behind, for each spell one of these; the broker refuses what is"
        " more than five minutes ahead of it",
    )


class Later(Strict):
    """A fault of single records, which leave (once more) later."""

    rate: Rate = Field(description="share of the records")
    up_to: Span = Field(5 * MINUTE, description="how much later at most (ISO 8601)")


class Sometimes(Strict):
    """A fault of single records, or of single nights."""

    rate: Rate = Field(description="share of the records, or of the nights")


class Broken(Strict):
    """Records that the broker must refuse."""

    rate: Rate = Field(description="share of the records")
    kinds: tuple[Break, ...] = Field(BREAKS, min_length=1, description="each as likely as the others")


class Faults(Strict):
    """What goes wrong with the city's sensors; recordings are played as they are."""

    dropout: Spells | None = Field(None, description="a sensor is silent: its readings are lost")
    radio: Sometimes | None = Field(None, description="a record is not heard, and lost: each by itself")
    reboot: Spells | None = Field(
        None, description="a gateway is off: what its sensors read is lost; then it greets anew, as after a start"
    )
    stuck: Spells | None = Field(None, description="a measuring sensor repeats the first value of the spell")
    units: Sometimes | None = Field(
        None,
        description="a sensor's firmware is changed at 02:00 (UTC+1) and speaks in another unit until the next night: formats that"
        " name units name the new one, the others only say another number",
    )
    clock_skew: Skew | None = None
    duplicate: Later | None = Field(None, description="a record is sent a second time")
    out_of_order: Later | None = Field(None, description="a record leaves later than those after it")
    malformed: Broken | None = None
