"""`icp quick`: one CSV in, an ICP, its test and a page out. No project, no engine, no orchestrator."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icp.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from icp.profile import Attribute, BinEffect, Criterion
    from icp.quick import QuickResult
    from icp.report import ReportData
    from icp.sources.raw import RawColumn

WON = frozenset({"won", "closed won", "closed-won", "closedwon", "win", "yes", "y", "true", "t", "1", "converted"})
LOST = frozenset({"lost", "closed lost", "closed-lost", "closedlost", "loss", "no", "n", "false", "f", "0"})
NAMES_ACCOUNT = re.compile(r"(company|account|customer|client|organi[sz]ation)([ _]?name)?", re.IGNORECASE)
RESULT = "quick.json"
VALUES_SHOWN = 12
RESERVED = frozenset(
    {"observation_id", "account_id", "is_won", "outcome_quarter", "outcome_value", "is_backfilled", "role"}
)


@dataclass(frozen=True)
class Columns:
    """Which columns of the file play which part."""

    outcome: str
    value: str | None = None
    date: str | None = None
    id: str | None = None
    won: str | None = None
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class QuickRun:
    """What was found, what was guessed and left out on the way, and where the files are."""

    result: QuickResult
    data: ReportData
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    folder: Path


def run_quick(path: Path, columns: Columns, folder: Path) -> QuickRun:
    """Read the file, derive and test an ICP, and write what was found.

    Raises:
        ConfigError: the file or one of the named columns cannot be used; nothing was written.
        NotEnoughEvidence: too few won or lost rows to say anything; nothing was written.
    """
    from icp.quick import quick
    from icp.sources.inferred import read_whole_csv

    _require_ours(folder)
    if not path.is_file():
        raise ConfigError(f"There is no file {path}.")
    raw, notes = read_whole_csv(path.name, path.read_bytes())
    labels, found = _labels(raw, columns)
    frame, attributes, left_out = _with_attributes(labels, raw, columns)
    frame = frame[frame["is_won"].notna() & frame["outcome_quarter"].notna()].reset_index(drop=True)
    frame, attributes, leaks = _audited(frame, attributes, columns)
    left_out += leaks
    result = quick(frame, attributes, name=path.stem)
    notes += found
    data = _report_data(result, frame, attributes, path, columns, notes)
    run = QuickRun(result, data, tuple(left_out), tuple(notes), folder)
    _write(run)
    return run


def _require_ours(folder: Path) -> None:
    if folder.exists() and not (folder / RESULT).exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds files this command did not write. Name another folder with --out.")


def _labels(raw: dict[str, RawColumn], columns: Columns) -> tuple[pd.DataFrame, list[str]]:
    """Who won, when, worth what: a row per row of the file, empty where it is not known."""
    import pandas as pd

    from icp.sources.inferred import best_number, require, texts
    from icp.sources.parsing import clean

    outcome = require(raw, columns.outcome, "--outcome")
    won, notes = _won(texts(outcome), columns)
    rows = len(outcome)
    labels = pd.DataFrame({"observation_id": [f"row {n + 1:09d}" for n in range(rows)], "is_won": won})
    ids = texts(require(raw, columns.id, "--id")) if columns.id else [None] * rows
    labels["account_id"] = [id_ or row for id_, row in zip(ids, labels["observation_id"], strict=True)]
    labels["outcome_quarter"], dated = _quarters(raw, columns, won.notna())
    labels["outcome_value"] = float("nan")
    if columns.value:
        value = require(raw, columns.value, "--value")
        labels["outcome_value"] = best_number(value, clean(value.text)).values.to_pandas().astype(float)
    labels["is_backfilled"] = False
    return labels, notes + dated


def _won(values: Sequence[str | None], columns: Columns) -> tuple[pd.Series, list[str]]:
    """True, False, or nothing for rows whose outcome is not known yet."""
    import pandas as pd

    series = pd.Series(list(values), dtype=object)
    lower = series.str.lower()
    present = set(lower.dropna())
    if not present:
        raise ConfigError(f"Column {columns.outcome!r} (--outcome) has no value in any row.")
    won, lost = _meanings(present, columns, series)
    known = lower.isin(won) | lower.isin(lost)
    undecided = lower[lower.notna() & ~known]
    notes = []
    if columns.won is not None and not present & LOST:
        lost_as = series[lower.isin(lost)].value_counts()
        names = ", ".join(f"{value} ({count:,})" for value, count in lost_as.head(VALUES_SHOWN).items())
        notes.append(f"Everything but {columns.won} was counted as lost: {names}. Take open deals out of the file.")
    if len(undecided):
        names = ", ".join(f"{name} ({count:,})" for name, count in undecided.value_counts().head(5).items())
        notes.append(f"{len(undecided):,} rows are neither won nor lost and were left out: {names}.")
    if series.isna().any():
        notes.append(f"{int(series.isna().sum()):,} rows have no outcome and were left out.")
    return lower.isin(won).where(known, None).astype(object), notes


def _meanings(present: set[str], columns: Columns, series: pd.Series) -> tuple[set[str], set[str]]:
    if columns.won is not None:
        chosen = columns.won.strip().lower()
        if chosen not in present:
            raise ConfigError(f"No row of {columns.outcome!r} is {columns.won!r} (--won). {_values(series)}")
        return {chosen}, (present & LOST) or present - {chosen}
    won, lost = present & WON, present & LOST
    if (won and lost) or ((won or lost) and len(present) == 1):
        return won, lost
    raise ConfigError(
        f"What {columns.outcome!r} calls won is not clear. {_values(series)} Say which one is won: --won VALUE."
    )


def _values(series: pd.Series) -> str:
    counts = series.value_counts()
    shown = ", ".join(f"{value} ({count:,})" for value, count in counts.head(VALUES_SHOWN).items())
    more = f" and {len(counts) - VALUES_SHOWN:,} more" if len(counts) > VALUES_SHOWN else ""
    return f"It holds {shown}{more}."


def _quarters(raw: dict[str, RawColumn], columns: Columns, decided: pd.Series) -> tuple[pd.Series, list[str]]:
    """The calendar quarter of each row's outcome."""
    import pandas as pd

    from icp.quick import UNDATED
    from icp.sources.inferred import best_instant, require
    from icp.sources.parsing import clean

    if columns.date is None:
        what = "accounts" if columns.id else "rows"
        note = f"No --date was given, so the test is on one half of the {what} instead of on the newest quarter."
        return pd.Series([UNDATED] * len(decided)), [note]
    column = require(raw, columns.date, "--date")
    moments = best_instant(column, clean(column.text)).values.to_pandas()
    if moments.isna().all():
        raise ConfigError(f"No value of {columns.date!r} (--date) reads as a date, for example {_example(column)!r}.")
    quarters = moments.dt.year.map("{:04.0f}Q".format) + moments.dt.quarter.map("{:.0f}".format)
    undated = int((moments.isna() & decided).sum())
    return quarters.where(moments.notna(), None), [
        f"{undated:,} rows have no date and were left out."
    ] if undated else []


