"""One self-contained page per revision: laid out with Jinja2, escaped throughout, without script or network."""

from __future__ import annotations

from icp.report.context import page_context
from icp.report.data import ReportData
from icp.report.layout import html_environment


def render_report(data: ReportData) -> str:
    """The report of one revision as one HTML page: equal data give equal bytes."""
    return html_environment().get_template("report.html.j2").render(page_context(data))
