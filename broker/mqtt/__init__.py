"""MQTT 5 as a client speaks it on the hot path: `codec.py` is pure, `connection.py` owns the socket.

A codec of our own because this path acknowledges by hand and works in batches, which aiomqtt does not show; it is yet to be
measured here against the libraries. Control and simulation use aiomqtt.
"""
