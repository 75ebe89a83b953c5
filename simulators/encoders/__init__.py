"""What sensors say, in the formats of the devices that they stand for: in go reports, out come topics and payloads. Pure.

Each is written from its format's specification and shares nothing with the decoder in `gateways/`, so that the two prove one
another. `make.py` names them.
"""
