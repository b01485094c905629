"""The published points table: one row per bin of every criterion."""

from __future__ import annotations

import pandas as pd

from icp.profile import Axis, Criterion, Profile
from icp.selection import AXES

POINT_COLUMNS = (
    "axis",
    "attribute",
    "attribute_label",
    "kind",
    "source_column",
    "member",
    "bin_key",
    "bin_label",
    "lower",
    "upper",
    "levels",
    "points",
    "odds",
    "odds_low",
    "odds_high",
    "average_points",
)


def points_table(profile: Profile) -> pd.DataFrame:
    """One row per bin of every criterion: the table that scores accounts, and what a person needs to read it.

    `average_points` is the attribute's mean over the accounts of the universe (the same in all its rows).
    """
    rows = [row for axis in AXES for c in profile.scorecard(axis).criteria for row in _point_rows(profile, axis, c)]
    return pd.DataFrame(rows, columns=list(POINT_COLUMNS))


def _point_rows(profile: Profile, axis: Axis, criterion: Criterion) -> list[dict[str, object]]:
    attribute = profile.bins.attribute(criterion.attribute)
    states = {b.key: b for b in profile.bins.bins[criterion.attribute]}
    accounts = sum(b.accounts for b in criterion.bins)
    average = sum(b.points * b.accounts for b in criterion.bins) / accounts if accounts else 0.0
    return [
        {
            "axis": axis,
            "attribute": criterion.attribute,
            "attribute_label": criterion.label,
            "kind": attribute.kind,
            "source_column": attribute.column,
            "member": attribute.member,
            "bin_key": effect.key,
            "bin_label": effect.label,
            "lower": states[effect.key].lower,
            "upper": states[effect.key].upper,
            "levels": list(states[effect.key].levels),
            "points": effect.points,
            "odds": effect.odds.value,
            "odds_low": effect.odds.low,
            "odds_high": effect.odds.high,
            "average_points": average,
        }
        for effect in criterion.bins
    ]
