"""What the monitor keeps between runs, and what a look back leaves alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.monitor_steps import _remembered, keep_report
from icp.drift_report import DriftReport, MonitorState
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
