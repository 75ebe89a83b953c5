"""What carries calls (`broker/control.py`) to whoever answers them, and what keeps how keepers get on: `protocol.py` says what that is.

`sockets.py`: Unix sockets and files of one home. `nats.py`: the NATS servers that have the journal, between machines. `replies.py` has what is the same on both
ways. Which it is, `broker/opening.py` chooses.
"""
