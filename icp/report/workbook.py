"""The workbook of a revision: what a rep sorts and filters, and behind it what the ICP is, what changed and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from icp.profile import Estimate, Profile
from icp.report.data import ReportData
from icp.report.glossary import GLOSSARY
from icp.report.sections import GRADES, tiers
from icp.report.sheets import MOST_ROWS, Column, Sheet, spreadsheet
from icp.report.verdict import verdict_of
from icp.report.wording import clean, count

# field, heading, look, width; a field the accounts do not have is no column
REP_COLUMNS: tuple[tuple[str, Column], ...] = (
    ("industry", Column("Industry", width=22)),
    ("operating_model", Column("Operating model", width=18)),
    ("employees", Column("Employees", "count", 11)),
    ("country", Column("Country", width=10)),
    ("account_name", Column("Company", width=30)),
    ("company_domain", Column("Domain", width=24)),
    ("tier", Column("Tier", width=6)),
    ("priority", Column("Priority", width=8)),
    ("reasons", Column("Why", width=60)),
    ("expected_value", Column("Expected value", "money", 14)),
    ("expected_value_low", Column("Expected value, low", "money", 14)),
    ("expected_value_high", Column("Expected value, high", "money", 14)),
    ("win_probability", Column("Win probability", "share", 11)),
    ("case_study", Column("Case study", width=30)),
    ("persona_notes", Column("Persona notes", width=40)),
    ("is_customer", Column("Customer", width=10)),
    ("fit_score", Column("Fit score", "score", 9)),
    ("intent_score", Column("Intent score", "score", 9)),
    ("previous_tier", Column("Tier before", width=8)),
    ("migration_cause", Column("Why the tier moved", width=18)),
    ("account_id", Column("Account id", width=18)),
)
LIST_SHEETS = {
    "net_new": ("Net new", "Accounts of the two best tiers that are not customers yet, the best fit first."),
    "risers": ("Risers", "Accounts in a better tier than in the ICP before, the furthest risen first."),
    "fallers": ("Fallers", "Accounts in a worse tier than in the ICP before, the furthest fallen first."),
    "not_icp": ("Not ICP", "Accounts of the last tier that are not customers: an hour is worth least here."),
}
MOST_LISTED = 1_000
_ESTIMATE_TITLES = ("", ", low", ", high")


def render_workbook(
    data: ReportData,
    accounts: pd.DataFrame,
    lists: Mapping[str, pd.DataFrame],
    best: pd.DataFrame | None = None,
) -> bytes:
    """The workbook of one revision: equal data give equal bytes.

    Args:
        data: What the report is made from.
        accounts: Every scored account, the first to work first; may carry `operating_model`, `case_study` and
            `persona_notes` besides the columns of `accounts.parquet`.
        lists: The lists of the revision by name; see `icp.tier_lists.LISTS`.
        best: The best customers, see `icp.best_customers`; None makes no such sheet.
    """
    sheets = [
        _accounts_sheet("Accounts", "Every scored account, the best fit first.", accounts, "accounts.csv", MOST_ROWS),
        *(_list_sheet(name, lists[name]) for name in LIST_SHEETS if name in lists),
        *([] if best is None else [_best_customers(best)]),
        _criteria(data.profile),
        _changes(data),
        _tiers(data.profile),
        _moves(data),
    ]
    profile, meta = data.profile, data.meta
    title = f"ICP {clean(profile.icp)} {profile.quarter} {meta.revision}"
    return spreadsheet(
        [_start(data, sheets), *sheets, _method(data)], title=title, company=meta.company, day=meta.as_of
    )


def _start(data: ReportData, sheets: Sequence[Sheet]) -> Sheet:
    verdict, profile, meta = verdict_of(data), data.profile, data.meta
    rows = [
        ("Verdict", verdict.headline),
        ("Who moves", verdict.moves),
        ("State when published", verdict.decision),
        ("What to do", verdict.action),
        ("The ICP", profile.paragraph),
        *(("Not ICP", f"{d.label}: odds ×{d.odds.value:.2f} of the average account") for d in profile.disqualifiers),
        ("Revision", f"{meta.company}: ICP {profile.icp}, {profile.quarter}, {meta.revision}, data as of {meta.as_of}"),
        ("Evidence", f"{count(profile.wins)} won of {count(profile.opportunities)}; {meta.label}"),
        *((f"Sheet {sheet.name}", sheet.sentence) for sheet in sheets),
    ]
    columns = (Column("What", width=22), Column("In words", "long", 110))
    return Sheet("Start here", "Read report.html beside this file for charts and evidence.", columns, rows)


def _accounts_sheet(name: str, note: str, accounts: pd.DataFrame, elsewhere: str, most: int) -> Sheet:
    shown = [(field, column) for field, column in REP_COLUMNS if field in accounts]
    shown = [pair for pair in shown if pair[0] == "account_id" or bool(accounts[pair[0]].notna().any())]
    columns = [column for _, column in shown]
    rows = _rows(accounts.head(most), [f for f, _ in shown])
    return Sheet(name, note, columns, rows, len(accounts), elsewhere, most)


def _rows(table: pd.DataFrame, fields: Sequence[str]) -> Iterator[tuple[object, ...]]:
    cells = [table[field].astype(object).where(table[field].notna(), None) for field in fields]
    return zip(*cells, strict=True)


def _list_sheet(name: str, accounts: pd.DataFrame) -> Sheet:
    title, note = LIST_SHEETS[name]
    return _accounts_sheet(title, note, accounts, f"lists/{name}.csv", MOST_LISTED)


def _best_customers(best: pd.DataFrame) -> Sheet:
    fields = (
        "account_name",
        "company_domain",
        "judged_in",
        "weight_met",
        "weight_of_all",
        "parts",
        "by_hand",
        "account_id",
    )
    columns = (
        Column("Company", width=30), Column("Domain", width=24), Column("Judged in", width=10),
        Column("Weight met", "ratio", 11), Column("Weight of all", "ratio", 11), Column("What made it so", width=70),
        Column("Decided by hand", width=30), Column("Account id", width=18),
    )  # fmt: skip
    note = "Customers that count as good by the label in force, the best first: whom the others should resemble."
    return Sheet(
        "Best customers", note, columns, _rows(best, fields), len(best), "lists/best_customers.csv", MOST_LISTED
    )


def _estimate_columns(title: str, form: Any) -> tuple[Column, ...]:
    return tuple(Column(f"{title}{part}", form, 11) for part in _ESTIMATE_TITLES)


def _estimate(estimate: Estimate | None) -> tuple[float | None, ...]:
    return (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)


def _criteria(profile: Profile) -> Sheet:
    odds_of = "being a customer" if profile.contrast == "customer_or_not" else "winning"
    columns = (
        Column("Criterion", width=28), Column("State", width=28), Column("Points", "score", 8), Column("Axis", width=8),
        Column("Evidence", width=20), *_estimate_columns(f"Odds of {odds_of}", "ratio"), Column("Won", "count", 8),
        Column("Of", "count", 8), Column("Accounts", "count", 10), Column("q-value", "chance", 9),
        Column("Since", width=9),
    )  # fmt: skip
    rows = [
        (c.label, b.label, b.points, axis.axis, GRADES.get(c.grade, c.grade), *_estimate(b.odds), b.wins,
         b.opportunities, b.accounts, c.q_value, c.since)
        for axis in (profile.fit, profile.intent) for c in axis.criteria for b in c.bins
    ]  # fmt: skip
    note = "What scores an account: odds against the average account, with 95 % intervals."
    return Sheet("Criteria", note, columns, rows)


def _changes(data: ReportData) -> Sheet:
    columns = (
        Column("Criterion", width=28), Column("Verdict", width=22), Column("State", width=28),
        *_estimate_columns("Odds before", "ratio"), *_estimate_columns("Odds now", "ratio"),
        *_estimate_columns("Change of odds", "ratio"), Column("q-value", "chance", 9), Column("Why not more", width=40),
    )  # fmt: skip
    rows = [
        (a.label, a.verdict, b.label, *_estimate(b.before), *_estimate(b.now), *_estimate(b.change), a.q_value, a.reason)
        for a in data.diff.attributes for b in a.bins
    ]  # fmt: skip
    return Sheet("What changed", clean(data.diff.sentence), columns, rows)


def _tiers(profile: Profile) -> Sheet:
    columns = (
        Column("Tier", width=8), Column("From score", "score", 10), Column("Accounts", "count", 10),
        Column("Won", "count", 8), Column("Of", "count", 8), *_estimate_columns("Win rate", "share"),
        *_estimate_columns("Lift", "ratio"), *_estimate_columns("Value per win", "money"),
        Column("Differs from the average", width=14),
    )  # fmt: skip
    measured = profile.gives_probability
    rows = [
        (t.name, t.min_score, t.accounts, t.wins, t.opportunities, *_estimate(t.rate if measured else None),
         *_estimate(t.lift if measured else None), *_estimate(t.value_per_win), t.is_supported)
        for t in tiers(profile)
    ]  # fmt: skip
    note = "Win rates on accounts the profile had not seen, with 95 % intervals."
    return Sheet("Tiers", note if measured else "No outcome says yet how often a tier wins.", columns, rows)


def _moves(data: ReportData) -> Sheet:
    fields = ("previous_tier", "tier", "migration_cause", "accounts")
    columns = (Column("Tier before", width=12), Column("Tier now", width=12), Column("Cause", width=20),
               Column("Accounts", "count", 10))  # fmt: skip
    ordered = data.migration.sort_values(list(fields[:3]), kind="stable", na_position="last")
    note = "How many accounts moved from which tier to which, and whether the account or the ICP changed."
    return Sheet("Tier moves", note, columns, _rows(ordered, fields))


def _method(data: ReportData) -> Sheet:
    meta, profile = data.meta, data.profile
    rows = [
        ("Equal inputs, configuration and code give this file again, byte for byte.", ""),
        ("Inputs", meta.inputs_hash), ("Configuration", meta.config_hash), ("Code", meta.code_hash),
        ("Data as of", meta.as_of), ("Points from", profile.derived_in), ("Bins made in", profile.bins.made_in),
        ("Outcomes of", ", ".join(profile.window)), ("What was compared", meta.label),
        *((f"Source {s.source}", f"newest {s.newest}, {s.age_days} days old") for s in meta.sources),
        *((f"Left out: {e.what}", f"{count(e.rows)} rows: {e.reason}") for e in meta.exclusions),
        *(("Note", note) for note in (*profile.notes, *meta.notes)),
        *((term, words) for term, words in GLOSSARY),
    ]  # fmt: skip
    columns = (Column("What", width=30), Column("In words", "long", 110))
    return Sheet("Method", "docs/method.md has the formulas; evidence.json every test.", columns, rows)
