"""Market size and the relaxation ladder on a market small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from icp.bins import make_bins
from icp.derive import derive
from icp.label_rows import read_label_rows
from icp.profile import Attribute, Profile
from icp.serialize import from_json, rounded, to_json
from icp.tam import Market, size_market

ATTRIBUTES = (
    Attribute("industry", "category", "firmographic", "Industry"),
    Attribute("partner", "flag", "firmographic", "Partner"),
)


def outcomes(rows: int = 2_000, seed: int = 1) -> pd.DataFrame:
    """Software wins at 50 % against 15 %, partners half as often again."""
    rng = np.random.default_rng(seed)
    industry, partner = rng.choice(["software", "retail"], rows), rng.random(rows) < 0.5
    won = rng.random(rows) < np.where(industry == "software", 0.4, 0.1) * np.where(partner, 1.5, 1.0)
    return pd.DataFrame(
        {
            "observation_id": [f"o{i:05d}" for i in range(rows)],
            "account_id": [f"a{i:05d}" for i in range(rows)],
            "outcome_quarter": "2026Q1",
            "is_won": won,
            "industry": industry,
            "partner": partner,
        }
    )


def accounts(software_partners: int, software: int, retail_partners: int, retail: int) -> pd.DataFrame:
    kinds = [("software", True)] * software_partners + [("software", False)] * software
    kinds += [("retail", True)] * retail_partners + [("retail", False)] * retail
    frame = pd.DataFrame(kinds, columns=["industry", "partner"])
    return frame.assign(
        account_id=[f"u{i}" for i in range(len(frame))], is_customer=[i < 10 for i in range(len(frame))]
    )


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return outcomes()


@pytest.fixture(scope="module")
def profile(frame: pd.DataFrame) -> Profile:
    universe = accounts(100, 200, 300, 400)
    return derive(frame, make_bins(frame, ATTRIBUTES, "2026Q1"), icp="main", quarter="2026Q1", universe=universe)


def market_of(profile: Profile, frame: pd.DataFrame, universe: pd.DataFrame) -> Market:
    market = size_market(profile, read_label_rows(frame, profile.bins), universe, capacity=0.05)
    assert market is not None
    return market


def test_accounts_are_counted_by_hand(profile: Profile, frame: pd.DataFrame) -> None:
    market = market_of(profile, frame, accounts(100, 200, 300, 400))
    assert (market.tam, market.tam_prospects, market.sam, market.sam_prospects) == (1_000, 990, 100, 90)
    assert market.rule == ("industry", "partner")
    counts = {(r.action, r.attribute): (r.accounts, r.change) for r in market.ladder}
    assert counts == {("as is", ""): (100, 0), ("drop", "industry"): (400, 300), ("drop", "partner"): (300, 200)}
    assert market.warnings == ()
    assert from_json(Market, to_json(rounded(market))) == rounded(market)


def test_rates_and_recall_hold_the_truth(profile: Profile, frame: pd.DataFrame) -> None:
    as_is, without_industry, without_partner = market_of(profile, frame, accounts(100, 200, 300, 400)).ladder
    assert as_is.precision.low < 0.6 < as_is.precision.high
    assert without_partner.marginal_rate is not None
    assert without_partner.marginal_rate.low < 0.4 < without_partner.marginal_rate.high
    assert without_industry.marginal_rate is not None
    assert without_industry.marginal_rate.low < 0.15 < without_industry.marginal_rate.high
    assert as_is.recall.low < 0.48 < as_is.recall.high  # .6 of .6 + .4 + .15 + .1
    assert as_is.expected_wins.value == pytest.approx(90 * as_is.precision.value)


def test_a_criterion_that_would_leave_too_few_is_not_in_the_rule_but_on_the_ladder(
    profile: Profile, frame: pd.DataFrame
) -> None:
    market = market_of(profile, frame, accounts(20, 300, 300, 400))
    assert len(market.rule) == 1
    assert [r.accounts for r in market.ladder if r.action == "require"] == [20]


@pytest.mark.parametrize(
    ("universe", "words"), [(accounts(600, 0, 100, 300), "Too broad"), (accounts(2, 0, 0, 998), "Too narrow")]
)
def test_extremes_are_warned_of(profile: Profile, frame: pd.DataFrame, universe: pd.DataFrame, words: str) -> None:
    assert market_of(profile, frame, universe).warnings[0].startswith(words)


def test_no_criterion_no_market(profile: Profile, frame: pd.DataFrame) -> None:
    bare = replace(profile, fit=replace(profile.fit, criteria=()))
    assert size_market(bare, read_label_rows(frame, profile.bins), accounts(1, 1, 1, 1), capacity=0.05) is None
