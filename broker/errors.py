"""Everything that can be broken, in one tree. What is merely refused is a value, not an exception.

MitoyenError
├── Malformed         a text, time, duration or identifier is not what the interface says
├── Refused           a rule says no; carries a reason code
├── NotFound          what was named does not exist
it exists already, or is still in use
├── StoreUnavailable  a store did not answer, or answered that it can't now: try again later
├── StoreRejected     a store took a batch but for some points; they will not be taken later either
├── JournalFull       the journal reached its limit: nothing is acknowledged until there is room
├── LeaseLost         another process may serve this partition by now: nothing of it is released here any more
└── Unavailable       another part of Mitoyen did not answer
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.points import Row


class MitoyenError(Exception):
    """The root of all errors raised on purpose."""


class Malformed(MitoyenError):
    """A text is not what it should be; the message says what was expected."""


class Refused(MitoyenError):
    """A rule says no."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class NotFound(MitoyenError):
    """What was named does not exist, or not for the one who asks."""


class Conflict(MitoyenError):
    """What should be made exists already, or what should end is still in use."""


class StoreUnavailable(MitoyenError):
    """The store did not answer, or can't now. The same call may succeed later."""


class StoreRejected(MitoyenError):
    """The store kept the rest of the batch but will never take these rows."""

    def __init__(self, reason: str, rows: list[Row]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rows = rows


class JournalFull(MitoyenError):
    """The journal reached its limit on disk."""


class LeaseLost(MitoyenError):
    """The session that a partition is served under has ended, or nobody knows whether it has."""


class Unavailable(MitoyenError):
    """Another part of Mitoyen did not answer in time."""
