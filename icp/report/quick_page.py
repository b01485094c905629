"""The page of a first look at one file: the same parts as a quarter's report, without a past to compare with."""

from __future__ import annotations

from collections.abc import Sequence

from icp.report.context import page_context
from icp.report.data import ReportData
from icp.report.layout import html_environment

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
    context = page_context(data) | {"contents": contents, "left_out": tuple(left_out)} | title
    return html_environment().get_template("quick.html.j2").render(context)
