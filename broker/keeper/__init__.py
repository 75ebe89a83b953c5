"""From the journal to the stores, in a process of its own: a store that is slow or away delays nobody else.

`keeper.py` is the loop, `plan.py` says which streams a datastream feeds, `windows.py` computes what a feed
with statistics shows, `progress.py` remembers how far it came.
"""
