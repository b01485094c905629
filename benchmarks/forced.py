"""Profiles that evidence would not allow, for campaigns that ask what a profile says when there is nothing to say."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from icp.bins import encode
from icp.criteria import Grading, make_scorecard
from icp.derive import derive
from icp.evidence import AxisFit, Evidence
from icp.points import make_points
from icp.profile import BinDictionary, Profile


def forced_profile(
    frame: pd.DataFrame, dictionary: BinDictionary, evidence: Evidence, fitted: AxisFit, universe: pd.DataFrame
) -> Profile:
    """The profile of these outcomes with the attributes of `fitted` as its criteria, whatever their evidence."""
    newest = str(frame["outcome_quarter"].max())
    plain = derive(frame, dictionary, icp="forced", quarter=newest, has_tiers=False)
    gradings = {name: Grading("provisional", 1.0, 1.0, newest) for name in fitted.names}
    codes = encode(universe, dictionary)
    card = make_scorecard("fit", make_points(fitted), fitted, evidence, codes, gradings)
    return replace(plain, bins=dictionary, fit=card)
