"""The page of a first look at one file: the same parts as a quarter's report, without a past to compare with."""

from __future__ import annotations

from collections.abc import Sequence

from icp.profile import Value
from icp.report.context import page_context
from icp.report.data import ReportData
from icp.report.layout import html_environment
from icp.report.value_view import interval_money, money
from icp.report.wording import clean, count, listing, plural

CONTENTS = (
    ("icp", "The profile"),
    ("criteria", "What wins"),
    ("tiers", "Tiers"),
    ("backtest", "Tested"),
    ("value", "What a win is worth"),
    ("unconfirmed", "Not confirmed"),
    ("coverage", "Data"),
    ("method", "Method"),
)


def render_quick_report(data: ReportData, left_out: Sequence[tuple[str, str]]) -> str:
    """One self-contained page; `left_out` are columns with the reason why each is no attribute."""
    title = {"page_title": f"{data.meta.company}: a first look"}
    contents = tuple(part for part in CONTENTS if part[0] != "value" or data.profile.value is not None)
    value = data.profile.value
    context = (
        page_context(data)
        | {"value_sentence": value_words(value) if value else "", "contents": contents, "left_out": tuple(left_out)}
        | title
    )
    return html_environment().get_template("quick.html.j2").render(context)


def value_words(value: Value) -> str:
    """What a win is worth, from how many wins, and what moves it. The level of values that columns move is that of a win
    in the middle of them (on a log scale), below the mean of all wins."""
    level = f"{money(value.level.value)} {interval_money(value.level)}"
    named = [clean(driver.label) for driver in value.drivers if driver.grade == "confirmed"]
    if named:
        what = f"A win in the middle is worth {level}; {listing(named)} moved the value of wins beyond chance."
    else:
        what = f"A win is worth {level} on average; no column is shown to move its value."
    return f"{what} From {count(value.valued)} of {plural(value.wins, 'win')}."
