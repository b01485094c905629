"""The report of a revision: one HTML page, one workbook, one Markdown summary, one sentence."""

from icp.report.backtest_view import track_record_of
from icp.report.data import Exclusion, ReportData, ReportMeta, SourceAge
from icp.report.index_data import IndexData, IndexedRevision
from icp.report.index_page import render_index
from icp.report.migration import TierMoves, tier_moves
from icp.report.page import render_report
from icp.report.pull_request import comparison_markdown, diff_markdown
from icp.report.verdict import Verdict, verdict_of, verdict_sentence
from icp.report.workbook import render_workbook

__all__ = [
    "Exclusion",
    "IndexData",
    "IndexedRevision",
    "ReportData",
    "ReportMeta",
    "SourceAge",
    "TierMoves",
    "Verdict",
    "comparison_markdown",
    "diff_markdown",
    "render_index",
    "render_report",
    "render_workbook",
    "tier_moves",
    "track_record_of",
    "verdict_of",
    "verdict_sentence",
]
