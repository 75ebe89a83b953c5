"""A city without hardware: in goes a seed or a recording, out comes what devices say, in their own protocols.

Everything is pure but `play.py`, `servers.py`, `llrp_reader.py` and `bike_share.py` (sockets, clock, tasks) and `recording.py`,
`loading.py` and `export.py` (files). From the core only `broker.times` and `broker.errors` are used: the simulators meet the
system as hardware does.
"""
