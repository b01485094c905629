"""What a segment says, on deals one can count by hand: neither half of it wins, both together do."""

import numpy as np
import pandas as pd
import pytest

from icp.bins import make_bins
from icp.derive import derive
from icp.profile import Attribute


@pytest.fixture(scope="module")
def profile():
    """4,000 deals: software companies that use Snowflake win every second one, everybody else one in ten."""
    deal = np.arange(4_000)
    industry = np.array(["Software", "Retail", "Mining", "Banking"])[deal % 4]
    snowflake, turn = deal // 4 % 2 == 0, deal // 8
    won = np.where((industry == "Software") & snowflake, turn % 2 == 0, turn % 10 == 0)
    names = [f"deal-{i:04d}" for i in deal]
    frame = pd.DataFrame(
        {"observation_id": names, "account_id": names, "outcome_quarter": "2026Q3", "is_won": won,
         "industry": industry, "snowflake": snowflake}
    )  # fmt: skip
    declared = [
        Attribute("industry", "category", "firmographic", "Industry"),
        Attribute("snowflake", "flag", "technographic", "Uses Snowflake"),
    ]
    return derive(frame, make_bins(frame, declared, "2026Q3"), icp="main", quarter="2026Q3", has_tiers=False)


@pytest.fixture(scope="module")
def segment(profile):
    (found,) = (c for c in profile.fit.criteria if profile.bins.attribute(c.attribute).conditions)
    return found


def test_it_is_named_in_plain_words(segment):
    assert (segment.label, segment.grade) == ("Industry Software × Uses Snowflake", "confirmed")


def test_its_deals_are_those_with_both(segment):
    effects = {b.key: b for b in segment.bins}
    assert (effects["yes"].wins, effects["yes"].opportunities) == (250, 500)
    assert (effects["no"].wins, effects["no"].opportunities) == (350, 3_500)


def test_its_lift_is_the_win_rate_over_the_base_rate(segment):
    effects = {b.key: b.lift for b in segment.bins}
    # 600 of 4,000 were won: half of the segment's against 15 % of all
    assert effects["yes"].value == pytest.approx(0.50 / 0.15, rel=0.03)
    assert effects["no"].value == pytest.approx(0.10 / 0.15, rel=0.06)


def test_the_score_is_still_a_sum_of_whole_points_up_to_a_hundred(profile):
    assert sum(max(b.points for b in c.bins) for c in profile.fit.criteria) == 100
