"""What a scorecard says, on deals one can count by hand."""

import numpy as np
import pandas as pd
import pytest

from icp.bins import make_bins
from icp.derive import derive
from icp.profile import Attribute


@pytest.fixture(scope="module")
def profile():
    """400 deals in one quarter: 100 of 200 companies with a Snowflake account were won, 40 of 200 without."""
    uses = np.arange(400) < 200
    won = np.where(uses, np.arange(400) % 2 == 0, np.arange(400) % 5 == 0)
    names = [f"deal-{i:03d}" for i in range(400)]
    frame = pd.DataFrame(
        {"observation_id": names, "account_id": names, "outcome_quarter": "2026Q3", "is_won": won, "snowflake": uses}
    )
    declared = [Attribute("snowflake", "flag", "technographic", "Uses Snowflake")]
    return derive(frame, make_bins(frame, declared, "2026Q3"), icp="main", quarter="2026Q3", tiers_config={"A": 0.6})


def test_the_base_rate_is_what_was_counted(profile):
    assert (profile.opportunities, profile.wins) == (400, 140)
    assert profile.base_rate.value == 0.35


def test_half_the_deals_win_with_it_and_a_fifth_without(profile):
    effects = {b.key: b for b in profile.fit.criteria[0].bins}
    assert (effects["yes"].wins, effects["yes"].opportunities) == (100, 200)
    assert (effects["no"].wins, effects["no"].opportunities) == (40, 200)
    assert (effects["yes"].stance, effects["no"].stance, effects["missing"].stance) == ("in", "out", "neutral")


def test_odds_are_four_to_one_shrunk_a_little(profile):
    effects = {b.key: b.odds for b in profile.fit.criteria[0].bins}
    # (100/100) / (40/160) = 4 between the two, so 2 and 1/2 against the average
    assert 3.4 < effects["yes"].value / effects["no"].value < 4
    assert effects["yes"].low < 2 < effects["yes"].high


def test_lift_is_the_win_rate_over_the_base_rate(profile):
    effects = {b.key: b.lift for b in profile.fit.criteria[0].bins}
    assert effects["yes"].value == pytest.approx(0.50 / 0.35, rel=0.03)
    assert effects["no"].value == pytest.approx(0.20 / 0.35, rel=0.06)


def test_the_line_turns_points_into_a_win_probability(profile):
    fit = profile.fit
    with_it, without = (1 / (1 + np.exp(-(fit.intercept + fit.slope * points))) for points in (100, 0))
    assert with_it == pytest.approx(0.50, abs=0.02)
    assert without == pytest.approx(0.20, abs=0.02)


def test_tier_a_is_the_accounts_that_use_it(profile):
    best, rest = profile.tiers
    assert (best.name, best.min_score, best.accounts, best.opportunities, best.wins) == ("A", 100, 200, 200, 100)
    assert (rest.name, rest.accounts) == ("B", 200)
    assert best.is_supported and rest.is_supported
