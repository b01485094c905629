"""`icp quick`: one CSV in, an ICP, its test and a page out. No project, no engine, no orchestrator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date as Day
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.quick_rows import NAMES_ACCOUNT, Columns, label_rows, require_columns, with_account
from icp.errors import ConfigError, NotEnoughEvidence

if TYPE_CHECKING:
    import pandas as pd

    from icp.profile import Attribute, BinEffect, Criterion
    from icp.quick import QuickResult
    from icp.report import ReportData
    from icp.sources.whole_csv import WholeCsv

RESULT = "quick.json"
RESERVED = frozenset(
    {"observation_id", "account_id", "is_won", "outcome_quarter", "outcome_value", "is_backfilled", "role"}
)


@dataclass(frozen=True)
class QuickRun:
    """What was found, what was guessed and left out on the way, and where the files are."""

    result: QuickResult
    data: ReportData
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    folder: Path
    has_values: bool


def run_quick(path: Path, columns: Columns, folder: Path, today: Day) -> QuickRun:
    """Read the file, derive and test an ICP, and write what was found.

    Args:
        path: the CSV.
        columns: which of its columns say what.
        folder: where the results go; made if absent.
        today: outcomes dated later cannot be known yet and are left out.

    Raises:
        ConfigError: the file or one of the named columns cannot be used; nothing was written.
        NotEnoughEvidence: too few won or lost rows, or no usable column; nothing was written.
    """
    from icp.quick import quick
    from icp.sources.whole_csv import read_whole_csv

    _require_ours(folder)
    file = read_whole_csv(path.name, _bytes(path))
    require_columns(file, columns)
    columns, taken_for = with_account(file, columns)
    labels, told = label_rows(file, columns, today)
    found = _with_attributes(labels, file, columns)
    frame, attributes, leaks, warned = _audited(found.frame, found.attributes, columns)
    left_out = [*found.left_out, *leaks]
    notes = [*file.notes, *taken_for, *told, *found.notes, *warned]
    try:
        result = quick(frame, attributes, name=path.stem)
    except NotEnoughEvidence as lack:
        raise NotEnoughEvidence("\n".join([str(lack), *_asides(notes, left_out)])) from None
    if columns.date is None:
        what = "accounts" if columns.id else "rows"
        notes.append(f"No --date was given, so the test is on one half of the {what} instead of on the newest quarter.")
    notes += result.notes
    data = _report_data(result, frame, attributes, path, columns, notes)
    run = QuickRun(result, data, tuple(left_out), tuple(notes), folder, columns.value is not None)
    _write(run)
    return run


def _bytes(path: Path) -> bytes:
    if not path.exists():
        raise ConfigError(f"There is no file {path}.")
    if not path.is_file():
        raise ConfigError(f"{path} is a folder, not a CSV file.")
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}.") from None


def _require_ours(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file. Name a folder with --out.")
    if folder.exists() and not (folder / RESULT).exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds files this command did not write. Name another folder with --out.")


@dataclass(frozen=True)
class _Found:
    """The label rows with the columns that can be attributes, what was left out and why, and how cells were read."""

    frame: pd.DataFrame
    attributes: list[Attribute]
    left_out: list[tuple[str, str]]
    notes: list[str]


def _with_attributes(labels: pd.DataFrame, file: WholeCsv, columns: Columns) -> _Found:
    import pandas as pd

    from icp.profile import Attribute
    from icp.sources.inferred import infer

    taken = set(columns.options().values())
    attributes, left_out = [], []
    notes: list[str] = []
    values: dict[str, pd.Series] = {}
    patterns: dict[str, str] = {}
    for column in (name for name in file.columns if name not in taken):
        if NAMES_ACCOUNT.fullmatch(column) and column not in columns.keep:
            hint = "" if columns.id else f"; give it as --id {column} if its rows are deals of one account"
            left_out.append((column, f"it names the account{hint}"))
            continue
        found = infer(column, file.columns[column], keep=column in columns.keep, prefer=file.number_format)
        if found.kind is None or found.values is None:
            left_out.append((column, found.reason))
            continue
        name = _free_name(column, file)
        twin = patterns.setdefault(_pattern(found.values), column)
        if twin != column and column not in columns.keep:
            left_out.append((column, f"it tells the rows apart just as {twin!r} does"))
            continue
        attributes.append(Attribute(name, found.kind, "firmographic", column.replace("_", " ")))
        values[name] = found.values
        notes += found.notes
    frame = pd.concat([labels, *(series.loc[labels.index].rename(name) for name, series in values.items())], axis=1)
    return _Found(frame.reset_index(drop=True), attributes, left_out, notes)


def _free_name(column: str, file: WholeCsv) -> str:
    while column in RESERVED:
        column += "_column"
        while column in file.columns:
            column += "_"
    return column


def _pattern(values: pd.Series) -> str:
    """The same for columns that are codes of each other: numbers in the same or the opposite order, names one to one.
    Together they would share the evidence there is, and neither might be confirmed."""
    import pandas as pd

    if not pd.api.types.is_float_dtype(values):
        return sha256(pd.factorize(values)[0].tobytes()).hexdigest()
    rank = values.rank(method="dense")
    both = (rank.fillna(0), (rank.max() + 1 - rank).fillna(0))
    return "number " + min(sha256(one.to_numpy().tobytes()).hexdigest() for one in both)


def _audited(
    frame: pd.DataFrame, attributes: Sequence[Attribute], columns: Columns
) -> tuple[pd.DataFrame, list[Attribute], list[tuple[str, str]], list[str]]:
    """Without the columns that know the outcome, except those the user wants kept, of which a note warns."""
    from icp.leaks import find_leaks

    vouched = {a.column for a in attributes if {a.name, a.name.removesuffix("_column")} & set(columns.keep)}
    convicted = find_leaks(frame, attributes)
    leaks = {leak.column: leak for leak in convicted if leak.column not in vouched}
    told = [
        (name, f"It knows the outcome: {leak.evidence}. If it is known beforehand, keep it with --keep.")
        for name, leak in leaks.items()
    ]
    kept = [attribute for attribute in attributes if attribute.name not in leaks]
    warned = [
        f"{leak.column} is kept as --keep says, though it looks as if it knew the outcome: {leak.evidence}. Unless it is known "
        "beforehand, nothing here will hold for accounts that are still open."
        for leak in convicted
        if leak.column in vouched
    ]
    return frame.drop(columns=list(leaks)), kept, told, warned


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
        "value": profile.value,
        "backtest": run.result.backtest,
        "left_out": [{"column": column, "reason": reason} for column, reason in run.left_out],
        "notes": [*run.notes, *profile.notes],
    }


def in_words(run: QuickRun) -> str:
    """What was found, for a terminal."""
    from icp.report.quick_page import value_words

    profile, judged = run.result.profile, run.result.backtest
    lines = [run.result.diff.sentence, "", profile.paragraph, ""]
    lines += [line for criterion in profile.fit.criteria if criterion.headline for line in _criterion(criterion)]
    tested = judged.sentence if judged else "Too few rows to keep some aside for a test."
    lines += ["", f"Tested: {tested}"]
    if profile.value is not None:
        lines.append(f"Value: {value_words(profile.value)}")
    elif run.has_values:
        lines.append("Value: too few won rows have a value above 0 to say what a win is worth.")
    lines += _asides(run.notes, run.left_out)
    return "\n".join([*lines, "", f"Report: {run.folder / 'report.html'}"])


def _asides(notes: Sequence[str], left_out: Sequence[tuple[str, str]]) -> list[str]:
    """How the file was read and which columns were not used, a line each."""
    return [*(f"Note: {note}" for note in notes), *(f"Left out: {column}: {reason}" for column, reason in left_out)]


def _criterion(criterion: Criterion) -> list[str]:
    told = [effect for effect in criterion.bins if effect.stance != "neutral"]
    return [f"{criterion.label} (q {criterion.q_value:.3g})", *(_bin(effect) for effect in told)]


def _bin(effect: BinEffect) -> str:
    odds = effect.odds
    is_sure = odds.low > 1 or odds.high < 1
    reading = f"{'wins' if is_sure else 'probably'} {'more' if effect.stance == 'in' else 'less'}"
    return (
        f"  {reading:<14} {effect.label:<28} odds x{odds.value:.2f} [{odds.low:.2f}-{odds.high:.2f}]  "
        f"{effect.wins:,} won of {effect.opportunities:,}"
    )
