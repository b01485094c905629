"""Accounts by name on the page: whom to work first, and every score taken apart as `icp explain` does it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from report_sample import HOSTILE_NAMES, accounts, report_data
from test_explain import ACCOUNT, PROFILE, ROWS

from icp.account_context import Neighbour, SinceBefore, Step
from icp.explain import Explanation, explain
from icp.report import ReportData, render_report
from icp.tier_lists import prospects

TIERS = ("A", "B", "C", "D")


def taken_apart(account_id: str, name: str) -> Explanation:
    rows = [row | {"account_id": account_id} for row in ROWS]
    plain = explain(ACCOUNT | {"account_id": account_id, "account_name": name}, rows, PROFILE)
    steps = (
        Step("employees", "Employees", "8", "120", 0, 60, "account changed"),
        Step("technologies=snowflake", "Uses snowflake", "|aws|", "|aws|snowflake|", 4, 10, "both"),
    )
    return replace(
        plain,
        revision="main/2026Q3/r1",
        since=SinceBefore("2026Q2", "C", 4, steps),
        neighbours=(Neighbour("c1", name, "A", 9, 12),),
    )


def page(names: tuple[str, ...], data: ReportData | None = None) -> str:
    table = accounts(names)
    found = prospects(table, TIERS)
    apart = tuple(taken_apart(row.account_id, row.account_name) for row in found.itertuples())
    return render_report(replace(data or report_data(names), prospects=found, explanations=apart))


def test_the_first_to_work_are_the_best_that_are_no_customers() -> None:
    assert prospects(accounts(), TIERS)["fit_score"].tolist() == [88, 74]
    assert len(prospects(accounts(), TIERS, most=1)) == 1


def test_a_score_is_taken_apart_on_the_page() -> None:
    html = page(("Ridgeline", "b", "c", "d", "e", "f"))
    assert "Ridgeline: fit 70, intent 0, 57% expected to be won if worked" in html
    for told in (
        'Company size</th><td>120</td><td class="n">60</td><td class="n">+40.0</td>',
        "Since 2026Q2: tier C to A, fit 4 to 70. +60 Employees (8 to 120; account changed), +6 Uses snowflake (both).",
        "Nearest best customers: Ridgeline (tier A, 9 of 12 criteria alike).",
        "Source: table accounts, load 20260630T000000Z-abc, row 17, known since 2026-06-30.",
        "Account acc-0000, revision main/2026Q3/r1.",
    ):
        assert told in html
    assert "aws" not in html  # of a technology the page says yes or no, not every other one


def test_hostile_names_stay_text_where_scores_are_taken_apart() -> None:
    html = page(HOSTILE_NAMES)
    assert "<script>alert" not in html and "<img src=x" not in html and "\u202e" not in html
    assert len(html) < 1_000_000


def test_nobody_to_work_is_said() -> None:
    none = replace(report_data(), prospects=pd.DataFrame(), explanations=())
    assert "No account of the two best tiers is left to be won." in render_report(none)
    bare = replace(none, profile=replace(none.profile, tiers=()), what_if=None, market=None)
    assert "There are no tiers yet." in render_report(bare)
