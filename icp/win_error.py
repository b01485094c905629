"""How unsure an account's log odds of winning are, apart from the effects of the score's own bins."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from icp.evidence import AxisFit, Evidence, fit_axis, shortage
from icp.profile import Profile


def win_error(profile: Profile, evidence: Evidence) -> float:
    """Standard error of an account's log odds of winning apart from the effects of the score's own bins.

    Two things: the level of the newest quarter, and what the attributes that are not in the score may still do to one
    account. Without the second an unsure score, and above all no score, would claim to know every account.
    """
    rows = evidence.rows
    scored = [c.attribute for c in profile.fit.criteria]
    axis_fit = fit_axis(evidence, scored)
    design = axis_fit.fit.design
    row = design.crossed(np.zeros(len(rows), dtype=np.int64), 1, np.ones(len(rows)))[0] / len(rows)
    if len(rows.window) > 1:
        row[design.slices[-1]] = design.factors[-1][-1]
    return float(np.sqrt(row @ axis_fit.fit.covariance @ row + _left_open(evidence, scored)))


def _left_open(evidence: Evidence, scored: Collection[str]) -> float:
    """Variance of log odds between accounts by fit attributes outside the score: posterior mean squares + variances."""
    attributes = [a for a in evidence.dictionary.attributes if a.axis == "fit"]
    names = [a.name for a in attributes if a.name in scored or not (a.conditions or shortage(evidence, a))]
    everything = fit_axis(evidence, names)
    return sum(_second_moment(evidence, everything, j) for j, name in enumerate(names) if name not in scored)


def _second_moment(evidence: Evidence, fitted: AxisFit, block: int) -> float:
    shares = evidence.shares(fitted.names[block])
    effect, error = fitted.contrast(block, shares)
    return float(shares @ (effect**2 + error**2))
