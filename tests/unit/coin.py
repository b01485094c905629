"""A trial that costs nothing, in a module of its own because worker processes import it."""

import numpy as np


def toss(seed, case):
    return {"heads": float(np.random.default_rng(seed).random() < case["chance"])}