def _example(column: RawColumn) -> str:
    from icp.sources.inferred import texts

    return next((value for value in texts(column) if value), "")


def _with_attributes(
    labels: pd.DataFrame, raw: dict[str, RawColumn], columns: Columns
) -> tuple[pd.DataFrame, list[Attribute], list[tuple[str, str]]]:
    import pandas as pd

    from icp.profile import Attribute
    from icp.sources.inferred import infer, require

    for name in columns.keep:
        require(raw, name, "--keep")
    taken = {columns.outcome, columns.value, columns.date, columns.id}
    attributes, left_out, values = [], [], {}
    for column in (name for name in raw if name not in taken):
        if NAMES_ACCOUNT.fullmatch(column) and column not in columns.keep:
            hint = (
                ""
                if columns.id
                else f"; give it as --id {column} so that deals of one account are not counted as strangers"
            )
            left_out.append((column, f"it names the account{hint}"))
            continue
        found = infer(column, raw[column], keep=column in columns.keep)
        if found.kind is None or found.values is None:
            left_out.append((column, found.reason))
            continue
        name = f"{column}_column" if column in RESERVED else column
        attributes.append(Attribute(name, found.kind, "firmographic", column.replace("_", " ")))
        values[name] = found.values
    return pd.concat([labels, pd.DataFrame(values)], axis=1), attributes, left_out


