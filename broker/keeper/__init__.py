"""From the journal to the stores, in a process of its own: a store that is slow or away delays nobody else.

`keeper.py` is the loop. What comes in goes through `arrivals.py`; `closer.py` releases windows when they are due, `past.py` what
was stored before an offer, both as `releaser.py` says; `news.py` tells live, `watch.py` tells silence, `eraser.py` erases.
`plan.py` says which streams a datastream feeds, `windows.py` computes what a feed with statistics shows; these, `budget.py`,
`revision.py` and `tally.py` are pure. `known.py` holds what the registry says, `progress.py` remembers how far the keeper came.
"""
