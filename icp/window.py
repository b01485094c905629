"""Which outcomes of the window are compared, and in which bins."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from icp.bins import make_bins
from icp.label_rows import require_won_or_lost
from icp.profile import Attribute, BinDictionary


def comparable_outcomes(labels: pd.DataFrame, quarter: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The outcomes that can say who wins, and the quarters left out because they cannot.

    CRMs often hold the won deals of their early years and not the lost ones; such a quarter has a win rate of 100 %,
    which is a fact about record keeping. The newest quarter is never left out: its shortage is for the tests to say.
    """
    require_won_or_lost(labels)
    rates = labels.groupby("outcome_quarter")["is_won"].mean()
    one_sided = tuple(sorted(str(label) for label, rate in rates.items() if rate in (0.0, 1.0) and label != quarter))
    return labels[~labels["outcome_quarter"].isin(one_sided)].reset_index(drop=True), one_sided


def extended(
    dictionary: BinDictionary | None,
    labels: pd.DataFrame,
    attributes: Sequence[Attribute],
    quarter: str,
) -> BinDictionary:
    """The frozen bins with a place for what is new: attributes declared since, members of sets that became common.

    Args:
        dictionary: the bins in use; None makes all of them now.
        labels: the label rows bins are cut on.
        attributes: what is declared now; bins of anything else are left out.
        quarter: when the new bins are made.
    """
    fresh = make_bins(labels, attributes, quarter)
    if dictionary is None:
        return fresh
    columns = {attribute.name for attribute in attributes}
    kept = {a.name: a for a in dictionary.attributes if columns_of(a, dictionary) <= columns}
    merged = {a.name: a for a in fresh.attributes} | kept
    names = sorted(merged)
    bins = {name: (dictionary if name in kept else fresh).bins[name] for name in names}
    return BinDictionary(dictionary.made_in, tuple(merged[name] for name in names), bins)


def columns_of(attribute: Attribute, dictionary: BinDictionary) -> set[str]:
    """The columns an attribute is read from; of a segment, those of its conditions."""
    return {dictionary.attribute(c.attribute).column for c in attribute.conditions} or {attribute.column}
