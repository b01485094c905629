"""The headline criteria under other labels: what stands, what depends on the label, what cannot be told."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from small_market import ATTRIBUTES, make_outcomes, size_band

from icp.bins import make_bins
from icp.derive import derive
from icp.label_rules import Requirement
from icp.profile import Profile
from icp.sensitivity import Sensitivity, label_sensitivity

QUARTERS = ("2025Q1", "2025Q2", "2025Q3", "2025Q4")


@cache
def market() -> tuple[pd.DataFrame, Profile]:
    """Small and middling companies are won, and exactly those churn; who bought again is chance; NPS is hardly known."""
    frame = make_outcomes(QUARTERS, 900, 5, win_rate=0.35)
    rng = np.random.default_rng(1)
    won = frame["is_won"].to_numpy()
    wanted = np.isin(size_band(frame), (2, 3))
    frame["outcome_is_mature"] = (frame["outcome_quarter"] < "2025Q4").to_numpy()
    facts = {
        "outcome_is_churned": rng.random(len(frame)) < np.where(wanted, 0.85, 0.05),
        "outcome_has_repeated": rng.random(len(frame)) < 0.6,
        "outcome_nps": np.where(rng.random(len(frame)) < 0.02, 9.0, np.nan),
        "outcome_revenue": np.exp(rng.normal(9, 1, len(frame))),
    }
    for name, fact in facts.items():
        frame[name] = pd.Series(fact, dtype=object).where(won & frame["outcome_is_mature"], None)
    dictionary = make_bins(frame, ATTRIBUTES, "2025Q4")
    return frame, derive(frame, dictionary, icp="main", quarter="2025Q4", has_tiers=False)


@cache
def checked() -> Sensitivity:
    frame, profile = market()
    found = label_sensitivity(profile, frame, [])
    assert found is not None
    return found


def test_only_mature_deals_are_compared_and_won_against_lost_comes_first() -> None:
    found = checked()
    frame, _ = market()
    mature = frame[frame["outcome_is_mature"]]
    assert found.window == QUARTERS[:3]
    assert found.checks[0].words == "won"
    assert (found.checks[0].good, found.checks[0].other) == (mature["is_won"].sum(), (~mature["is_won"]).sum())
    assert "Company size" in found.checks[0].those("stands")


def test_a_criterion_that_wins_customers_who_leave_does_not_stand() -> None:
    (churn,) = [check for check in checked().checks if check.words == "not churned"]
    assert {c.label: c.standing for c in churn.criteria}["Company size"] in {"reversed", "no_longer"}
    assert "Industry" in churn.those("stands")


def test_chance_among_the_won_leaves_the_strong_criteria_standing() -> None:
    (again,) = [check for check in checked().checks if check.words == "bought again"]
    assert "Company size" in again.those("stands")
    assert again.good < checked().checks[0].good


def test_a_label_with_too_little_in_it_says_so() -> None:
    (nps,) = [check for check in checked().checks if check.words.startswith("NPS")]
    assert nps.criteria == ()
    assert nps.reason == "only 0 won deals fail it, so it is the same label"


def test_the_configured_rules_are_tried_together_and_alone() -> None:
    frame, profile = market()
    rules = [Requirement("not_churned", 1.0), Requirement("min_revenue", 5000.0)]
    found = label_sensitivity(profile, frame, rules)
    assert found is not None
    words = [check.words for check in found.checks]
    assert words[1:4] == [
        "not churned and revenue of at least 5,000",
        "not churned",
        "revenue of at least 5,000",
    ]


def test_the_order_of_rows_does_not_matter() -> None:
    frame, profile = market()
    mixed = frame.sample(frac=1.0, random_state=3).reset_index(drop=True)
    again = label_sensitivity(profile, mixed, [])
    assert again is not None
    for left, right in zip(checked().checks, again.checks, strict=True):
        assert (left.words, left.good, left.other) == (right.words, right.good, right.other)
        assert [c.standing for c in left.criteria] == [c.standing for c in right.criteria]


@pytest.mark.parametrize("column", ["outcome_is_mature", "facts"])
def test_without_facts_there_is_no_line(column: str) -> None:
    frame, profile = market()
    facts = [name for name in frame if name.startswith("outcome_") and name not in ("outcome_quarter", "outcome_value")]
    dropped = facts if column == "facts" else [column]
    assert label_sensitivity(profile, frame.drop(columns=dropped), []) is None
    no_facts = frame.assign(**{name: None for name in facts if name != "outcome_is_mature"})
    assert label_sensitivity(profile, no_facts, []) is None
