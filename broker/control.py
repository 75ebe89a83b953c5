"""The narrow door between the broker and the HTTP side, and between parts of the broker: a few calls, each a JSON object.

It exists so that the process which serves the public holds neither raw data nor power over Mosquitto. What carries them, and
who can open it, is for `broker/transport/` to say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import msgspec

from broker.entry import Entry
from broker.meter import Delivered
from broker.model import FormatName

CAUGHT_UP_S = 0.5  # how long history waits for what is on its way before it says that it is behind
HELD_S = 3_600.0  # how long the journal is held for a backup: its largest file, an hour at 30 MB/s
PATIENCE_S = 15.0  # the longest that the broker may take to answer: Mosquitto's own patience and a little more
AUDIT_S = 40.0  # but to an audit, which it gives 25 s


class Changed(msgspec.Struct, tag="changed"):
    """The registry changed: follow it. Answered when the next delivery is decided by it."""

    passwords: dict[str, str] = {}
    """Of MQTT clients that are new, since only their hashes are kept."""


class Gateways(msgspec.Struct, tag="gateways"):
    """What is known of these gateways: a list of Presence, without those that were never heard."""

    organisation: str
    gateways: list[str]


class Refusals(msgspec.Struct, tag="refusals"):
    organisation: str
    gateway: str
    limit: int


class Suggested(msgspec.Struct, tag="suggested"):
    """What a gateway's devices say that no datastream takes: a list of Suggestion."""

    organisation: str
    gateway: str


class Decode(msgspec.Struct, tag="decode"):
    """What would be understood of this payload: {"items", "about"}."""

    organisation: str
    """Who asks."""
    format: FormatName
    topic: str
    payload: bytes
    zone: str


class HttpDelivered(msgspec.Struct, tag="delivered"):
    """This was answered over HTTP. Answered with the agreements that have had their quota."""

    what: list[Delivered]


class WindowsPublished(msgspec.Struct, tag="windows"):
    """The keeper published this: (offer, records, bytes)."""

    what: list[tuple[str, int, int]]


class FramesSeen(msgspec.Struct, tag="frames"):
    """What became of frames: the cameras' side tells what is to be kept for their owners."""

    entries: list[Entry]


class QuotaUsed(msgspec.Struct, tag="used"):
    """What agreements with a quota were delivered in its present period: {agreement: [records, bytes]}."""


class Usage(msgspec.Struct, tag="usage"):
    """The hours that begin in this time (ns), of an offer, an agreement or all: a list of Row."""

    start: int
    end: int
    offer: str | None = None
    agreement: str | None = None


class IssueCode(msgspec.Struct, tag="issue_code"):
    """A code for the bearer of a tag: bearers.Code."""

    organisation: str
    epc: str


class GiveConsent(msgspec.Struct, tag="give_consent"):
    """Answered, when the next read is decided by it, with the next code."""

    epc: str
    code: str
    purposes: list[str]


class WithdrawConsent(msgspec.Struct, tag="withdraw_consent"):
    """Likewise."""

    epc: str
    code: str
    erase: bool


class TellHeld(msgspec.Struct, tag="tell_held"):
    """What is held of a tag: bearers.Held."""

    epc: str
    code: str


class TotalUsage(msgspec.Struct, tag="total"):
    """All that was ever counted, by offer and agreement: a list of Row."""


class Reconcile(msgspec.Struct, tag="reconcile"):
    """What became of every record: a Reconciled."""


class Reconciled(msgspec.Struct):
    """What was counted where; `broker/keeper/tally.py` says what adds up to what."""

    settled: bool
    """Whether all that was journalled is kept, so that the sums hold at this moment."""
    gateways: list[tuple[str, str, int, int]]
    """(organisation, gateway, records accepted, rejected)"""
    tallies: list[tuple[str, str, int]]
    """(stream, what became of them, records)"""
    waiting: list[tuple[str, int]]
    """(stream, records that wait for their window)"""


