"""Run a suite of rules on a frame with Great Expectations and say what failed, on which rows, and what to do.

Great Expectations takes about three seconds to import, so it is imported by the first suite that runs; its context is
in memory, is reused by later suites of the process, writes no files and sends nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from expectations.result import ROWS_SHOWN, Finding, GateResult, Observation
from expectations.suite import Check, FilledSuite, fill_suite, suite_path
from icp.errors import ConfigError

__all__ = ["Finding", "GateResult", "Observation", "read_landed", "run_suite", "suite_path"]

_ONE_AT_A_TIME = threading.Lock()
_EMAIL = r"[^\s@'\"=:;,<>]+@[^\s@'\"=:;,<>]+"
_VALUE_WIDTH = 60
EARLIEST, LATEST = pd.Timestamp("1700-01-01"), pd.Timestamp("2250-01-01")


def run_suite(
    suite: Path,
    frame: pd.DataFrame,
    *,
    label: str,
    index_columns: Sequence[str] = ("_row",),
    parameters: Mapping[str, Any] | None = None,
) -> GateResult:
    """Whether the frame may pass this boundary, with the rows to look at where it may not.

    A failed `critical` rule refuses the frame; a failed `warning` is only reported. Every rule is first asked for a
    yes or no; only those that failed are asked again for counts and rows, so that good data pass quickly.

    Args:
        suite: the suite's YAML file (see `expectations.suite`).
        frame: what is about to pass; moments are naive UTC.
        label: what the frame is, in words, for the summary ("crm accounts").
        index_columns: the columns that name a row to a person; those the frame has are used.
        parameters: values for `{...}` in the suite; names the suite does not declare are ignored.

    Raises:
        ConfigError: the suite is malformed or a required parameter is missing.
    """
    filled = fill_suite(suite, frame, parameters or {})
    view = _comparable(frame)
    runnable = [check for check in filled.checks if set(check.columns) <= set(view.columns)]
    absent = [check for check in filled.checks if check not in runnable]
    with _ONE_AT_A_TIME:
        verdicts = _validate(suite, view, runnable, "BOOLEAN_ONLY")
        asked = zip(runnable, verdicts, strict=True)
        again = [check for check, verdict in asked if not verdict.success or check.reports]
        detailed = list(zip(again, _validate(suite, view, again, "SUMMARY"), strict=True))
    names = tuple(name for name in index_columns if name in frame.columns)
    findings = [_absent(check, view) for check in absent]
    findings += [_finding(check, verdict, frame, names) for check, verdict in detailed if not verdict.success]
    return _result(filled, label, frame, names, findings, [_observed(*pair) for pair in detailed if pair[0].reports])


def read_landed(paths: Sequence[Path]) -> pd.DataFrame:
    """Landed Parquet as a frame whose dates are moments, which are checked twice as fast as Python's dates."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [pq.read_table(path) for path in paths]
    frame: pd.DataFrame = pa.concat_tables(tables, promote_options="default").to_pandas(date_as_object=False)
    return frame


def _result(
    filled: FilledSuite,
    label: str,
    frame: pd.DataFrame,
    index_columns: tuple[str, ...],
    findings: Sequence[Finding],
    observed: Sequence[Observation],
) -> GateResult:
    failures = tuple(finding for finding in findings if finding.severity == "critical")
    return GateResult(
        suite=filled.name,
        label=label,
        success=not failures,
        rows=len(frame),
        checks_passed=len(filled.checks) - len(findings),
        checks_failed=len(findings),
        index_columns=index_columns or ("row",),
        failures=failures,
        warnings=tuple(finding for finding in findings if finding.severity != "critical"),
        skipped=filled.skipped,
        observed=tuple(observed),
    )


