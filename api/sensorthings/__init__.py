"""OGC SensorThings API 1.1, read: a text that asks becomes a question, a question an answer over what the caller may see.

`syntax.py`, `options.py` and `address.py` understand texts, `values.py`, `functions.py` and `condition.py` decide, `entities.py` and `question.py`
choose and order, `render.py` writes: all pure. `released.py` shows releases as entities; `seeded.py` is a throw-away graph for outside suites.
https://docs.ogc.org/is/18-088/18-088.html
"""
