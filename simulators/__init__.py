"""A city without hardware: in goes a seed or a recording, out come MQTT messages as gateways send them.

Everything but `play.py` (sockets, clock, tasks), `recording.py` and `simulation.py` (files) is pure. From the
core only `broker.times` and `broker.errors` are used: the simulators meet the system over MQTT, as hardware
does.
"""