def _comparable(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as float64, datetime64[ns], text and booleans: what Great Expectations compares without a Python loop.

    Rows are numbered from 0, so that a position found by a rule leads back to the row of the original frame.
    """
    columns = {name: _comparable_column(frame[name]) for name in frame.columns}
    return pd.DataFrame(columns).reset_index(drop=True)


def _comparable_column(column: pd.Series) -> pd.Series:
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in {"date", "datetime"}:
        column = pd.Series(column.to_numpy(dtype="datetime64[us]"), index=column.index)
    if pd.api.types.is_datetime64_any_dtype(column):
        moments = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        return moments.mask(moments < EARLIEST, EARLIEST).mask(moments > LATEST, LATEST).astype("datetime64[ns]")
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.astype("float64")
    return column


@cache
def _frames() -> Any:
    """The place frames are handed to Great Expectations: an in-memory context without progress bars."""
    chatter = logging.getLogger("great_expectations")  # what goes wrong is said by GateResult
    chatter.addHandler(logging.NullHandler())
    chatter.propagate = False

    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    from expectations import forbidden_columns  # noqa: F401  registers its expectation

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")


def _validate(suite: Path, view: pd.DataFrame, checks: Sequence[Check], result_format: str) -> list[Any]:
    """One verdict per check, in the order of the checks."""
    if not checks:
        return []
    rules = _rules(suite, checks)
    wanted = {"result_format": result_format, "partial_unexpected_count": ROWS_SHOWN}
    report = _frames().get_batch(batch_parameters={"dataframe": view}).validate(rules, result_format=wanted)
    return sorted(report.results, key=lambda verdict: int(verdict.expectation_config.meta["number"]))


def _rules(suite: Path, checks: Sequence[Check]) -> Any:
    """The checks as Great Expectations' suite, counted, because it drops a rule it cannot read without a word."""
    _frames()
    import great_expectations as gx

    rules = gx.ExpectationSuite(
        name=suite.stem,
        expectations=[
            {"type": check.type, "kwargs": dict(check.kwargs), "meta": {"number": number}}
            for number, check in enumerate(checks)
        ],
    )
    kept = {rule.meta["number"] for rule in rules.expectations}
    dropped = [f"{check.type} ({check.rule})" for number, check in enumerate(checks) if number not in kept]
    if dropped:
        raise ConfigError(f"{suite}: Great Expectations cannot read {'; '.join(dropped)}; check its type and kwargs")
    return rules


def _absent(check: Check, view: pd.DataFrame) -> Finding:
    missing = [name for name in check.columns if name not in view.columns]
    return Finding(
        rule=check.rule,
        severity="critical" if check.severity == "critical" else "warning",
        column=", ".join(check.columns),
        unexpected_count=None,
        unexpected_share=None,
        detail=f"could not be checked, there is no column {', '.join(missing)}",
        fix=check.fix,
    )


def _finding(check: Check, verdict: Any, frame: pd.DataFrame, index_columns: tuple[str, ...]) -> Finding:
    found = verdict.result or {}
    count, percent = found.get("unexpected_count"), found.get("unexpected_percent")
    share = None if percent is None else float(percent) / 100
    tolerated = share is not None and share <= check.tolerated_share
    positions = [int(place) for place in found.get("partial_unexpected_index_list") or []][:ROWS_SHOWN]
    return Finding(
        rule=check.rule,
        severity="critical" if check.severity == "critical" and not tolerated else "warning",
        column=", ".join(check.columns),
        unexpected_count=None if count is None else int(count),
        unexpected_share=share,
        rows=_rows(frame, positions, index_columns),
        values=_values(frame, positions, check),
        detail=_detail(verdict, found),
        fix=check.fix,
    )


def _rows(frame: pd.DataFrame, positions: Sequence[int], index_columns: tuple[str, ...]) -> tuple[tuple[Any, ...], ...]:
    if not index_columns:
        return tuple((place + 1,) for place in positions)
    named = frame.iloc[list(positions)][list(index_columns)]
    return tuple(tuple(_plain(value) for value in row) for row in named.itertuples(index=False, name=None))


def _values(frame: pd.DataFrame, positions: Sequence[int], check: Check) -> tuple[str, ...]:
    """The distinct offending values in order of appearance, of columns that cannot hold personal data."""
    shown = [name for name in check.columns if check.shows_values or not _could_be_personal(frame[name])]
    if not shown or len(shown) < len(check.columns):
        return ()
    rows = frame.iloc[list(positions)][shown].itertuples(index=False, name=None)
    words = pd.Series([" / ".join(str(_plain(value)) for value in row) for row in rows], dtype="str")
    masked = words.str.replace(_EMAIL, "<e-mail address>", regex=True).str.slice(0, _VALUE_WIDTH)
    return tuple(dict.fromkeys(masked))


def _could_be_personal(column: pd.Series) -> bool:
    typed = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    return not (typed or pd.api.types.infer_dtype(column, skipna=True) in {"boolean", "date", "datetime", "empty"})


def _plain(value: Any) -> Any:
    """A value as JSON and people can read it."""
    if pd.isna(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.item() if hasattr(value, "item") else value if isinstance(value, int | float | bool) else str(value)


def _detail(verdict: Any, found: Mapping[str, Any]) -> str:
    if mismatched := (found.get("details") or {}).get("mismatched"):
        return "; ".join(f"{kind} columns: {', '.join(names)}" for kind, names in sorted(mismatched.items()))
    if "observed_value" in found:
        observed = found["observed_value"]
        return f"found {', '.join(map(str, observed)) if isinstance(observed, list | set) else _rounded(observed)}"
    if found:
        return ""
    messages = {info["exception_message"] for info in verdict.exception_info.values() if isinstance(info, dict)}
    return f"could not be checked: {'; '.join(sorted(str(message).strip() for message in messages))}"


def _rounded(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else f"{value}"


def _observed(check: Check, verdict: Any) -> Observation:
    value = (verdict.result or {}).get("observed_value")
    number = None if value is None or isinstance(value, str | list | set) else float(value)
    return Observation(rule=check.rule, column=", ".join(check.columns), value=number)
