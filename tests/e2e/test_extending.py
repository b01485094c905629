"""A newcomer extends a project: files only, each part scaffolded with a passing test, and bad parts stopped in words."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import ROOT, icp, icp_here

from flows.destinations import check_destinations
from flows.ingest import ingest
from flows.reading import read_profile
from flows.refresh import refresh
from icp.config import load
from icp.errors import GateFailed
from icp.scaffold.destination import new_destination

CONFIG = """config_version: 1
company: Tiny
lake: lake
calendar: {timezone: UTC}
sources:
  crm:
    kind: files
    tables:
      accounts:
        path: accounts.csv
        effective_at: 2024-01-02
        columns: {account_id: id, account_name: name, website: website, industry: industry}
      opportunities:
        path: deals.csv
        effective_at: 2025-04-02
        columns: {opportunity_id: id, account_id: company, is_closed: closed, is_won: won, created_at: opened, closed_at: decided}
      event_participation:
        path: events.csv
        effective_at: 2025-04-02
        columns: {account_id: company, event_name: event, participation: how, occurred_on: day}
icps:
  main: {}
"""

HOW_TO = (ROOT / "docs/how-to/add-a-feature.md").read_text()
SPONSORED = HOW_TO.split("```sql\n")[1].split("```")[0]
"""What a newcomer writes, as the how-to says it."""

MODEL = "dbt_project/models/features/feat_account__events_sponsored"
COMPANIES = 120


def _company() -> dict[str, list[dict[str, object]]]:
    every = range(COMPANIES)
    won = [n % 20 < 14 if n % 2 == 0 else n % 14 == 1 for n in every]
    return {
        "accounts": [
            {"id": f"a{n}", "name": f"Acme {n}", "website": f"acme{n}.com", "industry": ("Banking", "Retail")[n // 2 % 2]}
            for n in every
        ],
        "deals": [
            {"id": f"d{n}", "company": f"a{n}", "closed": "true", "won": won[n], "opened": "2025-01-10",
             "decided": f"2025-02-{10 + n % 15}"}
            for n in every
        ],
        "events": [
            *({"company": f"a{n}", "event": "Expo", "how": "sponsored", "day": "2024-11-05"} for n in every if n % 2 == 0),
            *({"company": f"a{n}", "event": "Fair", "how": "sponsored", "day": "2025-03-05"} for n in every),
        ],
    }  # fmt: skip


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def laid_down(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `icp init` makes, with a small company: sponsors win seven deals in ten, others one in seven."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "icp.yml").write_text(CONFIG)
    for name, rows in _company().items():
        _write(folder / f"{name}.csv", rows)
    said = icp_here("init", ".", home=folder).stdout
    assert "Kept as they are: icp.yml" in said and "dbt_project" in said
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {"lake", "target", "logs", ".prefect"}.intersection(path.relative_to(folder).parts)
    }


def _refresh(folder: Path) -> Path:
    settings = load(folder)
    ingest(settings, source=None, extracted_at=datetime(2025, 4, 3, tzinfo=UTC))
    done = refresh(settings, icp="main", quarter="2025Q1", now=datetime(2025, 6, 1, tzinfo=UTC))
    assert done.revision is not None
    return done.revision


def _docs(folder: Path) -> dict[str, Any]:
    """The manifest dbt docs are made of."""
    from dbt.cli.main import dbtRunner

    places = ["--project-dir", str(folder / "dbt_project"), "--profiles-dir", str(folder / "dbt_project")]
    target = ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    assert dbtRunner().invoke(["--quiet", "parse", *places, *target]).success
    return dict(json.loads((folder / "target/manifest.json").read_text()))


def test_a_newcomer_adds_an_attribute_with_three_files_and_no_python(
    laid_down: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched = _files(laid_down)
    said = icp_here("new", "feature", "events_sponsored", "--family", "relationship", home=laid_down).stdout
    assert "Next:" in said and f"{MODEL}.sql" in said
    (laid_down / f"{MODEL}.sql").write_text(SPONSORED)
    page = (laid_down / f"{MODEL}.yml").read_text()
    (laid_down / f"{MODEL}.yml").write_text(page[: page.index("unit_tests:")])
    touched = {name for name, content in _files(laid_down).items() if untouched.get(name) != content}
    assert touched == {f"{MODEL}.sql", f"{MODEL}.yml", "dbt_project/dbt_project.yml"}
    assert len(SPONSORED.splitlines()) <= 15
    assert "1 feature(s) of your own" in icp_here("check", home=laid_down).stdout

    icp_here("new", "destination", "helpdesk", home=laid_down)
    revision = _refresh(laid_down)
    profile = read_profile(revision)
    assert profile.fit.criterion("events_sponsored").grade == "confirmed"
    assert [c.attribute for c in profile.headline_criteria] == ["events_sponsored"]
    report = (revision / "report.html").read_text()
    coverage = report[report.index('id="coverage"') :]
    assert "Events sponsored" in coverage[: coverage.index("</section>")]
    observed = json.loads((revision / "gates/features.json").read_text())["observed"]
    assert "events_sponsored" in {entry["column"] for entry in observed}

    manifest = _docs(laid_down)
    column = manifest["nodes"]["model.icp.feat_account__events_sponsored"]["columns"]["events_sponsored"]
    assert column["meta"]["icp"]["family"] == "relationship" and column["description"]

    sent = pd.read_parquet(revision / "destinations/sync_helpdesk.parquet")
    scored = pd.read_parquet(revision / "accounts.parquet").dropna(subset=["tier"])
    assert sent["account_id"].tolist() == sorted(scored["account_id"]) and len(sent) == COMPANIES
    assert json.loads((revision / "gates/outbound_helpdesk.json").read_text())["success"] is True
    listed = json.loads((revision / "manifest.json").read_text())
    assert "destinations/sync_helpdesk.parquet" in json.dumps(listed)
    assert manifest["exposures"]["exposure.icp.helpdesk"]["depends_on"]["nodes"] == ["model.icp.sync_helpdesk"]

    page = (ROOT / "docs/how-to/add-a-destination.md").read_text(encoding="utf-8")
    sending = page.split("```yaml\n")[1].split("```")[0].replace("/srv", str(laid_down))
    config = laid_down / "icp.yml"
    config.write_text(config.read_text(encoding="utf-8") + sending, encoding="utf-8")
    plan = json.loads(icp_here("sync", "plan", "helpdesk", "--json", home=laid_down).stdout)
    assert not (laid_down / "helpdesk").exists()
    assert json.loads(icp_here("sync", "apply", "helpdesk", plan["plan"], home=laid_down).stdout)["rows"] == {"ok": 1}
    assert (
        pd.read_csv(laid_down / "helpdesk/helpdesk.csv", dtype=str)["account_id"].tolist()
        == sent["account_id"].tolist()
    )
    assert "nothing to write" in icp_here("sync", "plan", "helpdesk", home=laid_down).stdout

    crm = "  crm: {kind: hubspot, token_env: NOT_SENT, base_url: 'http://127.0.0.1:9'}\n"
    config.write_text(config.read_text(encoding="utf-8") + crm, encoding="utf-8")
    monkeypatch.setenv("NOT_SENT", "key")
    refused = icp_here("sync", "plan", "crm", home=laid_down, expect=3).stderr
    assert "Nothing was planned or sent." in refused and "every account has an id of HubSpot" in refused


def test_a_new_source_lands_through_its_own_suite(laid_down: Path, tmp_path: Path) -> None:
    shutil.copytree(laid_down, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target", "lake"))
    said = icp("new", "source", "tickets", home=tmp_path).stdout
    mapping = said[said.index("      tickets:") : said.index("  3. icp ingest")]
    config = (tmp_path / "icp.yml").read_text()
    (tmp_path / "icp.yml").write_text(config.replace("icps:", f"{mapping}icps:"))
    extracts = tmp_path / "extracts"
    extracts.mkdir()
    row: dict[str, object] = {"id": "t1", "account_id": "a1", "date": "2025-03-01", "type": "bug", "amount": 2}
    _write(extracts / "tickets_2025-04-01.csv", [row, row | {"id": "t2"}])
    _write(extracts / "tickets_2025-04-02.csv", [row, row])
    done = ingest(load(tmp_path), source="crm", extracted_at=datetime(2025, 4, 3, tzinfo=UTC))
    assert len(done.accepted) == 2 and len(done.quarantined) == 1
    assert "a fact appears once" in done.reports[0] and "t1" in done.reports[0]


def test_what_a_destination_may_not_be_sent_is_not_published(tmp_path: Path) -> None:
    (tmp_path / "destinations").mkdir()
    shutil.copytree(ROOT / "dbt_project/macros", tmp_path / "project/dbt_project/macros")
    new_destination(tmp_path / "project/dbt_project", "helpdesk")
    leaky = {"account_id": ["a"], "company_domain": ["a.com"], "fit_score": [50], "tier": ["A"], "priority": ["A1"],
             "reasons": ["ask jo@a.com"], "is_changed": [True]}  # fmt: skip
    pd.DataFrame(leaky).to_parquet(tmp_path / "destinations/sync_helpdesk.parquet")
    with pytest.raises(GateFailed, match="no e-mail address in reasons"):
        check_destinations(tmp_path, tmp_path / "project")


def test_features_that_read_the_future_or_multiply_rows_stop_before_derive(laid_down: Path, tmp_path: Path) -> None:
    shutil.copytree(
        laid_down, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target", "published", "cache")
    )
    for name in ("prophet", "doubled"):
        icp_here("new", "feature", name, home=tmp_path)
    page = tmp_path / "dbt_project/models/features/feat_account__prophet.yml"
    sound = page.read_text()
    page.write_text(sound.replace("family: firmographic", "family: occult"))
    refused = icp_here("check", home=tmp_path, expect=2).stderr
    assert "feat_account__prophet.yml, line 14" in refused and "Traceback" not in refused
    page.write_text(sound)
    models = tmp_path / "dbt_project/models/features"
    prophet, doubled = models / "feat_account__prophet.sql", models / "feat_account__doubled.sql"
    prophet.write_text(prophet.read_text().replace("history.happened_at < spine.observed_at", "true"))
    doubled.write_text(
        doubled.read_text().replace("select * from final", "select * from final union all select * from final")
    )
    with pytest.raises(GateFailed) as stopped:
        _refresh(tmp_path)
    said = str(stopped.value)
    assert "features/feat_account__prophet.yml, line 4: feat_account__prophet reads the future: 120 row(s)" in said
    assert "Join only rows dated before observed_at." in said
    assert "features/feat_account__doubled.yml, line 4: feat_account__doubled has 240 key(s)" in said
    assert "one row per observation_id" in said
    assert not list((tmp_path / "lake/published").rglob("profile.yml"))
