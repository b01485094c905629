"""The summary of a revision as Markdown: the body of the pull request that proposes it. It names no account."""

from __future__ import annotations

from icp.profile import Profile
from icp.report.context import change_context, page_context
from icp.report.data import ReportData
from icp.report.layout import markdown_environment
from icp.verdicts import ProfileDiff


def diff_markdown(data: ReportData) -> str:
    """What changed, how sure we are and who moves, for review where code is reviewed: equal data give equal bytes."""
    return markdown_environment().get_template("diff.md.j2").render(page_context(data))


def comparison_markdown(diff: ProfileDiff, before: Profile, after: Profile) -> str:
    """Any two published ICPs side by side: the verdict, every tested attribute, and what each rests on."""
    context = change_context(diff) | {"before": before, "after": after, "sentence": diff.sentence}
    return markdown_environment().get_template("comparison.md.j2").render(context)
