"""The files of one revision, written into a working folder; nothing here decides, renames or reads a clock.

Two steps, because the warehouse scores the accounts in between: `write_candidate` puts down what scores (profile,
points, SQL), dbt adds `accounts.parquet`, `contributions.parquet` and `migration.parquet`, and `write_findings` puts
down what people read. Both write the same bytes for the same results.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from icp.errors import IcpError
from icp.profile import Attribute, Profile
from icp.report import (
    ReportData,
    diff_markdown,
    render_report,
    render_workbook,
    tier_moves,
    track_record_of,
    verdict_sentence,
)
from icp.report.qualitative_view import personas_markdown
from icp.report.sayings import icp_markdown, mql_sql
from icp.serialize import SCHEMA_VERSION, from_json, profile_to_yaml, to_json
from icp.tier_lists import LISTS, by_fit, qualified_tiers, tier_names
from icp.track_record import TrackedQuarter

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
LIST_COLUMNS = (
    "account_id", "account_name", "company_domain", "is_customer", "tier", "is_icp_qualified", "previous_tier", "priority",
    "fit_score", "previous_fit_score", "intent_score", "win_probability", "expected_value", "migration_cause", "reasons",
)  # fmt: skip
POINTS_TYPES = {"points": pa.int64(), "levels": pa.list_(pa.string())} | dict.fromkeys(
    ("lower", "upper", "odds", "odds_low", "odds_high", "average_points"), pa.float64()
)


def write_candidate(folder: Path, *, profile: Profile, points: pd.DataFrame, scoring_sql: str) -> None:
    """Put down what scores: `profile.yml`, `points.parquet`, `scoring.sql`. The warehouse reads the last two."""
    _write_text(folder / "profile.yml", profile_to_yaml(profile))
    _write_text(folder / "scoring.sql", scoring_sql.rstrip("\n") + "\n")
    write_parquet(folder / "points.parquet", points, POINTS_TYPES)


def write_findings(
    folder: Path,
    data: ReportData,
    case_studies: pd.Series[str] | None = None,
    best: pd.DataFrame | None = None,
) -> None:
    """Put down what people read: evidence, comparison, backtest, the account lists, the workbook and the report.

    Args:
        folder: The revision in the making, with the warehouse's part.
        data: What the report is made from.
        case_studies: The link of the case study that fits each account, by account id; None writes no such column.
        best: The best customers with the parts of the label that made them so, see `icp.best_customers`; None where the
            project asks for no such list.

    Raises:
        IcpError: the warehouse has not written `accounts.parquet` into the folder.
    """
    accounts = read_accounts(folder)
    _write_text(folder / "evidence.json", to_json(evidence(data)))
    _write_text(folder / "diff.json", to_json(comparison(data)))
    _write_text(folder / "diff.md", diff_markdown(data))
    _write_text(folder / "backtest.json", to_json(judgement(data)))
    _write_text(folder / "tam.json", to_json({"icp": data.profile.icp, "market": data.market}))
    if data.what_if is not None:
        _write_text(folder / "what_if.json", to_json(data.what_if))
    if data.beliefs is not None:
        _write_text(folder / "beliefs.json", to_json(data.beliefs))
    _write_text(folder / "sensitivity.json", to_json({"icp": data.profile.icp, "sensitivity": data.sensitivity}))
    write_csv(folder / "accounts.csv", accounts)
    lists = {
        name: with_case_studies(chosen(accounts, tier_names(data.profile)), case_studies)
        for name, chosen in LISTS.items()
    }
    for name, table in lists.items():
        columns = [column for column in (*LIST_COLUMNS, "case_study") if column in table]
        write_csv(folder / "lists" / f"{name}.csv", table[columns])
    if best is not None:
        write_csv(folder / "lists" / "best_customers.csv", best)
    qualified = qualified_tiers(accounts, data.profile)
    _write_text(folder / "icp.md", icp_markdown(data.profile, qualified))
    scoring = (folder / "scoring.sql").read_text(encoding="utf-8")
    _write_text(folder / "mql.sql", mql_sql(data.profile, qualified, scoring))
    known = data.qualitative
    if known.personas or known.case_studies:
        _write_text(folder / "personas.md", personas_markdown(known.personas, known.case_studies, data.profile))
    facts = read_rep_facts(folder)
    if case_studies is not None:
        facts = facts.drop(columns="case_study", errors="ignore")
    ordered = with_case_studies(by_fit(accounts), case_studies)
    with_facts = {name: with_rep_facts(table, facts) for name, table in lists.items()}
    (folder / "workbook.xlsx").write_bytes(render_workbook(data, with_rep_facts(ordered, facts), with_facts, best))
    _write_text(folder / "report.html", render_report(data))


def with_case_studies(accounts: pd.DataFrame, links: pd.Series[str] | None) -> pd.DataFrame:
    """The accounts with the `case_study` that fits each; the same table where there are none."""
    return accounts if links is None else accounts.assign(case_study=accounts["account_id"].map(links).fillna(""))


def evidence(data: ReportData) -> Mapping[str, Any]:
    """What the ICP rests on: counts, window, the test of every candidate, coverage, what was left out, and the run."""
    profile, meta = data.profile, data.meta
    coverage = data.coverage.astype(object).where(data.coverage.notna(), None)
    return {
        "icp": profile.icp, "quarter": profile.quarter, "state": profile.state, "window": profile.window,
        "opportunities": profile.opportunities, "wins": profile.wins, "base_rate": profile.base_rate,
        "tests": profile.tests, "tiers": profile.tiers, "notes": (*profile.notes, *meta.notes),
        "change_points": profile.change_points,
        "exposure": data.exposure, "contrasts": data.contrasts,
        "value": profile.value,
        "coverage": coverage.to_dict("records"), "exclusions": meta.exclusions, "sources": meta.sources,
        "as_of": meta.as_of, "inputs_hash": meta.inputs_hash, "config_hash": meta.config_hash,
        "code_hash": meta.code_hash,
    }  # fmt: skip


def comparison(data: ReportData) -> Mapping[str, Any]:
    """What changed against the ICP in force: the verdict in words, the tier moves, and every tested line (or none)."""
    return {
        "icp": data.profile.icp, "after": data.profile.quarter,
        "before": data.incumbent.quarter if data.incumbent else None,
        "verdict": verdict_sentence(data), "tier_moves": tier_moves(data.migration), "comparison": data.diff,
    }  # fmt: skip


def judgement(data: ReportData) -> Mapping[str, Any]:
    """How the ICP in force did on this quarter's outcomes, and its record over all quarters judged so far."""
    return {"icp": data.profile.icp, "backtest": data.backtest, "track_record": track_record_of(data)}


