"""The processes of the core, put together: the only rooms that choose what is opened and what runs.

`worker.py` serves a partition: it takes in and gives out. `access.py` says who may: Mosquitto's rules, ends of agreements, quotas,
the ledger's signature. `broker.py` is a process of both, `keeper.py` the one that keeps.
"""
