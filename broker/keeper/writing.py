"""Writing to a store that may refuse some of it for good: what it refuses is kept by its address and its reason."""

from __future__ import annotations

import structlog

from broker.errors import StoreRejected
from broker.keeper.progress import Progress
from broker.metrics import STORE_REJECTED
from broker.points import Row
from broker.store.protocol import Store

log = structlog.get_logger()


def write(store: Store, rows: list[Row], progress: Progress) -> list[Row]:
    """Returns those that the store will never take. Raises StoreUnavailable, and LeaseLost before anything is written."""
    try:
        if rows:
            progress.check()
            store.write(rows)
    except StoreRejected as error:
        STORE_REJECTED.inc(len(error.rows))
        log.error("store_rejected_points", count=len(error.rows), reason=error.reason)
        progress.reject((r.stream, r.point.time, r.point.key, error.reason) for r in error.rows)
        return error.rows
    return []