def read_accounts(folder: Path) -> pd.DataFrame:
    """The scored accounts of a revision, whole numbers kept whole where some are missing."""
    return read_table(folder / "accounts.parquet")


# What reps read beside a score, and the declared attributes it may be found under (icp.yml: `attributes`).
REP_FACTS = {
    "operating_model": ("attr_operating_model", "attr_business_model"),
    "case_study": ("attr_case_study", "attr_case_study_url", "attr_case_study_link"),
    "persona_notes": ("attr_persona_notes", "attr_personas", "attr_persona"),
}


def read_rep_facts(folder: Path) -> pd.DataFrame:
    """Operating model, case study and persona notes of each account, as far as icp.yml declares them."""
    path = folder / "features.parquet"
    held = pq.read_schema(path).names if path.exists() else []
    found = {fact: next((n for n in names if n in held), None) for fact, names in REP_FACTS.items()}
    columns = {name: fact for fact, name in found.items() if name}
    if not columns:
        return pd.DataFrame(columns=["account_id"])
    rows = pd.read_parquet(path, columns=["account_id", *columns], filters=[("role", "=", "score")])
    return rows.rename(columns=columns).drop_duplicates("account_id")


def with_rep_facts(accounts: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """The accounts, in their order, with those facts."""
    return accounts.merge(facts, on="account_id", how="left") if len(facts) else accounts


def read_migration(folder: Path) -> pd.DataFrame:
    """How many accounts moved from which tier to which, and why."""
    return read_table(folder / "migration.parquet")


def read_history(folders: Iterable[Path]) -> tuple[TrackedQuarter, ...]:
    """How each past ICP did on the outcomes that followed, from the `backtest.json` of past revisions, oldest first.

    Every revision carries the record up to its own quarter; its newest line is its own, and is all that is taken.
    """
    found = []
    for folder in folders:
        body = json.loads((folder / "backtest.json").read_text(encoding="utf-8"))
        own = (body["backtest"] or {}).get("quarter")
        record = body.get("track_record") or {"quarters": []}  # revisions of before there was one have none
        found += [line for line in record["quarters"] if line["quarter"] == own]
    lines = [from_json(TrackedQuarter, json.dumps(line | {"schema_version": SCHEMA_VERSION})) for line in found]
    return tuple(sorted(lines, key=lambda line: line.quarter))


# -- tables ------------------------------------------------------------------------------------------------------------


def coverage(labels: pd.DataFrame, universe: pd.DataFrame, attributes: Sequence[Attribute]) -> pd.DataFrame:
    """How well each attribute is filled, and how much of it was known at the time rather than filled in later.

    Args:
        labels: The label rows of the feature frame (with `is_backfilled`).
        universe: The score rows.
        attributes: The declared attributes; members of a set share one line.
    """
    declared = {attribute.column: attribute for attribute in reversed(attributes)}
    rows = [_coverage_row(labels, universe, declared[column]) for column in reversed(declared)]
    return pd.DataFrame(rows, columns=["attribute", "label", "family", *_COVERAGE_SHARES])


_COVERAGE_SHARES = ("filled_share", "universe_filled_share", "backfilled_share")


def _coverage_row(labels: pd.DataFrame, universe: pd.DataFrame, attribute: Attribute) -> tuple[Any, ...]:
    filled = labels[attribute.column].notna()
    backfilled = labels.loc[filled, "is_backfilled"].astype(float).mean() if filled.any() else 0.0
    shares = (float(filled.mean()), float(universe[attribute.column].notna().mean()), float(backfilled))
    return (
        attribute.column,
        f"{attribute.label} …" if attribute.kind == "set" else attribute.label,  # "Uses …": one line for all members
        attribute.family,
        *(0.0 if share != share else share for share in shares),
    )


# -- files -------------------------------------------------------------------------------------------------------------


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """A table that a spreadsheet shows and never executes."""
    _write_text(path, csv_text(table))


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV for spreadsheets: text that looks like a formula starts with an apostrophe."""
    safe = table.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]) and not pd.api.types.is_bool_dtype(safe[column]):
            safe[column] = safe[column].astype(object).map(spreadsheet_safe, na_action="ignore")
    return str(safe.to_csv(index=False, lineterminator="\n", float_format="%.10g"))


def spreadsheet_safe(cell: object) -> object:
    """The cell as a spreadsheet should see it; numbers stay numbers.

    >>> spreadsheet_safe("=HYPERLINK(1)"), spreadsheet_safe("Acme"), spreadsheet_safe(-5)
    ("'=HYPERLINK(1)", 'Acme', -5)
    """
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\x00", "")
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def write_parquet(path: Path, table: pd.DataFrame, types: Mapping[str, pa.DataType] | None = None) -> None:
    """A table as Parquet: no index, no library metadata, columns without a value typed (text unless `types` says)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    for place, field in enumerate(arrow.schema):
        wanted = (types or {}).get(field.name) or _default_type(field)
        if wanted != field.type:
            arrow = arrow.set_column(place, pa.field(field.name, wanted), arrow.column(place).cast(wanted))
    pq.write_table(arrow, path, compression="zstd")


def _default_type(field: pa.Field) -> pa.DataType:
    is_text = pa.types.is_null(field.type) or pa.types.is_large_string(field.type)
    return pa.string() if is_text else field.type


def read_table(path: Path) -> pd.DataFrame:
    """A table of a revision, whole numbers kept whole where some are missing."""
    if not path.exists():
        raise IcpError(f"{path.name} is not in {path.parent}: build the serving models into this folder first")
    return pd.read_parquet(path, dtype_backend="numpy_nullable")


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))
