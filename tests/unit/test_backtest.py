"""The profile in force on outcomes it has not seen: numbers worked out by hand, and truths that must show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_profiles import profile

from icp.backtest import auc_difference, backtest, calibration
from icp.profile import Attribute, Bin, Profile, Scorecard

SIZE = Attribute("employees", "numeric", "firmographic", "Company size")
BINS = (Bin("..50", "up to 50", None, 50), Bin("50..", "50 or more", 50, None), Bin("missing", "unknown"))
SECTOR = Attribute("sector", "category", "firmographic", "Sector")
SECTOR_BINS = (
    *(Bin(level, level, levels=(level,)) for level in ("a", "b", "c")),
    Bin("other", "any other"),
    Bin("missing", "unknown"),
)


def outcomes(count: int, seed: int, quarters: tuple[str, ...] = ("2026Q1", "2026Q2")) -> pd.DataFrame:
    """Sector a wins 60 %, b 30 %, c 10 %; size says nothing."""
    rng = np.random.default_rng(seed)
    sector = rng.choice(["a", "b", "c"], count)
    rate = pd.Series(sector).map({"a": 0.6, "b": 0.3, "c": 0.1}).to_numpy()
    won = rng.random(count) < rate
    return pd.DataFrame(
        {
            "observation_id": [f"o{i}" for i in range(count)],
            "account_id": [f"a{i}" for i in range(count)],
            "outcome_quarter": np.repeat(quarters, -(-count // len(quarters)))[:count],
            "is_won": won,
            "outcome_value": np.where(won, np.where(sector == "a", 300.0, 100.0), np.nan),
            "sector": sector,
            "employees": rng.integers(1, 100, count).astype(float),
        }
    )


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def knowing(points: tuple[int, ...] = (100, 57, 0, 0, 0)) -> Profile:
    """A profile that knows the sectors; with the usual points its chances are right too."""
    made = profile([(SECTOR, SECTOR_BINS, points)], candidates=[(SIZE, BINS)], quarter="2026Q1")
    return replace(made, fit=replace(made.fit, intercept=logit(0.1), slope=(logit(0.6) - logit(0.1)) / 100))


def test_tiers_are_counted_by_hand() -> None:
    frame = outcomes(20, 1, ("2026Q2",))
    frame["sector"] = ["a"] * 5 + ["b"] * 5 + ["c"] * 10
    frame["is_won"] = [True] * 4 + [False] + [True] * 1 + [False] * 14
    frame["outcome_value"] = [100.0] * 4 + [np.nan] + [600.0] + [np.nan] * 14
    result = backtest(knowing(), frame, "2026Q2")
    first, second, rest = result.tiers
    assert (first.opportunities, first.wins, first.rate.value, first.share_of_wins.value) == (5, 4, 0.8, 0.8)
    assert first.share_of_wins.low < 0.8 < first.share_of_wins.high
    assert first.lift.value == pytest.approx(0.8 / 0.25)
    assert first.rate.low < 0.8 < first.rate.high
    assert first.share_of_value is not None
    assert first.share_of_value.value == pytest.approx(0.4)
    assert first.share_of_value.low < 0.4 < first.share_of_value.high
    assert (second.opportunities, second.wins) == (5, 1)
    assert (rest.opportunities, rest.wins, rest.rate.value) == (10, 0, 0.0)


def test_too_few_outcomes_are_said_out_loud() -> None:
    result = backtest(knowing(), outcomes(20, 1, ("2026Q2",)), "2026Q2")
    assert result.auc is None
    assert result.calibration is None
    assert "Not enough outcomes to judge the profile of 2026Q1: 2026Q2 brought" in result.sentence
    nothing = backtest(knowing(), outcomes(20, 1, ("2026Q1",)), "2026Q2")
    assert (nothing.opportunities, nothing.wins) == (0, 0)
    assert "brought 0 won and 0 lost" in nothing.sentence


def test_a_profile_without_criteria_cannot_be_judged() -> None:
    assert "has no criteria" in backtest(profile([]), outcomes(200, 1), "2026Q2").sentence


def test_a_profile_that_knows_the_truth_beats_size_and_chance_and_keeps_its_promises() -> None:
    result = backtest(knowing(), outcomes(3_000, 2), "2026Q2")
    assert result.opportunities == 1_500
    assert result.auc is not None
    assert result.auc.low < 0.763 < result.auc.high  # worked out from the three win rates
    size, random = result.rivals
    assert (size.name, random.name, random.auc.value) == ("size only", "random", 0.5)
    assert size.auc.low < 0.5 < size.auc.high + 0.02
    assert size.advantage.low > 0.15
    assert random.advantage.value == pytest.approx(result.auc.value - 0.5)
    assert result.calibration is not None
    assert result.calibration.slope is not None
    assert result.calibration.slope.low < 1 < result.calibration.slope.high
    assert result.calibration.intercept.low < 0 < result.calibration.intercept.high
    assert "Sorting by size alone would have been credibly worse" in result.sentence


def test_promises_too_high_show_in_the_intercept_and_overconfidence_in_the_slope() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(-1, 1, 4_000)
    won = (rng.random(4_000) < 1 / (1 + np.exp(-truth))).astype(float)
    boastful = calibration(won, truth + 0.5)
    assert boastful.intercept.high < 0
    assert boastful.intercept.value == pytest.approx(-0.5, abs=0.1)
    assert boastful.expected_wins > won.sum() + 100
    too_sure = calibration(won, 2 * truth)
    assert too_sure.slope is not None
    assert too_sure.slope.value == pytest.approx(0.5, abs=0.06)
    assert calibration(won, np.full(4_000, -1.0)).slope is None


def test_true_promises_miss_by_chance_only_and_false_ones_by_more() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(-1, 1, 2_000)
    errors = []
    for _ in range(60):
        kept = calibration((rng.random(2_000) < 1 / (1 + np.exp(-truth))).astype(float), truth)
        errors.append(kept.error)
    assert kept.error_by_chance == pytest.approx(np.mean(errors), rel=0.12)
    broken = calibration((rng.random(2_000) < 1 / (1 + np.exp(-truth))).astype(float), truth + 1)
    assert broken.error > 5 * broken.error_by_chance


def test_the_candidate_must_be_better_beyond_chance() -> None:
    frame = outcomes(1_200, 4)
    blind = knowing((0, 100, 57, 0, 0))
    better = backtest(blind, frame, "2026Q2", challenger=knowing())
    assert better.candidate_is_credibly_better
    assert not better.candidate_is_credibly_worse
    worse = backtest(knowing(), frame, "2026Q2", challenger=blind)
    assert worse.candidate_is_credibly_worse
    assert worse.rivals[0].advantage.low > 0
    assert "The refitted candidate would have been credibly worse" in worse.sentence
    alike = backtest(knowing(), frame, "2026Q2", challenger=knowing((100, 50, 0, 0, 0)))
    assert not alike.candidate_is_credibly_better
    assert not alike.candidate_is_credibly_worse


def test_a_challenger_with_other_bins_is_scored_on_its_own() -> None:
    coarse = (Bin("a", "a", levels=("a",)), Bin("other", "any other"), Bin("missing", "unknown"))
    challenger = profile([(SECTOR, coarse, (100, 0, 0))], quarter="2026Q1")
    (candidate, *_) = backtest(knowing(), outcomes(1_200, 5), "2026Q2", challenger=challenger).rivals
    assert candidate.name == "candidate"
    assert 0.6 < candidate.auc.value < backtest(knowing(), outcomes(1_200, 5), "2026Q2").auc.value  # type: ignore[union-attr]


def test_paired_difference_matches_the_bootstrap() -> None:
    rng = np.random.default_rng(7)
    won = (rng.random(400) < 0.3).astype(float)
    one = won + rng.normal(0, 1, 400)
    other = 0.5 * one + 0.3 * won + rng.normal(0, 0.6, 400)
    estimate, p_value = auc_difference(won, one, other)
    draws = [auc_difference(won[i], one[i], other[i])[0].value for i in rng.integers(0, 400, (300, 400))]
    assert (estimate.high - estimate.low) / 3.92 == pytest.approx(np.std(draws), rel=0.12)
    assert auc_difference(won, one, one) == (type(estimate)(0.0, 0.0, 0.0), 1.0)
    assert 0 <= p_value <= 1


def test_scores_from_a_flat_card_are_ties_not_errors() -> None:
    flat = replace(knowing((0, 0, 0, 0, 0)), fit=Scorecard("fit", -1.0, 0.0, knowing((0, 0, 0, 0, 0)).fit.criteria))
    result = backtest(flat, outcomes(600, 8), "2026Q2")
    assert result.auc is not None
    assert result.auc.value == 0.5
    assert result.calibration is not None
    assert result.calibration.slope is None
