"""What drifts by the calendar alone: every company is a year older each January, whether or not the market moved."""

from __future__ import annotations

import numpy as np
import pandas as pd

from icp.bins import encode
from icp.profile import BinDictionary
from icp.stats import Floats

CALENDAR_AGES = frozenset({"company_age_years"})
"""Columns that count calendar years from a date that never changes."""


def grown_older(
    name: str, before: pd.DataFrame, counts: Floats, since: pd.DataFrame, weights: Floats, dictionary: BinDictionary
) -> Floats | None:
    """The earlier accounts per bin, had they been looked at in the calendar years the later ones were looked at in.

    A market in which the same companies are worked ages with the calendar; one that is renewed does not. The mix has
    moved when it resembles neither what it was nor what it was grown older.

    Args:
        name: the attribute.
        before: the rows the profile was derived on, in the order of `counts`, with `observed_at`.
        counts: what each of them counts for.
        since: the outcomes since, in the order of `weights`, with `observed_at`.
        weights: what each of those counts for; rows outside the block count 0.
        dictionary: the frozen bins.

    Returns:
        None where nothing ages: another attribute, no time of observation, or no outcome in the block.
    """
    if name not in CALENDAR_AGES or "observed_at" not in before or "observed_at" not in since or weights.sum() <= 0:
        return None
    own = BinDictionary(dictionary.made_in, (dictionary.attribute(name),), {name: dictionary.bins[name]})
    ages, then = pd.to_numeric(before[name], errors="coerce"), _years(before)
    later, held = np.unique(_years(since), return_inverse=True)
    shares = np.bincount(held, weights, minlength=len(later)) / weights.sum()
    total = np.zeros(len(dictionary.bins[name]))
    for year, share in zip(later, shares, strict=True):
        codes = encode(pd.DataFrame({name: ages + (year - then)}), own)[name].to_numpy(dtype=np.int64)
        total += share * np.bincount(codes, counts, minlength=len(total))
    return total


def _years(frame: pd.DataFrame) -> Floats:
    return np.asarray(pd.to_datetime(frame["observed_at"]).dt.year.to_numpy(dtype=float))
