"""Every setting of `mitoyen up` and its parts, read once. Each is also an environment variable `MITOYEN_…`.

A module a subject, each with its settings, what they must be, and what follows from them: `listeners.py` (addresses), `keeping.py` (home, registry,
stores, journal), `limits.py` (how much and how long), `rules.py` (of the house), `portal.py` (map, signing in, other catalogues) and `pictures.py`.
`settings.py` is all of them; `forms.py` says how addresses and durations are spelled.
"""
