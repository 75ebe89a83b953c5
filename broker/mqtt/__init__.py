"""MQTT 5 as a client speaks it on the hot path: `codec.py` is pure, `connection.py` owns the socket.

Why not a library here: `docs/decisions/0002-mqtt-client.md` has the figures. Control and simulation use aiomqtt.
"""
