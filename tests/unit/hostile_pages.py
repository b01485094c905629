"""The pages people open, with every name in them chosen to do harm."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from report_sample import HOSTILE_NAMES, kept, profile
from test_accounts_view import TIERS, taken_apart
from test_accounts_view import accounts as accounts_named
from what_if_sample import report_with_panel

from icp.head_to_head import head_to_head
from icp.report import IndexData, IndexedRevision, ReportData, render_index
from icp.report.head_to_head_page import render_head_to_head
from icp.tier_lists import prospects

FILES = ("report.html", "workbook.xlsx", "accounts.csv", "profile.yml")


def report() -> ReportData:
    """A believable quarter with its what-if panel and with scores taken apart."""
    found = prospects(accounts_named(HOSTILE_NAMES), TIERS)
    apart = tuple(taken_apart(row.account_id, row.account_name) for row in found.itertuples())
    return replace(report_with_panel(HOSTILE_NAMES), prospects=found, explanations=apart)


def index() -> str:
    """The page of all quarters: one in force, one waiting, and every free text on it hostile."""
    script, formula, turned, *_ = HOSTILE_NAMES
    spoken = replace(kept(profile()), paragraph=" ".join(HOSTILE_NAMES))
    revisions = (
        IndexedRevision(
            "2026Q2", 1, "was in force", script, None, None, formula, FILES, profile("2026Q2", before=True)
        ),
        IndexedRevision("2026Q3", 1, "in force", f"{turned} ({script})", 7, 900, script, FILES, spoken),
        IndexedRevision("2026Q3", 2, "held", HOSTILE_NAMES[3], 12, 900, HOSTILE_NAMES[4], FILES, profile()),
    )
    return render_index(IndexData(script, HOSTILE_NAMES[3], revisions, beside=(script, formula)))


def beside() -> str:
    """Two ICPs side by side."""
    script, formula, *_ = HOSTILE_NAMES
    both = (replace(profile(), icp=script), replace(profile(), icp=formula))
    scored = pd.DataFrame({"account_id": [f"acc-{n}" for n in range(len(HOSTILE_NAMES))], "tier": "A"})
    names = dict(zip(scored["account_id"], HOSTILE_NAMES, strict=True))
    return render_head_to_head(script, head_to_head(both, (scored, scored)), names)
