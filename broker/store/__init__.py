"""Where points rest. `protocol.py` says what a store does; `sqlite.py`, `influx.py` do it; `open.py` picks.

In: rows. Out: points of one stream in order of time. Pure: `lineprotocol.py` and `sift.py`.
"""
