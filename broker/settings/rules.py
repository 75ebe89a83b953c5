"""What the operator asks of those who share and use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from broker import times
from broker.settings.forms import Duration, Group
from broker.signup import Mode


@dataclass(frozen=True, slots=True)
class HouseRules:
    """What the operator asks of those who share and use."""

    justify_purposes: bool = False
    webhook_loopback: bool = False
    webhook_retry_ns: int = 5 * times.SECOND
    signup: Mode = "automatic"
    signup_criteria: tuple[str, ...] = ()
    signup_unused_ns: int = 30 * times.DAY


class RuleSettings(Group):
    """The same as settings, and how promptly people are told."""

    notice_before: Duration = "P7D"
    """How long before an agreement ends by itself its application is told."""
    checkpoint_every: Duration = "PT1H"
    """How often the ledger is signed by itself: whoever rewrites it can at most have an hour that nobody holds a signature of. An
    export is always signed to its end."""
    disconnect_at_end: bool = False
    """Whether an application's connections are ended when an agreement of its ends, pauses or has had its quota: Mosquitto decides at each message that is
    published, and sends one that reads slowly what was published before, until all of it is read. Its clients must subscribe again by
    themselves when they were disconnected."""
    justify_purposes: bool = False
    """Whether terms may restrict purposes only with a published justification, as public-data law asks of public bodies."""
    signup: Mode = "automatic"
    """Whether `POST /api/v1/signup` makes an organisation at once, by published `criteria` that you decide on, or not at all."""
    signup_criteria: tuple[str, ...] = ()
    """What sign-ups are decided by: a JSON list of sentences, public."""
    signup_per_hour: Annotated[int, Field(ge=1)] = 5
    """Sign-ups from one address: enough for a class in one room to share an afternoon, too few to fill the registry."""
    signup_unused: Duration = "P30D"
    """When what nobody decided, or nobody used, ends by itself."""
    webhook_loopback: bool = False
    """Whether webhooks may go to this machine, without TLS too: for tests, and for an operator's own programs."""
    webhook_retry: Duration = "PT5S"
    """How long after a first attempt that failed a webhook is tried again. Each pause is six times the one before, seven attempts
    in all: half a day, as Standard Webhooks recommends."""

    @model_validator(mode="after")
    def _criteria_are_published(self) -> Self:
        if (self.signup == "criteria") != bool(self.signup_criteria):
            raise ValueError("expected MITOYEN_SIGNUP_CRITERIA with MITOYEN_SIGNUP=criteria, and only then")
        return self

    @property
    def notice_before_ns(self) -> int:
        return times.parse_duration(self.notice_before)

    @property
    def checkpoint_every_ns(self) -> int:
        return times.parse_duration(self.checkpoint_every)

    @property
    def house_rules(self) -> HouseRules:
        retry = times.parse_duration(self.webhook_retry)
        return HouseRules(
            self.justify_purposes,
            self.webhook_loopback,
            retry,
            self.signup,
            self.signup_criteria,
            times.parse_duration(self.signup_unused),
        )
