"""Several quarters together: what one of them alone cannot say."""

from __future__ import annotations

import numpy as np
import pytest
from report_sample import backtest

from icp.profile import Estimate
from icp.track_record import TrackedQuarter, track_record, tracked


def quarter(label: str, *, wins: int = 200, best: tuple[int, int] = (100, 40), auc: float = 0.7) -> TrackedQuarter:
    interval = Estimate(auc, auc - 0.04, auc + 0.04)
    return TrackedQuarter(label, "2025Q4", 1_000, wins, interval, 190.0, *best, Estimate(0.03, -0.01, 0.07), None)


def test_two_thin_quarters_say_together_what_neither_says_alone() -> None:
    record = track_record([quarter("2026Q1"), quarter("2026Q2")])
    assert record.size_advantage is not None
    assert record.size_advantage.low > 0 > quarter("2026Q1").size_advantage.low  # type: ignore[union-attr]
    assert record.auc is not None
    assert record.auc.value == pytest.approx(0.7)
    assert record.auc.high - record.auc.low == pytest.approx(0.08 / 2**0.5, rel=0.03)


def test_quarters_that_disagree_widen_the_interval() -> None:
    alike = track_record([quarter("2026Q1"), quarter("2026Q2")]).auc
    apart = track_record([quarter("2026Q1", auc=0.55), quarter("2026Q2", auc=0.85)]).auc
    assert alike is not None and apart is not None
    assert apart.high - apart.low > 3 * (alike.high - alike.low)


def test_the_best_tier_is_held_against_the_win_rate_of_its_own_quarter() -> None:
    record = track_record([quarter("2026Q1", wins=200, best=(100, 40)), quarter("2026Q2", wins=400, best=(100, 60))])
    assert record.best_tier_lift is not None
    assert record.best_tier_lift.value == pytest.approx(100 / (100 * 0.2 + 100 * 0.4))
    assert record.best_tier_lift.low > 1
    assert record.kept_promise is not None
    assert record.kept_promise.value == pytest.approx(600 / 380)


def test_the_lift_of_many_quarters_covers_the_truth() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        past = []
        for i in range(4):
            best, rest = rng.binomial(60, 0.4), rng.binomial(440, 0.2)
            auc = Estimate(0.7, 0.6, 0.8)
            past.append(TrackedQuarter(f"2026Q{i + 1}", "x", 500, int(best + rest), auc, 100.0, 60, int(best)))
        lift = track_record(past).best_tier_lift
        assert lift is not None
        covered += lift.low <= 0.4 / (0.12 * 0.4 + 0.88 * 0.2) <= lift.high
    assert covered / 400 > 0.92


def test_nothing_is_made_of_nothing() -> None:
    empty = track_record([])
    assert (empty.quarters, empty.auc, empty.best_tier_lift, empty.kept_promise) == ((), None, None, None)
    never = track_record([quarter("2026Q1", wins=0, best=(100, 0))])
    assert never.best_tier_lift is None and never.kept_promise is None
    lucky = track_record([quarter("2026Q1", wins=10, best=(5, 0))])
    assert lucky.best_tier_lift is not None
    assert lucky.best_tier_lift.value == 0 and lucky.best_tier_lift.high > 0.5


def test_a_backtest_becomes_a_line_and_the_newest_line_of_a_quarter_counts() -> None:
    line = tracked(backtest())
    assert line is not None
    assert (line.quarter, line.best_tier_opportunities, line.expected_wins) == ("2026Q3", 94, 214.2)
    again = track_record([quarter("2026Q3"), line])
    assert [q.wins for q in again.quarters] == [209]
