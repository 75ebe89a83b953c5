"""A city that outgrew one machine, on one machine: three NATS servers, two Mosquittos with an edge each, three workers, PostgreSQL, InfluxDB.

`world.py` starts it all, each a process on ports of its own; `__main__.py` runs it in place of `mitoyen`, with the same options;
`throughput.py` measures it beside one machine's broker.
"""
