"""The house rules of the dbt project, read from dbt's own parse of it, and its unit tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from icp import attributes

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
MODELS = sorted(PROJECT.glob("models/*/*.sql"))
LONGEST_MODEL = 60
TARGET_SPECIFIC = re.compile(r"read_parquet|string_agg|at time zone|'g'\)", re.IGNORECASE)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """The whole project built on no data at all, with its unit tests: the parsed project and the results."""
    from dbt.cli.main import dbtRunner

    scratch = tmp_path_factory.mktemp("dbt")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ICP_WAREHOUSE", str(scratch / "warehouse.duckdb"))
        places = [
            "--project-dir",
            str(PROJECT),
            "--profiles-dir",
            str(PROJECT),
            "--target-path",
            str(scratch / "target"),
        ]
        silent = ["--quiet", "--no-write-json", "--log-level-file", "none", "--log-path", str(scratch), "--warn-error"]
        manifest = dbtRunner().invoke([*silent, "parse", *places]).result
        yield (
            manifest,
            dbtRunner(manifest=manifest).invoke([*silent, "build", "--exclude", "resource_type:test", *places]),
        )


@pytest.fixture(scope="module")
def models(built: tuple[Any, Any]) -> dict[str, Any]:
    return {node.name: node for node in built[0].nodes.values() if node.resource_type == "model"}


@pytest.fixture(scope="module")
def tests_of(built: tuple[Any, Any]) -> dict[str, list[str]]:
    """The names of the generic tests on each model."""
    nodes = [node for node in built[0].nodes.values() if getattr(node, "attached_node", None)]
    return {
        unique_id.split(".")[-1]: [n.test_metadata.name for n in nodes if n.attached_node == unique_id]
        for unique_id in {node.attached_node for node in nodes}
    }


def test_it_builds_on_no_data_and_every_unit_test_passes(built: tuple[Any, Any]) -> None:
    result = built[1]
    bad = [f"{r.node.name}: {r.message}" for r in result.result.results if r.status not in ("success", "pass")]
    assert result.success, bad or result.exception
    unit_tests = [r for r in result.result.results if str(r.node.resource_type) == "unit_test"]
    assert len(unit_tests) == len(built[0].unit_tests) >= 15


def test_only_staging_reads_sources(models: dict[str, Any]) -> None:
    readers = {name for name, node in models.items() if any(d.startswith("source.") for d in node.depends_on.nodes)}
    assert readers == {name for name in models if name.startswith("stg_")}


def test_layers_build_only_on_the_layers_before(models: dict[str, Any]) -> None:
    order = ["staging", "intermediate", "features", "serving"]
    rank = {node.unique_id: order.index(Path(node.original_file_path).parts[1]) for node in models.values()}
    wrong = [(m.name, d) for m in models.values() for d in m.depends_on.nodes if rank.get(d, 0) > rank[m.unique_id]]
    assert wrong == []


def test_every_landed_table_has_its_staging_model(built: tuple[Any, Any], models: dict[str, Any]) -> None:
    tables = {source.name for source in built[0].sources.values()}
    assert {f"stg_files__{table}" for table in tables} == {name for name in models if name.startswith("stg_files__")}


def test_every_model_is_described_and_its_key_tested(models: dict[str, Any], tests_of: dict[str, list[str]]) -> None:
    assert [name for name, node in models.items() if not node.description] == []
    keyless = {"fct_tier_migration"}  # its key has empty parts: a new account has no previous tier
    assert [name for name in models if "primary_key" not in tests_of.get(name, []) and name not in keyless] == []


def test_every_mart_has_an_enforced_contract(models: dict[str, Any]) -> None:
    chosen_by_the_user = {"fct_account_declared_attributes"}
    open_ended = {name for name, node in models.items() if name.startswith("fct_") and not node.contract.enforced}
    assert open_ended == chosen_by_the_user


def test_every_feature_declares_itself(models: dict[str, Any]) -> None:
    node = models["fct_account_features"]
    columns = {name: {"description": c.description, "meta": c.meta} for name, c in node.columns.items()}
    declared = attributes.from_columns(columns, node.name)
    assert {a.name for a in declared} == {
        "employees", "annual_revenue", "industry", "country", "region", "company_age_years", "technologies",
        "technology_count", "technology_maturity", "events_365d", "visits_30d", "visits_90d", "key_events_90d",
        "tenure_years",
    }  # fmt: skip
    assert {a.name for a in declared if a.axis == "intent"} == {
        "events_365d",
        "visits_30d",
        "visits_90d",
        "key_events_90d",
    }
    assert all(a.description for a in declared)


def test_no_feature_knows_the_outcome(models: dict[str, Any]) -> None:
    columns = models["fct_account_features"].columns
    assert not {"lifecycle_stage", "stage", "amount", "closed_at", "decided_at"} & set(columns)
    facts = {name for name in columns if name.startswith("outcome_")}
    assert len(facts) == 12
    outcome = {"is_won", "is_worked", "is_customer", "is_backfilled"} | facts
    assert [name for name in outcome if "icp" in columns[name].meta] == []


def test_nothing_an_engine_may_lack(models: dict[str, Any]) -> None:
    assert {node.config.materialized for node in models.values()} <= {"view", "table"}
    assert not list(PROJECT.rglob("*.py"))
    assert not list(PROJECT.glob("snapshots/**"))
    assert not list(PROJECT.glob("packages.yml"))


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_models_are_short_and_portable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_MODEL, "split it"
    assert not TARGET_SPECIFIC.search(text), "what only one engine says belongs in macros/engine/"


def test_no_telemetry_and_a_default_for_every_variable() -> None:
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert project["flags"]["send_anonymous_usage_stats"] is False
    text = "".join(p.read_text(encoding="utf-8") for p in [*MODELS, *PROJECT.glob("macros/**/*.sql")])
    assert set(re.findall(r"\bvar\(['\"](\w+)['\"]", text)) <= set(project["vars"])
