"""Why one account has the score it has: its points, one by one, with the evidence and the trail to the source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from icp.account_context import Neighbour, SinceBefore, neighbours_text, since_text
from icp.errors import IcpError
from icp.profile import Axis, BinEffect, Contrast, Criterion, Estimate, Grade, Profile

NOTHING_BEFORE = "Nothing to compare with: it had no score in an ICP before."


@dataclass(frozen=True)
class PointsLine:
    """What one attribute of the account is worth, and how sure we are that it matters."""

    attribute: str
    label: str
    axis: Axis
    value: str
    bin_label: str
    points: int
    average_points: float
    odds: Estimate
    grade: Grade
    since: str


@dataclass(frozen=True)
class SourceTrail:
    """Where the record of the account came from; empty text and None where that was not recorded.

    What an account does is summed over rows of other tables, which no single row stands for.
    """

    known_at: str
    load_id: str
    row: int | None
    table: str = "accounts"


@dataclass(frozen=True)
class Explanation:
    """One account's score, taken apart. The points of each axis sum to its score, which is checked.

    `since` is None where no ICP was in force before or the account was not in it; `revision` is where it was read.
    """

    account_id: str
    account_name: str
    icp: str
    quarter: str
    tier: str
    fit_score: int
    intent_score: int
    win_probability: float | None
    lines: tuple[PointsLine, ...]
    source: SourceTrail
    contrast: Contrast = "won_or_lost"
    revision: str = ""
    since: SinceBefore | None = None
    neighbours: tuple[Neighbour, ...] = ()

    def axis_lines(self, axis: Axis) -> tuple[PointsLine, ...]:
        """The lines of one axis, the one that sets the account apart most (up or down) first."""
        lines = (line for line in self.lines if line.axis == axis)
        return tuple(sorted(lines, key=lambda line: (-abs(line.points - line.average_points), line.attribute)))


def explain(account: Mapping[str, Any], contributions: Iterable[Mapping[str, Any]], profile: Profile) -> Explanation:
    """Take one account's score apart into points anybody can check.

    Args:
        account: Its row of `accounts.parquet`; `known_at`, `source_load_id` and `source_row` are used when present.
        contributions: Its rows of `contributions.parquet` (rows of other accounts are passed over).
        profile: The profile that scored it.

    Raises:
        IcpError: The points do not sum to the score, or belong to another profile.
    """
    rows = [row for row in contributions if row["account_id"] == account["account_id"]]
    explanation = Explanation(
        account_id=str(account["account_id"]),
        account_name=_text(account.get("account_name")),
        icp=profile.icp,
        quarter=profile.quarter,
        tier=_text(account.get("tier")),
        fit_score=int(account["fit_score"]),
        intent_score=int(account["intent_score"]),
        win_probability=_number(account.get("win_probability")),
        lines=tuple(_line(row, profile) for row in rows),
        source=_trail(account),
        contrast=profile.contrast,
    )
    _check_sums(explanation)
    return explanation


def explanation_text(explanation: Explanation) -> str:
    """The explanation as plain text for a terminal or a CRM note."""
    parts = [_headline(explanation)]
    for axis, score in (("fit", explanation.fit_score), ("intent", explanation.intent_score)):
        lines = explanation.axis_lines("fit" if axis == "fit" else "intent")
        if lines:
            parts.append(_table(lines, f"{axis} score", score, explanation.contrast))
    if explanation.revision:
        since = explanation.since
        parts.append(since_text(since, explanation.tier, explanation.fit_score) if since else NOTHING_BEFORE)
        parts.append(neighbours_text(explanation.neighbours))
    parts.append(trail_sentence(explanation.source))
    if explanation.revision:
        parts.append(f"Read from revision {explanation.revision}.")
    return "\n\n".join(parts) + "\n"


def _line(row: Mapping[str, Any], profile: Profile) -> PointsLine:
    axis: Axis = "fit" if row["axis"] == "fit" else "intent"
    criterion = profile.scorecard(axis).criterion(str(row["attribute"]))
    effect = _effect(criterion, str(row["bin_key"])) if criterion else None
    if criterion is None or effect is None:
        raise IcpError(
            f"Account {row['account_id']} has points for '{row['attribute']}' = '{row['bin_key']}', which the profile "
            f"{profile.icp} {profile.quarter} does not have. Read the points of the same revision as the profile."
        )
    return PointsLine(
        attribute=criterion.attribute,
        label=criterion.label,
        axis=axis,
        value=_text(row.get("value_text")) or "not known",
        bin_label=effect.label,
        points=int(row["points"]),
        average_points=float(row["average_points"]),
        odds=effect.odds,
        grade=criterion.grade,
        since=criterion.since,
    )


def _effect(criterion: Criterion, key: str) -> BinEffect | None:
    return next((effect for effect in criterion.bins if effect.key == key), None)


def _trail(account: Mapping[str, Any]) -> SourceTrail:
    row = _number(account.get("source_row"))
    return SourceTrail(
        known_at=_text(account.get("known_at")),
        load_id=_text(account.get("source_load_id")),
        row=None if row is None else int(row),
    )


def _check_sums(explanation: Explanation) -> None:
    for axis, score in (("fit", explanation.fit_score), ("intent", explanation.intent_score)):
        total = sum(line.points for line in explanation.lines if line.axis == axis)
        if total != score:
            raise IcpError(
                f"Account {explanation.account_id}: its {axis} points sum to {total} but its {axis} score is {score}. "
                "The accounts and the contributions are not of the same revision; read both from one folder."
            )


def _headline(explanation: Explanation) -> str:
    name = explanation.account_name or explanation.account_id
    scores = [f"fit {explanation.fit_score} of 100", f"intent {explanation.intent_score} of 100"]
    tier = [f"tier {explanation.tier}"] if explanation.tier else []
    odds = chance_words(explanation.win_probability)
    return f"{name}, ICP {explanation.icp} of {explanation.quarter}\n{' · '.join([*tier, *scores, *odds])}"


def chance_words(chance: float | None) -> tuple[str, ...]:
    """How likely an account is won, in words; none where that is not known."""
    return () if chance is None else (f"{chance:.0%} expected to be won if worked",)


def _table(lines: tuple[PointsLine, ...], name: str, score: int, contrast: Contrast) -> str:
    odds_of = "winning" if contrast == "won_or_lost" else "being a customer"
    head = ("points", "vs average", "criterion", "value", "group", f"odds of {odds_of} (95 % interval)")
    rows = [head, *(_cells(line) for line in lines), (str(score), "", name, "", "", "")]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join(_aligned(row, widths) for row in rows)


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if i < 2 else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _cells(line: PointsLine) -> tuple[str, ...]:
    odds = f"×{line.odds.value:.2f} ({line.odds.low:.2f} to {line.odds.high:.2f})"
    graded = odds if line.grade == "confirmed" else f"{odds}, {line.grade}"
    above = f"{line.points - line.average_points:+.1f}"
    return (str(line.points), above, line.label, line.value, line.bin_label, graded)


def trail_sentence(source: SourceTrail) -> str:
    """Where the record of the account came from, in words."""
    if not source.load_id:
        return "Source: not recorded for this account."
    row = "" if source.row is None else f", row {source.row}"
    known = f", known since {source.known_at}" if source.known_at else ""
    return f"Source: table {source.table}, load {source.load_id}{row}{known}."


def _is_unknown(value: Any) -> bool:
    return bool(pd.isna(value))


def _text(value: Any) -> str:
    if _is_unknown(value):
        return ""
    return value.strftime("%Y-%m-%d") if isinstance(value, datetime) else str(value)


def _number(value: Any) -> float | None:
    return None if _is_unknown(value) else float(value)