class Preview(msgspec.Struct, tag="preview"):
    """What an offer with this profile would show of a datastream of this organisation: a Previewed."""

    organisation: str
    datastream: str
    profile: str
    """As JSON."""
    start: int | None
    """Of what is looked at (ns). None: an hour before the end."""
    end: int | None
    """None: the newest that there is."""
    limit: int
    """Of observations that are answered, the newest."""


class Previewed(msgspec.Struct):
    """What whoever agreed to the offer would see."""

    refused: str = ""
    """Why nothing was looked at: a code; empty if it was."""
    past: list[msgspec.Raw] = []
    """Of history, were it offered now; each as it would be answered."""
    live: list[msgspec.Raw] = []
    """Had it been offered already: each as it would have been published."""
    retained: bool = False
    """Whether a newcomer hears the last of these at once: of personal data nothing, before the offer released any."""
    withheld: dict[str, int] | None = None
    """Of the past, by reason. None for personal data, of which only what would be released is told, as the next."""
    records: int | None = None
    """That were looked at."""
    start: int = 0
    end: int = 0
    complete: bool = True
    """Whether all of that time was looked at, and all that it shows is answered."""


class Audit(msgspec.Struct, tag="audit"):
    """What attacks would make of what a profile would show of datastreams of this organisation: an Audited."""

    organisation: str
    datastreams: list[str]
    profile: str
    """As JSON."""
    purposes: list[str]
    """That the offer would permit: whose names are shown depends on them."""
    days: int
    """The last, up to the newest record."""


class Attacked(msgspec.Struct):
    """What an attack achieved, as `broker/audit/finding.py` has it, and in words."""

    attack: str
    success: float | None
    chance: float | None
    raw: float | None
    tried: int
    sentence: str


class Audited(msgspec.Struct):
    """What attacks made of it."""

    refused: str = ""
    """Why nothing was attacked: a code; empty if it was."""
    detail: str = ""
    """Of that, or why there is nothing to attack."""
    attacks: list[Attacked] = []
    start: int = 0
    end: int = 0
    complete: bool = True
    """Whether all records of that time were attacked, and not the newest alone."""


class CaughtUp(msgspec.Struct, tag="caught_up"):
    """Whether everything that Mosquitto acknowledged before this call is kept, of an organisation or of all, and of these released streams
    no window waits that was due; the answer takes as long as that, or CAUGHT_UP_S.
    """

    organisation: str | None = None
    streams: tuple[str, ...] = ()


class TakenIn(msgspec.Struct, tag="taken_in"):
    """Asked of an edge: answered with the batch up to which it has journalled all of a partition that Mosquitto took before this call."""

    partition: int


class HoldJournal(msgspec.Struct, tag="hold"):
    """Trim nothing from the journal for HELD_S more: a backup is taken. Answered with the broker's process id, which tells whether it is
    still the one that holds it.
    """


class Sign(msgspec.Struct, tag="sign"):
    """Sign the ledger as it is. Answered with the Checkpoint."""


class Ready(msgspec.Struct, tag="ready"):
    """Whether messages are taken in and published."""


OwnersCall: TypeAlias = Gateways | Refusals | Preview | Audit | Suggested | Decode
MeterCall: TypeAlias = HttpDelivered | WindowsPublished | QuotaUsed | Usage | TotalUsage
BearerCall: TypeAlias = IssueCode | GiveConsent | WithdrawConsent | TellHeld
WorkersCall: TypeAlias = CaughtUp | HoldJournal | Ready | Reconcile | FramesSeen | OwnersCall | MeterCall
Call: TypeAlias = Changed | Sign | TakenIn | BearerCall | WorkersCall
Serve: TypeAlias = Callable[[Call], Awaitable[object]]


class Control(Protocol):
    """Whoever answers calls, for whoever asks: blocking, from any thread."""

    def call(self, what: Call, patience_s: float = PATIENCE_S) -> msgspec.Raw:
        """The answer's JSON. Raises Unavailable when nobody answers in time, or it can't be done, and Refused."""
        ...
