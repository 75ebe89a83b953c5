"""`mitoyen gateway`: a process on an owner's own machine that carries what devices say to the broker, and loses none of it.

What comes in: what the sources hear (`sources/`, one small adapter a way in). What goes out: records on the gateway's own topics,
each message kept in the outbox until the broker's receipt. Pure: `parcel.py`, `wire.py`.
"""
