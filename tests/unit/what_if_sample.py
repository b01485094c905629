"""Outcomes and accounts for the believable quarter, so that its criteria can be asked for in every combination."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from report_sample import NAMES, WINDOW, rate, report_data

from icp.profile import Bin, BinDictionary, Profile
from icp.report import ReportData
from icp.what_if import what_if

ACCOUNTS, OUTCOMES = 900, 400


def report_with_panel(names: tuple[str, ...] = NAMES) -> ReportData:
    """The sample's report with a what-if panel counted on frames of its own."""
    data = report_data(names)
    judged = counted_on(data.profile, labels())
    return replace(data, what_if=what_if(judged, labels(), universe()))


def counted_on(profile: Profile, outcomes: pd.DataFrame) -> Profile:
    """The profile with states that can be read from a frame, and the outcomes as its own."""
    wins, total = int(outcomes["is_won"].sum()), len(outcomes)
    bins = {name: tuple(Bin(b.key, b.label, levels=(b.label,)) for b in own) for name, own in profile.bins.bins.items()}
    bins = {
        name: (*own, *([] if own[-1].key == "missing" else [Bin("missing", "unknown")])) for name, own in bins.items()
    }
    readable = BinDictionary(profile.bins.made_in, profile.bins.attributes, bins)
    return replace(profile, bins=readable, wins=wins, opportunities=total, base_rate=rate(wins, total))


def labels() -> pd.DataFrame:
    frame = _facts(OUTCOMES, 3)
    chance = np.random.default_rng(5).random(OUTCOMES)
    return frame.assign(is_won=chance < 0.25, outcome_quarter=[WINDOW[n % len(WINDOW)] for n in range(OUTCOMES)])


def universe() -> pd.DataFrame:
    return _facts(ACCOUNTS, 4).assign(is_customer=[n % 7 == 0 for n in range(ACCOUNTS)])


def _facts(rows: int, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    columns = {}
    for name, own in report_data().profile.bins.bins.items():
        columns[name] = draw.choice([b.label for b in own], rows)
    return pd.DataFrame(columns)
