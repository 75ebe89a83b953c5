"""What is counted, for Prometheus. Counters of several processes are added up by prometheus_client's multiprocess mode."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

RECORDS_ACCEPTED = Counter("mitoyen_records_accepted", "Records that entered the journal")
RECORDS_REFUSED = Counter(
    "mitoyen_records_refused", "Records that were refused; a message that can't be read is one", ["reason"]
)
READS_SMOOTHED = Counter(
    "mitoyen_tag_reads_smoothed", "Tag reads that were taken in and are told by the events of their tags"
)
BATCHES = Counter("mitoyen_journal_batches", "Batches written to the journal")
COMMIT = Histogram(
    "mitoyen_journal_commit_seconds", "Time to write a batch", buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1)
)
JOURNAL_FULL = Counter("mitoyen_journal_full", "Times that nothing was acknowledged because the journal had no room")
JOURNAL_BYTES = Gauge("mitoyen_journal_bytes", "Bytes of the journal in use", multiprocess_mode="mostrecent")
PUBLISHED = Counter("mitoyen_messages_published", "Messages published on live topics")
PUBLISH_REFUSED = Counter("mitoyen_publishes_refused", "Publishes that Mosquitto refused", ["reason"])
MOSQUITTO_DROPPED = Gauge(
    "mitoyen_mosquitto_dropped_messages",
    "Messages that Mosquitto dropped since it started, because a queue was full",
    multiprocess_mode="mostrecent",
)
RECEIPTS = Counter("mitoyen_receipts_sent", "Receipts sent to publishers")
STORED = Counter("mitoyen_records_stored", "Points written to the raw store; a repeated point counts again")
STORE_REJECTED = Counter("mitoyen_store_rejected", "Points that a store will not take")
STORE_FAILED = Counter("mitoyen_store_failures", "Times that a store did not answer and was tried again")
RELEASED = Counter("mitoyen_records_released", "Points written to released streams, windows included")
REVISED = Counter("mitoyen_windows_revised", "Windows that were released once more and said something else")
WITHHELD = Counter("mitoyen_records_withheld", "Records that a release does not show", ["reason"])
BEHIND = Gauge(
    "mitoyen_store_behind_batches", "Batches in the journal that are not stored yet", multiprocess_mode="mostrecent"
)
FRAMES = Counter("mitoyen_frames", "Frames of cameras, by what became of them", ["outcome"])
FRAME_TIME = Histogram("mitoyen_frame_seconds", "Time to cover a frame", buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10))
OUTBOX = Gauge(
    "mitoyen_outbox_records",
    "Records on owners' machines, as their gateways say: those that wait (pending), and those that never come, by reason",
    ["organisation", "gateway", "fate"],
    multiprocess_mode="mostrecent",
)
KEYS_DESTROYED = Counter("mitoyen_pseudonym_keys_destroyed", "Secrets of past epochs that were destroyed")
LEASES_LOST = Counter("mitoyen_leases_lost", "Times that a partition was left because its lease was lost", ["role"])
PREVIEWS = Counter("mitoyen_previews", "Previews that owners asked for, by outcome", ["outcome"])
HISTORY = Counter("mitoyen_history_requests", "Answers of history, by outcome", ["outcome"])
LIMITED = Counter("mitoyen_requests_limited", "Requests that were one too many, by limit", ["limit"])
STREAMS = Gauge("mitoyen_live_streams", "Server-Sent Events streams that are open", multiprocess_mode="livesum")
WEBHOOKS = Counter("mitoyen_webhook_attempts", "Attempts to tell an application by webhook", ["outcome"])
STREAM_DROPPED = Counter("mitoyen_live_dropped", "Events that a reader of a live stream was too slow for")


def count_withheld(reasons: Mapping[str, int]) -> None:
    """So many records are not shown, for each reason."""
    for reason, count in reasons.items():
        WITHHELD.labels(reason).inc(count)
