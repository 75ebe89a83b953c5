"""Was somebody among those who were counted? Pure.

Worlds are made of random halves of the people, and each is released. Who knows where a target goes adds up what the counts there are beyond
what they usually are, and says "in" above a threshold that was learnt on half of the worlds; scored on the other half. Chance is a half.
Pyrgelis, Troncoso and De Cristofaro 2018, https://doi.org/10.14722/ndss.2018.23183.
"""

from __future__ import annotations

import numpy as np

from broker.audit.columns import Flags, Floats


def accuracy(told: Floats, habits: Floats, inside: Flags) -> float:
    """The share of right answers, over targets and worlds.

    `told`: worlds x groups, 0 where nothing is told; `habits`: targets x groups, how often each is there; `inside`: worlds x targets.
    """
    spread = told.std(axis=0)
    scores = (told - told.mean(axis=0)) / np.where(spread > 0, spread, 1.0) @ habits.T
    learn = np.arange(len(told)) % 2 == 0
    counts = np.maximum(inside[learn].sum(axis=0), 1), np.maximum((~inside[learn]).sum(axis=0), 1)
    mean_in = (scores[learn] * inside[learn]).sum(axis=0) / counts[0]
    mean_out = (scores[learn] * ~inside[learn]).sum(axis=0) / counts[1]
    said = scores[~learn] > (mean_in + mean_out) / 2
    said = np.where(mean_in >= mean_out, said, ~said)
    return float((said == inside[~learn]).mean())
