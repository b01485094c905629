"""The main job on the bundled company: does the pipeline find what was planted, and nothing else?"""

from __future__ import annotations

import json
import re

import duckdb
import pandas as pd
import pytest
from command_line import QUARTERS, DemoRun, icp, tree_hash
from ruamel.yaml import YAML

from icp.profile import Profile
from icp.serialize import profile_from_yaml

pytestmark = pytest.mark.slow

CHANGED = {"2025Q2": "employees", "2025Q4": "industry", "2026Q2": "attr_business_model"}
QUIET = [q for q in QUARTERS[1:] if q not in CHANGED]
SMALL_CHANGE = ("2026Q1", "technologies=hubspot")


def profile_of(run: DemoRun, quarter: str) -> Profile:
    return profile_from_yaml((run.revision(quarter) / "profile.yml").read_text())


def comparison_of(run: DemoRun, quarter: str) -> dict:
    return json.loads((run.revision(quarter) / "diff.json").read_text())


def confirmed(profile: Profile) -> set[str]:
    return {c.attribute for card in (profile.fit, profile.intent) for c in card.criteria if c.grade == "confirmed"}


def noise_of(truth: dict) -> set[str]:
    return {*truth["noise_attributes"], *truth["noise_technologies"]}


def truth(run: DemoRun) -> dict:
    return YAML(typ="safe").load(run.project / "truth.yml")


def test_it_says_the_verdict_of_each_quarter_and_where_the_report_is(demo_run: DemoRun) -> None:
    assert [line[:6] for line in demo_run.output.splitlines() if line[:2] == "20"] == list(QUARTERS)
    assert "report.html" in demo_run.output
    assert demo_run.errors == ""


def test_most_planted_criteria_are_confirmed_by_the_last_quarter(demo_run: DemoRun) -> None:
    planted = {c["attribute"] for c in truth(demo_run)["criteria"] if c["matters_in_last_quarter"]}
    found = confirmed(profile_of(demo_run, "2026Q3"))
    assert len(planted & found) / len(planted) >= 0.8, f"missing: {sorted(planted - found)}"


def test_no_pure_noise_is_confirmed_in_the_last_quarter(demo_run: DemoRun) -> None:
    noise = noise_of(truth(demo_run))
    assert noise
    assert confirmed(profile_of(demo_run, "2026Q3")) & noise == set()


def test_more_than_45_attributes_are_candidates_and_known_of_somebody(demo_run: DemoRun) -> None:
    frame = pd.read_parquet(demo_run.revision("2026Q3") / "features.parquet")
    candidates = {attribute.column for attribute in profile_of(demo_run, "2026Q3").bins.attributes}
    known = {name for name in candidates if name in frame and frame[name].notna().any()}
    assert len(known) > 45
    coverage = json.loads((demo_run.revision("2026Q3") / "evidence.json").read_text())["coverage"]
    listed = {line["attribute"] for line in coverage if line["filled_share"] > 0}
    assert len(listed) >= 45 and all(0 <= line["backfilled_share"] < 0.05 for line in coverage)
    report = (demo_run.revision("2026Q3") / "report.html").read_text(encoding="utf-8")
    assert {"Funding stage", "Ties to best customers", "Buying roles present"} <= set(
        re.findall(r'row">([^<]+)<', report)
    )


@pytest.mark.parametrize("quarter", CHANGED)
def test_a_visible_change_is_reported_in_its_quarter(demo_run: DemoRun, quarter: str) -> None:
    found = comparison_of(demo_run, quarter)["comparison"]
    changed = {a["attribute"] for a in found["attributes"] if a["verdict"] == "changed"}
    changed |= {s["attribute"] for s in found["entering"] if s["is_change"]}
    assert CHANGED[quarter] in changed
    assert found["outcome"] == "changed"


@pytest.mark.parametrize("quarter", QUIET)
def test_a_quiet_quarter_says_no_change(demo_run: DemoRun, quarter: str) -> None:
    found = comparison_of(demo_run, quarter)
    assert found["comparison"]["outcome"] == "no evidence", found["verdict"]
    assert found["verdict"].startswith("No evidence of a change")


def test_the_small_change_cannot_be_told_and_the_page_says_what_could(demo_run: DemoRun) -> None:
    quarter, attribute = SMALL_CHANGE
    found = comparison_of(demo_run, quarter)["comparison"]
    line = next(a for a in found["attributes"] if a["attribute"] == attribute)
    assert line["verdict"] in ("no evidence", "cannot tell at this n")
    assert line["detectable"] > 1.3


def test_points_sum_to_the_published_score_and_to_scoring_sql(demo_run: DemoRun) -> None:
    revision = demo_run.revision("2026Q3")
    accounts = pd.read_parquet(revision / "accounts.parquet").set_index("account_id").sort_index()
    contributions = pd.read_parquet(revision / "contributions.parquet")
    con = duckdb.connect()
    con.execute(
        f"create view account_features as select * from read_parquet('{revision}/features.parquet') where role = 'score'"
    )
    by_hand = con.execute((revision / "scoring.sql").read_text()).df().set_index("account_id").sort_index()
    for axis in ("fit", "intent"):
        summed = contributions[contributions["axis"] == axis].groupby("account_id")["points"].sum()
        summed = summed.reindex(accounts.index, fill_value=0)
        assert (summed == accounts[f"{axis}_score"]).all()
        assert (by_hand[f"{axis}_score"] == accounts[f"{axis}_score"]).all()


def test_every_account_has_a_tier_and_reasons(demo_run: DemoRun) -> None:
    accounts = pd.read_parquet(demo_run.revision("2026Q3") / "accounts.parquet")
    assert accounts["account_id"].is_unique
    assert accounts[["tier", "reasons"]].notna().all().all()


def test_explain_names_points_and_the_source_row(demo_run: DemoRun) -> None:
    accounts = pd.read_parquet(demo_run.revision("2026Q3") / "accounts.parquet")
    account = accounts.sort_values(["fit_score", "account_id"], ascending=[False, True]).iloc[0]
    text = icp("explain", account["account_id"], "-p", str(demo_run.project / "icp.yml"), home=demo_run.home).stdout
    assert str(account["fit_score"]) in text
    assert account["source_load_id"] in text


def test_diff_of_two_quarters_reads_as_a_verdict(demo_run: DemoRun) -> None:
    text = icp("diff", "2025Q1", "2025Q2", "-p", str(demo_run.project / "icp.yml"), home=demo_run.home).stdout
    assert "Employees" in text


def test_a_second_run_publishes_nothing_and_changes_no_byte(demo_run: DemoRun) -> None:
    before = tree_hash(demo_run.published)
    done = icp("demo", "--directory", str(demo_run.project), home=demo_run.home)
    assert "Nothing new" in done.stdout
    assert tree_hash(demo_run.published) == before


def test_deals_looked_at_before_are_explained_as_they_were(demo_run: DemoRun) -> None:
    """A quarter later 4,000 deals and more have the values they had: no attribute reads what happened since."""
    for quarter in QUARTERS[1:]:
        past = json.loads((demo_run.revision(quarter) / "gates/past.json").read_text())
        assert past["compared"] > 4000 and past["notes"] == [], quarter
