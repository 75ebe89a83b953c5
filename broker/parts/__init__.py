"""The processes of the core, put together: the only rooms that choose what is opened and what runs.

`worker.py` serves a partition: it takes in and gives out. `access.py` says who may: Mosquitto's rules, ends of agreements, quotas,
the ledger's signature. `broker.py` is a process of both. Where there are several partitions, `serving.py` is one of workers and
`accessing.py` the one that says who may, which asks them by `partitioned.py`. `keeper.py` is the process that keeps. Where there are several
Mosquittos, `edge.py` takes in at each, and a worker follows what it wrote: `taking.py` has both ways. `journals.py` and `stores.py` open what all of them share.
"""
