"""Features declared wrongly are said with file, line and remedy, before dbt is asked."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import flows.dbt_project
from icp import feature_pages
from icp.errors import ConfigError
from icp.scaffold.feature import new_feature

SHIPPED = Path(__file__).resolve().parents[2] / "dbt_project"
MODEL = "models/features/feat_account__tickets"


@pytest.fixture
def dbt_project(tmp_path: Path) -> Path:
    own = tmp_path / "dbt_project"
    shutil.copytree(SHIPPED, own, ignore=shutil.ignore_patterns("target", "logs", "seeds"))
    new_feature(own, "tickets", family="behavioural", kind="numeric")
    return own


def _swap(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(dbt_project: Path) -> None:
        path = dbt_project / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


META = "        config: {meta: {icp: {family: behavioural, kind: numeric, label: Tickets}}}\n"
# What is spoilt, the place the message must name, and words of the message: what is wrong and what to do.
WRONG: dict[str, tuple[Callable[[Path], object], str, list[str]]] = {
    "no meta": (
        _swap(f"{MODEL}.yml", META, ""),
        f"{MODEL}.yml, line 4",
        ["no column", "has meta", "config: {meta: {icp:"],
    ),
    "unknown family": (
        _swap(f"{MODEL}.yml", "family: behavioural", "family: habits"),
        f"{MODEL}.yml, line 14",
        ["'habits'", "firmographic, technographic"],
    ),
    "unknown kind": (
        _swap(f"{MODEL}.yml", "kind: numeric", "kind: segment"),
        f"{MODEL}.yml, line 14",
        ["'segment'", "numeric, category"],
    ),
    "cuts out of order": (
        _swap(f"{MODEL}.yml", "kind: numeric", "kind: numeric, cuts: [1, 20, 5]"),
        f"{MODEL}.yml, line 14",
        ["cuts must ascend", "[1.0, 20.0, 5.0]"],
    ),
    "cuts that are no numbers": (
        _swap(f"{MODEL}.yml", "kind: numeric", "kind: numeric, cuts: [few, 5]"),
        f"{MODEL}.yml, line 14",
        ["cuts must be a list of numbers", "few"],
    ),
    "one cut, no list": (
        _swap(f"{MODEL}.yml", "kind: numeric", "kind: numeric, cuts: 5"),
        f"{MODEL}.yml, line 14",
        ["cuts must be a list of numbers", "5"],
    ),
    "columns of another shape": (
        lambda p: (p / f"{MODEL}.yml").write_text("models:\n  - name: feat_account__tickets\n    columns: tickets\n"),
        f"{MODEL}.yml, line 2",
        ["no column"],
    ),
    "shipped cuts out of order": (
        _swap("models/features/fct_account_features.yml", "cuts: [3, 6, 11", "cuts: [6, 3, 11"),
        "fct_account_features.yml, line ",
        ["company_age_years", "cuts must ascend"],
    ),
    "no description": (
        _swap(f"{MODEL}.yml", "description: Tickets at the observation.", "description: ''"),
        f"{MODEL}.yml, line 14",
        ["no description"],
    ),
    "no key test": (
        _swap(f"{MODEL}.yml", "      - primary_key: {arguments: {columns: [observation_id]}}\n", ""),
        f"{MODEL}.yml, line 4",
        ["primary_key", "data_tests"],
    ),
    "no test against the future": (
        _swap(f"{MODEL}.yml", "      - known_before_observation: {arguments: {known_at: newest_fact_at}}\n", ""),
        f"{MODEL}.yml, line 4",
        ["known_before_observation", "known_at"],
    ),
    "a test of nothing": (
        _swap(f"{MODEL}.yml", "known_at: newest_fact_at", "known_at: observed_at"),
        f"{MODEL}.yml, line 4",
        ["compares the observation with itself", "newest date"],
    ),
    "no contract": (
        _swap(f"{MODEL}.yml", "    config: {contract: {enforced: true}}\n", ""),
        f"{MODEL}.yml, line 4",
        ["contract"],
    ),
    "no page": (
        lambda p: (p / f"{MODEL}.yml").unlink(),
        f"{MODEL}.sql, line 1",
        ["has no page", "feat_account__tickets.yml"],
    ),
    "no model": (
        lambda p: (p / f"{MODEL}.sql").unlink(),
        "dbt_project.yml, line ",
        ["tickets has no model", "icp new feature tickets"],
    ),
    "listed twice": (
        _swap("dbt_project.yml", "[tickets]", "[tickets, tickets]"),
        "dbt_project.yml, line ",
        ["listed twice"],
    ),
    "not listed": (
        _swap("dbt_project.yml", "[tickets]", "[]"),
        f"{MODEL}.sql, line 1",
        ["nothing reads", "added_features"],
    ),
    "no list of names": (
        _swap("dbt_project.yml", "[tickets]", "tickets"),
        "dbt_project.yml, line ",
        ["a list of names"],
    ),
    "a name that is taken": (
        _swap(f"{MODEL}.yml", "- name: tickets\n", "- name: employees\n"),
        f"{MODEL}.yml, line 14",
        ["employees is a column of fct_account_features", "Rename"],
    ),
    "a clock": (
        _swap(f"{MODEL}.sql", "< spine.observed_at", "< current_date"),
        f"{MODEL}.sql, line 25",
        ["current_date reads the clock", "as_of()"],
    ),
    "a source": (
        _swap(f"{MODEL}.sql", "ref('int_opportunities__resolved')", "source('files', 'opportunities')"),
        f"{MODEL}.sql, line 11",
        ["only staging reads sources", "ref()"],
    ),
    "no date at all": (
        lambda p: (p / f"{MODEL}.sql").write_text("select account_id from {{ ref('int_account_domains') }}"),
        f"{MODEL}.sql, line 1",
        ["observed_at", "future"],
    ),
}


def test_what_was_scaffolded_is_sound(dbt_project: Path) -> None:
    feature_pages.check(dbt_project)
    assert feature_pages.added_models(dbt_project) == ("feat_account__tickets",)


@pytest.mark.parametrize("case", WRONG)
def test_file_line_and_remedy(dbt_project: Path, case: str) -> None:
    spoil, place, words = WRONG[case]
    spoil(dbt_project)
    with pytest.raises(ConfigError) as problem:
        feature_pages.check(dbt_project)
    said = str(problem.value)
    assert place in said, said
    assert re.search(r", line \d+", said)
    for word in words:
        assert word in said, said


def test_a_refresh_asks_before_dbt_does(dbt_project: Path, tmp_path: Path) -> None:
    _swap(f"{MODEL}.yml", META, "")(dbt_project)
    with pytest.raises(ConfigError, match="has meta"):
        flows.dbt_project.build(
            dbt_project, select=("x",), variables={}, warehouse=tmp_path / "w.duckdb", scratch=tmp_path / "scratch"
        )
    assert not (tmp_path / "scratch").exists()


def test_every_problem_is_said_at_once(dbt_project: Path) -> None:
    _swap(f"{MODEL}.yml", "family: behavioural", "family: habits")(dbt_project)
    _swap(f"{MODEL}.sql", "< spine.observed_at", "< current_date")(dbt_project)
    with pytest.raises(ConfigError) as problem:
        feature_pages.check(dbt_project)
    assert len(str(problem.value).splitlines()) == 2