def _audited(
    frame: pd.DataFrame, attributes: Sequence[Attribute], columns: Columns
) -> tuple[pd.DataFrame, list[Attribute], list[tuple[str, str]]]:
    """Without the columns that know the outcome, except those the user wants kept."""
    from icp.leaks import find_leaks

    vouched = [a.name for a in attributes if a.name.removesuffix("_column") in columns.keep or a.name in columns.keep]
    leaks = {leak.column: leak for leak in find_leaks(frame, attributes, accepted=vouched)}
    told = [
        (name, f"It knows the outcome: {leak.evidence}. If it is known beforehand, keep it with --keep.")
        for name, leak in leaks.items()
    ]
    kept = [attribute for attribute in attributes if attribute.name not in leaks]
    return frame.drop(columns=list(leaks)), kept, told


def _report_data(
    result: QuickResult,
    frame: pd.DataFrame,
    attributes: Sequence[Attribute],
    path: Path,
    columns: Columns,
    notes: Sequence[str],
) -> ReportData:
    from icp.approval import Approval
    from icp.publication import coverage
    from icp.report import ReportData, ReportMeta

    meta = ReportMeta(
        company=path.stem,
        as_of="",
        revision="",
        approval=Approval("approved", ""),
        inputs_hash="",
        config_hash="",
        code_hash="",
        label=f"won against lost by {columns.outcome}",
        notes=tuple(notes),
    )
    return ReportData(
        profile=result.profile,
        diff=result.diff,
        meta=meta,
        backtest=result.backtest,
        coverage=coverage(frame, frame, attributes),
    )


def _write(run: QuickRun) -> None:
    from icp.derive import points_table
    from icp.publication import write_csv
    from icp.report.quick_page import render_quick_report
    from icp.scoring import compile_scoring_sql
    from icp.serialize import profile_to_yaml, rounded, to_json

    profile = rounded(run.result.profile)
    judged = run.result.backtest
    data = replace(run.data, profile=profile, backtest=rounded(judged) if judged else None)
    files = {
        "report.html": render_quick_report(data, run.left_out),
        "profile.yml": profile_to_yaml(profile),
        "scoring.sql": compile_scoring_sql(profile, relation="accounts"),
        RESULT: to_json(summary(run)),
    }
    run.folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (run.folder / name).write_text(text, encoding="utf-8")
    write_csv(run.folder / "points.csv", points_table(profile))


def summary(run: QuickRun) -> dict[str, Any]:
    """What was found, for programs."""
    profile = run.result.profile
    return {
        "verdict": run.result.diff.sentence,
        "state": profile.state,
        "paragraph": profile.paragraph,
        "opportunities": profile.opportunities,
        "wins": profile.wins,
        "base_rate": profile.base_rate,
        "criteria": profile.fit.criteria,
        "tiers": profile.tiers,
        "tests": profile.tests,
        "backtest": run.result.backtest,
        "left_out": [{"column": column, "reason": reason} for column, reason in run.left_out],
        "notes": [*run.notes, *profile.notes],
    }


def in_words(run: QuickRun) -> str:
    """What was found, for a terminal."""
    profile, judged = run.result.profile, run.result.backtest
    lines = [run.result.diff.sentence, "", profile.paragraph, ""]
    lines += [line for criterion in profile.fit.criteria if criterion.headline for line in _criterion(criterion)]
    tested = judged.sentence if judged else "Too few rows to keep some aside for a test."
    lines += ["", f"Tested: {tested}"]
    lines += [f"Note: {note}" for note in run.notes]
    lines += [f"Left out: {column}: {reason}" for column, reason in run.left_out]
    return "\n".join([*lines, "", f"Report: {run.folder / 'report.html'}"])


def _criterion(criterion: Criterion) -> list[str]:
    told = [effect for effect in criterion.bins if effect.stance != "neutral"]
    return [f"{criterion.label} (q {criterion.q_value:.3g})", *(_bin(effect) for effect in told)]


def _bin(effect: BinEffect) -> str:
    odds = effect.odds
    return (
        f"  {effect.stance:<4}{effect.label:<28} odds x{odds.value:.2f} [{odds.low:.2f}-{odds.high:.2f}]  "
        f"{effect.wins:,} won of {effect.opportunities:,}"
    )
