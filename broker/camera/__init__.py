"""Cameras: frames in from `frame/#`, covered pictures out to `live/…` and to the store of pictures; a process of its own.

Raw frames are held in memory, one a camera at most besides those that are being looked at, and are gone when they were. In doubt nothing is released:
no model, no time, no memory, a picture that can't be read. Pure: `plan`, `waiting`, `tally`.
"""
