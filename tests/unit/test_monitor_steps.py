"""What the monitor keeps between runs, and what a look back leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.monitor import as_markdown, as_text
from flows.monitor_steps import _remembered, keep_report
from icp.drift_report import Alert, DriftReport, Finding, MonitorState, State, Watched
from icp.errors import ConfigError


def plan(folder: Path, day: str, baseline: str) -> Any:
    return SimpleNamespace(folder=folder, day=day, baseline=baseline)


def report(day: str, headline: str) -> DriftReport:
    return DriftReport("main", "2026Q2/r1", "2026Q2", day, 3, 40, 10, "ok", headline, {}, (), (), 0.2)


def test_after_a_rollback_the_monitor_remembers_the_icp_in_force_again(tmp_path: Path) -> None:
    keep_report(plan(tmp_path, "2026-10-05", "2026Q3/r1"), report("2026-10-05", ""), MonitorState("2026Q3/r1"))
    later = MonitorState("2026Q2/r1", {}, "2026-10-12")
    keep_report(plan(tmp_path, "2026-10-12", "2026Q2/r1"), report("2026-10-12", ""), later)
    assert _remembered(plan(tmp_path, "2026-10-19", "2026Q2/r1")) == later


def test_a_look_back_changes_nothing_that_is_kept(tmp_path: Path) -> None:
    for day in ("2026-10-05", "2026-10-12"):
        state = MonitorState("2026Q2/r1", {}, day)
        keep_report(plan(tmp_path, day, "2026Q2/r1"), report(day, "as it was"), state)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for day in ("2026-10-05", "2026-10-07"):  # one with a report of its own, one without
        back = plan(tmp_path, day, "2026Q2/r1")
        assert keep_report(back, report(day, "otherwise"), MonitorState("2026Q2/r1", {}, day)) is None
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


@pytest.mark.parametrize("text", ["{garbage", '{"schema_version": 1}', "[]"])
def test_a_memory_that_cannot_be_read_is_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ConfigError, match=r"state\.json cannot be read .*Delete it"):
        _remembered(plan(tmp_path, "2026-10-05", "2026Q2/r1"))


def test_a_page_says_what_drifts_since_when_and_names_the_rest_without_a_wide_table() -> None:
    def line(name: str, state: State, sentence: str) -> Watched:
        return Watched(Finding("population", name, name, 14, "not enough data", sentence), state, 12)

    lines = (
        line("Industry", "drift", "Industry: too few <since>."),
        line("Country", "ok", "x"),
        line("Age", "ok", "y"),
    )
    seen = replace(report("2026-10-12", "Drift: a|b."), lines=lines, alerts=(Alert("k", "entered", "It moved."),))
    page = as_markdown(seen)
    assert page.splitlines()[0] == "**Drift: a\\|b.**"
    assert "- **entered**: It moved." in page and "|---|" not in page
    assert "## Drifting\n\n- Industry: too few &lt;since>. (population, since week 12)" in page
    assert "- population, ok: Country, Age" in page and "Perhaps" not in page
    assert "  [drift] Industry: too few <since>. (population, since week 12)" in as_text(seen).splitlines()
