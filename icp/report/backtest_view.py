"""How the last ICP did on this quarter's outcomes, and how its predecessors did on theirs."""

from __future__ import annotations

from markupsafe import Markup

from icp.backtest import Backtest, Calibration, Rival
from icp.profile import Estimate
from icp.report.charts import Figure, history_chart
from icp.report.data import ReportData
from icp.report.wording import count, interval_number, interval_percent, interval_times, percent, plural, times
from icp.track_record import TrackRecord, track_record, tracked

RIVALS = {"candidate": "Fresh candidate, same knowledge", "size only": "Company size alone", "random": "Random order"}


def calibration_sentence(calibration: Calibration, backtest: Backtest) -> str:
    """Whether as many deals were won as the scores promised, and whether high scores kept their promise."""
    expected = f"The scores promised {plural(calibration.expected_wins, 'win')}; there were {count(backtest.wins)}."
    level, slope = calibration.intercept, calibration.slope
    if level.low <= 0 <= level.high:
        expected += " That is within chance."
    if slope is None:
        return expected
    words = "high scores kept their promise within chance"
    if slope.high < 1:
        words = "the scores were too sure of themselves: high ones won less often, low ones more often than promised"
    elif slope.low > 1:
        words = "the scores were too cautious: the difference between high and low is larger than promised"
    slope_words = f"Calibration slope {slope.value:.2f} {interval_number(slope)}: {words}."
    return f"{expected} {slope_words} {calibration_error_sentence(calibration)}"


def rival_reading(rival: Rival) -> str:
    """Whether the profile in force ranked better than another way."""
    return _reading(rival.advantage)


def _reading(advantage: Estimate) -> str:
    if advantage.low > 0:
        return "the ICP ranked better"
    if advantage.high < 0:
        return "the ICP ranked worse"
    return "cannot be told apart"


def calibration_error_sentence(calibration: Calibration) -> str:
    """How far promised win rates were from the real ones, beside what chance alone would make of true promises."""
    return (
        f"Over five groups by score, promised and actual win rates were {calibration.error * 100:.1f} points apart on "
        f"average; with every promise true, chance alone would give about {calibration.error_by_chance * 100:.1f}."
    )


def track_record_of(data: ReportData) -> TrackRecord:
    """The record of all judged quarters: past ones as published, this quarter last."""
    newest = tracked(data.backtest) if data.backtest is not None else None
    return track_record([*data.meta.history, *([newest] if newest else [])])


def record_sentence(record: TrackRecord) -> str:
    """What the quarters together say that one alone cannot."""
    if len(record.quarters) < 2 or record.auc is None:
        return ""
    words = [
        f"Over {len(record.quarters)} quarters the ICP in force ranked a won deal above a lost one "
        f"{percent(record.auc.value)} of the time {interval_percent(record.auc)}"
    ]
    if record.best_tier_lift is not None:
        lift = record.best_tier_lift
        words.append(f"its best tier won {times(lift.value)} as often as the average deal {interval_times(lift)}")
    if record.size_advantage is not None:
        words.append(f"against sorting by size alone {_reading(record.size_advantage)}")
    if record.kept_promise is not None:
        promise = record.kept_promise
        words.append(f"wins were {times(promise.value)} those promised {interval_times(promise)}")
    return "; ".join(words) + "."


def history_figure(data: ReportData) -> Markup:
    """The chart of how well each quarter's ICP ranked."""
    figure = Figure(
        "history",
        "How well each ICP ranked the next quarter",
        "AUC by quarter with 95% intervals; 0.5 is chance. The numbers are in the table below.",
    )
    return history_chart([(q.quarter, q.auc) for q in track_record_of(data).quarters], figure)
