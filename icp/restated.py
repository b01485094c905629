"""Attributes whose past is not what it was: values of deals looked at before that have changed since.

A deal is explained by what was known on the day it was opened, so a later quarter must see the same values. Where many of
them changed, history was restated (a vendor's back-fill, a new source of old facts) or the attribute reads what happened
later. The second flatters every profile made from it, and no test of the dates a feature declares can see it when the
dates themselves are wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from icp.profile import Attribute

KEY = "observation_id"
LARGEST_SHARE, FEWEST = 0.05, 20


@dataclass(frozen=True)
class Restated:
    """One attribute: of how many deals known both times the value changed."""

    column: str
    label: str
    changed: int
    compared: int

    @property
    def share(self) -> float:
        return self.changed / self.compared

    @property
    def sentence(self) -> str:
        """The finding in words."""
        return (
            f"{self.label} ({self.column}) is another than a quarter ago on {self.changed:,} of {self.compared:,} deals "
            f"looked at both times ({self.share:.0%}), though each was to be read as of the day it was opened"
        )


def restated(
    before: pd.DataFrame, now: pd.DataFrame, attributes: Sequence[Attribute], *, accepted: Sequence[str] = ()
) -> tuple[Restated, ...]:
    """The attributes of which more than 5 % of the values, and 20 of them, changed; most first.

    A value that was not known then and is now does not count: a source may have landed with its history. Nor do rows read
    from the first record there is, for lack of one known in time.

    Args:
        before: Label rows as an earlier quarter saw them.
        now: Label rows of this quarter.
        attributes: The candidates.
        accepted: Columns a person vouches for.
    """
    then, later = before.set_index(KEY), now.set_index(KEY)
    shared = then.index.intersection(later.index)
    then, later = then.loc[shared], later.loc[shared]
    in_time = ~(then["is_backfilled"].astype(bool) | later["is_backfilled"].astype(bool)).to_numpy()
    labels = {a.column: a.label for a in attributes if a.column in then and a.column in later}
    found = []
    for column in sorted(labels.keys() - set(accepted)):
        known = in_time & then[column].notna().to_numpy()
        changed = known & _differs(then[column], later[column])
        if known.any():
            found.append(Restated(column, labels[column], int(changed.sum()), int(known.sum())))
    grave = [each for each in found if each.changed >= FEWEST and each.share > LARGEST_SHARE]
    return tuple(sorted(grave, key=lambda each: (-each.share, each.column)))


def _differs(then: pd.Series, later: pd.Series) -> np.ndarray:
    gone = (then.notna() & later.isna()).to_numpy()
    both = (then.notna() & later.notna()).to_numpy()
    values = then.astype(object).to_numpy() != later.astype(object).to_numpy()
    return np.asarray(gone | (both & np.asarray(values, dtype=bool)))
