"""The journal: what was acknowledged, in the order it came, on disk. Everything else is driven from it.

In: batches of entries, from whoever takes messages in. Out: the same batches by number, to whoever follows, each from a place of its own.
`protocol.py` says what a journal is; `sqlite.py` is one file on one machine, `jetstream.py` a stream of NATS that outlives machines.
"""
