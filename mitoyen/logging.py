"""How events are written: one line each, in the past, on standard error. A process that a library crashes writes there where each thread was."""

from __future__ import annotations

import faulthandler
import sys

import structlog


def configure() -> None:
    """For one process, once."""
    faulthandler.enable()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False)
            if sys.stderr.isatty()
            else structlog.processors.LogfmtRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
