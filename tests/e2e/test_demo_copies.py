"""The demo company's finished run, copied and taken further: replays, late extracts, the weeks since."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from command_line import DemoRun, icp, icp_here, tree_hash

from flows import refresh_steps as steps
from flows.provenance import run_key
from icp.config import load

pytestmark = pytest.mark.slow


def test_a_past_quarter_without_the_warehouse_or_prefect_gives_the_same_bytes(
    demo_run: DemoRun, tmp_path: Path
) -> None:
    quarter = "2025Q2"
    project = demo_run.copy(tmp_path / "again", keep_quarters_before=quarter)
    icp("refresh", "--quarter", quarter, "--plain", "-p", str(project / "icp.yml"), home=tmp_path)
    again = project / "lake/published/main" / quarter / "r1"
    assert tree_hash(again) == tree_hash(demo_run.revision(quarter))


def test_rows_dated_after_as_of_move_no_feature(demo_run: DemoRun, tmp_path: Path) -> None:
    """An extract that was true by as_of but holds rows dated later: a new input, so a run; the same features.

    From the same features follow the same bytes, as the test before shows; so the run ends with them.
    """
    quarter = "2024Q4"
    project = demo_run.copy(tmp_path / "future")
    invoices = pd.read_csv(project / "extracts/billing/invoices_2025-01-02.csv", sep=";", dtype=str)
    later = invoices.assign(invoice=invoices["invoice"] + "-x", period_start="20.02.2025")
    later.to_csv(project / "extracts/billing/invoices_2025-01-03.csv", sep=";", index=False)
    settings, now = load(project / "icp.yml"), datetime(2025, 2, 3, tzinfo=UTC)
    known = json.loads((demo_run.revision(quarter) / "manifest.json").read_text())["run_key"]
    assert run_key(steps.plan_refresh(settings, "main", quarter, now).hashes.values()) == known
    icp_here("ingest", "--plain", "-p", str(project / "icp.yml"), home=tmp_path)
    plan = steps.plan_refresh(settings, "main", quarter, now)
    assert run_key(plan.hashes.values()) != known
    with steps.working_folder(plan) as working:
        steps.read_features(plan, working, steps.build_features(plan))
        assert tree_hash(working)["features.parquet"] == tree_hash(demo_run.revision(quarter))["features.parquet"]


def test_an_extract_of_a_later_quarter_is_not_news_for_an_earlier_one(demo_run: DemoRun, tmp_path: Path) -> None:
    project = demo_run.copy(tmp_path / "later", keep_quarters_before="2026Q4")
    lines = (project / "extracts/crm/deals_2026-10-02.jsonl").read_text().splitlines()[:-1]
    (project / "extracts/crm/deals_2026-10-20.jsonl").write_text("\n".join(lines) + "\n")
    icp_here("ingest", "--plain", "-p", str(project / "icp.yml"), home=tmp_path)
    done = icp_here("refresh", "--quarter", "2026Q3", "--plain", "-p", str(project / "icp.yml"), home=tmp_path)
    assert "nothing new" in done.stdout


def test_the_monitor_sees_the_weeks_since_and_leaves_what_is_published_alone(demo_run: DemoRun, tmp_path: Path) -> None:
    copy = demo_run.copy(tmp_path / "watched", keep_quarters_before="2026Q3")
    published = tree_hash(copy / "lake/published")
    asked = ("monitor", "--plain", "--json", "--as-of", "2026-10-05", "--project", str(copy / "icp.yml"))
    report = json.loads(icp_here(*asked, home=demo_run.home).stdout)
    assert (report["baseline"], report["week"]) == ("2026Q2/r1", 13)
    assert report["outcomes"] > 200
    assert report["monitors"].keys() == {"population", "concept", "performance"}
    assert "not enough data" not in report["monitors"].values()
    seen = tree_hash(copy / "lake/published")
    index = copy / "lake/published/main/index.html"
    assert {name: found for name, found in seen.items() if name != "main/index.html"} == published
    assert "2026-10-05" in index.read_text(encoding="utf-8")
    kept = sorted(p.name for p in (copy / "lake/monitor/main").iterdir())
    assert kept == ["2026-10-05.json", "state.json"]
