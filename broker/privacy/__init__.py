"""What leaves the broker in how much detail: profiles, and the operators that carry them out.

`profile.py` says what a profile may be, `operators/` are pure functions over points, `keys.py` keeps the secrets of
pseudonyms on disk.
"""
