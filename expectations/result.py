"""What a gate answers: which rules failed, on which rows, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["critical", "warning"]
ROWS_SHOWN = 20
ROWS_IN_WORDS = 10


@dataclass(frozen=True)
class Finding:
    """One rule that did not hold: in words, where, how often, on which rows and what to do.

    `rows` holds up to 20 row identifiers (one value per index column). `values` never holds text that could be
    personal data: numbers, dates and booleans are shown, text only where the suite says so, e-mail addresses never.
    """

    rule: str
    severity: Severity
    column: str
    unexpected_count: int | None
    unexpected_share: float | None
    rows: tuple[tuple[Any, ...], ...] = ()
    values: tuple[str, ...] = ()
    detail: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Observation:
    """A number the gate was asked to report whether or not its rule held, such as an attribute's coverage."""

    rule: str
    column: str
    value: float | None


@dataclass(frozen=True)
class GateResult:
    """The verdict of one suite on one frame: `success` is False when a critical rule failed.

    Warnings are reported and never stop a run. `skipped` lists rules that had nothing to compare with, such as
    the volume of a first load.
    """

    suite: str
    label: str
    success: bool
    rows: int
    checks_passed: int
    checks_failed: int
    index_columns: tuple[str, ...]
    failures: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    skipped: tuple[str, ...] = ()
    observed: tuple[Observation, ...] = ()

    @property
    def checks(self) -> int:
        """How many rules were checked."""
        return self.checks_passed + self.checks_failed

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON values, as kept beside the load or the revision."""
        return {"schema_version": 1, **asdict(self)}

    def summary(self) -> str:
        """The verdict as a person needs it: rules in words, rows, and what to do."""
        lines = [self._headline()]
        for finding in (*self.failures, *self.warnings):
            lines += _in_words(finding, self.index_columns, self.rows)
        return "\n".join(lines)

    def _headline(self) -> str:
        what = f"gate {self.suite} on {self.label}, {self.rows:,} {_plural(self.rows, 'row')}"
        warned = f", {len(self.warnings)} {_plural(len(self.warnings), 'warning')}" if self.warnings else ""
        if self.success:
            return f"{what}: passed{warned}"
        return f"{what}: refused, {len(self.failures)} of {self.checks} rules failed{warned}"


def _in_words(finding: Finding, index_columns: tuple[str, ...], rows: int) -> list[str]:
    mark = "FAILED " if finding.severity == "critical" else "warning"
    lines = [f"  {mark} {finding.rule}: {_how_often(finding, rows)}"]
    if finding.rows:
        lines.append(f"          {_where(finding, index_columns)}")
    if finding.values:
        lines.append(f"          values: {', '.join(finding.values[:ROWS_IN_WORDS])}")
    if finding.fix:
        lines.append(f"          do: {finding.fix}")
    return lines


def _how_often(finding: Finding, rows: int) -> str:
    if finding.unexpected_count is None:
        return finding.detail
    count = f"{finding.unexpected_count:,} of {rows:,} rows{_share(finding.unexpected_share)}, column {finding.column}"
    return f"{count}; {finding.detail}" if finding.detail else count


def _share(share: float | None) -> str:
    if share is None:
        return ""
    return " (under 0.1 %)" if 0 < share < 0.001 else f" ({share * 100:.1f} %)"


def _where(finding: Finding, index_columns: tuple[str, ...]) -> str:
    shown = [":".join(str(part) for part in row) for row in finding.rows[:ROWS_IN_WORDS]]
    more = (finding.unexpected_count or len(finding.rows)) - len(shown)
    tail = f" and {more:,} more" if more > 0 else ""
    return f"at {':'.join(name.strip('_') for name in index_columns)} {', '.join(shown)}{tail}"


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
