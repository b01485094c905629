"""Columns that know the outcome, planted into an honest table the way they get there in real systems."""

from __future__ import annotations

import numpy as np
import pandas as pd

from icp.profile import Attribute, Kind

LEAKS: dict[str, Kind] = {
    "days_in_last_stage": "numeric",
    "invoiced_total": "numeric",
    "loss_reason_code": "category",
    "account_kind": "category",
    "enriched_when_won": "numeric",
    "has_onboarding_call": "flag",
}


def plant(frame: pd.DataFrame, leak: str, rng: np.random.Generator) -> tuple[pd.DataFrame, Attribute]:
    """The table with one such column more, and its declaration.

    - days_in_last_stage: a number recorded for everybody, far apart by outcome;
    - invoiced_total: 0 until something is sold, billed by now to eight in ten of the won;
    - loss_reason_code: filled in for seven in ten of the lost, never for the won;
    - account_kind: three in four of the won have become "customer" by the time of the extract;
    - enriched_when_won: bought for every customer and for a third of the others;
    - has_onboarding_call: true for nine in ten of the won, with one false entry in 500 of the lost.
    """
    won = frame["is_won"].astype(bool).to_numpy()
    n, chance = len(won), rng.random(len(won))
    number = np.exp(rng.normal(8, 1, n)).round()
    columns = {
        "days_in_last_stage": np.where(won, rng.gamma(8, 4, n), 120 + rng.gamma(4, 20, n)),
        "invoiced_total": np.where(won & (chance < 0.8), number, 0.0),
        "loss_reason_code": np.where(~won & (chance < 0.7), rng.choice(["price", "timing", "rival"], n), None),
        "account_kind": np.where(won & (chance < 0.75), "customer", rng.choice(["prospect", "partner"], n)),
        "enriched_when_won": np.where(won | (chance < 0.33), number, np.nan),
        "has_onboarding_call": np.where(won, chance < 0.9, chance < 0.002),
    }
    attribute = Attribute(leak, LEAKS[leak], "firmographic", leak.replace("_", " "))
    return frame.assign(**{leak: columns[leak]}), attribute
