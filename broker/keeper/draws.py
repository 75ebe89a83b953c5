"""Windows with noise: drawn once and paid before anything of them is released, whatever happens in between."""

from __future__ import annotations

import itertools

from broker.keeper.budget import cost
from broker.keeper.plan import Feed
from broker.keeper.progress import Progress
from broker.points import Point
from broker.privacy.aggregate import Windows
from broker.privacy.noise import Draw, noisy
from broker.privacy.profile import Clip


def drawn(feed: Feed, exact: Windows, progress: Progress, draw: Draw) -> Windows:
    """The same with noise: what was drawn of each window before, or is drawn and paid now; without those that can't be paid."""
    operator, noise = feed.profile.aggregate, feed.profile.noise
    assert operator is not None
    assert noise is not None
    shown: list[Point] = []
    unpaid = 0
    for start, of_window in itertools.groupby(exact.points, key=lambda point: point.time):
        groups = list(of_window)
        told = progress.drawn(feed.stream, start)
        if told is None:
            told = noisy(groups, operator, noise, feed.profile.find(Clip), draw)
            if not progress.draw(cost(feed, noise, start), told):
                unpaid += len(groups)
                continue
        shown += told
    if not unpaid:
        return Windows(shown, exact.withheld, exact.shown, exact.hidden)
    hidden = exact.shown * unpaid // len(exact.points)
    spent = {"budget_spent": unpaid}
    return Windows(shown, exact.withheld | spent, exact.shown - hidden, exact.hidden | {"budget_spent": hidden})
