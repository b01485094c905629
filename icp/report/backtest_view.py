"""How the last ICP did on this quarter's outcomes, and how its predecessors did on theirs."""

from __future__ import annotations

from markupsafe import Markup

from icp.backtest import Backtest, Calibration, Rival
from icp.profile import Estimate
from icp.report.charts import Figure, history_chart
from icp.report.data import ReportData
from icp.report.wording import count, interval_number, plural

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
    return f"{expected} Calibration slope {slope.value:.2f} {interval_number(slope)}: {words}."


def rival_reading(rival: Rival) -> str:
    """Whether the profile in force ranked better than another way."""
    if rival.advantage.low > 0:
        return "the ICP ranked better"
    if rival.advantage.high < 0:
        return "the ICP ranked worse"
    return "cannot be told apart"


def auc_history(data: ReportData) -> list[tuple[str, Estimate]]:
    """AUC by quarter, oldest first: past quarters as given, this quarter last."""
    found = dict(data.meta.history)
    if data.backtest is not None:
        judged = (*data.backtest.history, data.backtest)
        found |= {result.quarter: result.auc for result in judged if result.auc is not None}
    return sorted(found.items())


def history_figure(data: ReportData) -> Markup:
    """The chart of `auc_history`."""
    figure = Figure(
        "history",
        "How well each ICP ranked the next quarter",
        "AUC by quarter with 95% intervals; 0.5 is chance. The numbers are in the table below.",
    )
    return history_chart(auc_history(data), figure)
