"""What is broken on purpose while messages flow, and the one reconciliation after it: `make faults`.

`load.py` publishes and listens, `reconcile.py` compares what was promised with what is kept and shown, `world.py` is what every
case begins with. The cases: `kills.py`, `stores.py`, `disks.py`, `edges.py` (clock, registry, Mosquitto), `limits.py` (journal, load),
`links.py` (gateways and their network), `nonsense.py`. `proxies.py` stand between and lie.
"""
