"""Accounts by name: whom to work first, who rose, who fell, and of each why it scores what it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from icp.account_context import neighbours_text
from icp.explain import Explanation, chance_words, trail_sentence
from icp.report.data import ReportData
from icp.report.wording import count, shorten


@dataclass(frozen=True)
class Apart:
    """A score taken apart for the page, with sentences on the score, the customers like it and where it comes from."""

    explanation: Explanation
    summary: str
    neighbours: str
    trail: str


@dataclass(frozen=True)
class AccountRow:
    """One account as the page shows it; `apart` is None where its points were not read."""

    account_name: str
    company_domain: str
    tier: str
    previous_tier: str
    fit_score: str
    previous_fit_score: str
    cause: str
    reasons: str
    apart: Apart | None


@dataclass(frozen=True)
class AccountList:
    """Accounts by name, the file that has all of them, and what to say when there are none."""

    title: str
    file: str
    rows: tuple[AccountRow, ...]
    none_text: str


def account_lists(data: ReportData) -> tuple[AccountList, ...]:
    """The lists the report names accounts of."""
    apart = {one.account_id: _apart(one) for one in data.explanations}
    movers = [(row["direction"], _row(row, apart)) for row in data.movers.to_dict("records")]
    prospects = tuple(_row(row, apart) for row in data.prospects.to_dict("records"))
    none_left = (
        "No account of the two best tiers is left to be won." if data.profile.tiers else "There are no tiers yet."
    )
    up, down = (tuple(row for direction, row in movers if direction == which) for which in ("up", "down"))
    return (
        AccountList("Work these first", "net_new.csv", prospects, none_left),
        AccountList("Risers", "risers.csv", up, "No account rose to a better tier."),
        AccountList("Fallers", "fallers.csv", down, "No account fell to a worse tier."),
    )


def _row(row: Mapping[Any, Any], apart: Mapping[str, Apart]) -> AccountRow:
    now, before = ("–" if pd.isna(row.get(name)) else count(row[name]) for name in ("fit_score", "previous_fit_score"))
    return AccountRow(
        account_name=_text(row.get("account_name")),
        company_domain=_text(row.get("company_domain")),
        tier=_text(row.get("tier")),
        previous_tier=_text(row.get("previous_tier")),
        fit_score=now,
        previous_fit_score=before,
        cause=_text(row.get("migration_cause")),
        reasons=_text(row.get("reasons")),
        apart=apart.get(str(row.get("account_id"))),
    )


def _apart(explanation: Explanation) -> Apart:
    scores = (f"fit {explanation.fit_score}", f"intent {explanation.intent_score}")
    near = [
        replace(one, account_id=shorten(one.account_id), account_name=shorten(one.account_name))
        for one in explanation.neighbours
    ]
    return Apart(
        explanation,
        summary=", ".join([*scores, *chance_words(explanation.win_probability)]),
        neighbours=neighbours_text(near),
        trail=trail_sentence(explanation.source),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
