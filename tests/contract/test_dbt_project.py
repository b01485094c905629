"""The house rules of the dbt project, read from dbt's own parse of it, and its unit tests."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from icp import attributes, feature_pages
from icp.attributes import KINDS
from icp.scaffold.destination import new_destination
from icp.scaffold.feature import new_feature
from icp.scaffold.source import new_source

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
HOW_TO_SOURCE = PROJECT.parent / "docs/how-to/add-a-source.md"
MODELS = sorted(PROJECT.glob("models/*/*.sql"))
LONGEST_MODEL = 60
TARGET_SPECIFIC = re.compile(r"read_parquet|string_agg|at time zone|'g'\)", re.IGNORECASE)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with everything scaffolded once in it: what a newcomer starts from keeps the house rules too."""
    own = tmp_path_factory.mktemp("own") / "dbt_project"
    shutil.copytree(PROJECT, own, ignore=shutil.ignore_patterns("target", "logs"))
    for kind in KINDS:
        new_feature(own, f"own_{kind}", family="behavioural", kind=kind)
    new_source(own, "tickets")
    new_feature(own, "tickets_90d", family="behavioural", kind="numeric")
    model = own / "models/features/feat_account__tickets_90d.sql"
    model.write_text(HOW_TO_SOURCE.read_text(encoding="utf-8").split("```sql\n")[1].split("```")[0])
    page = model.with_suffix(".yml")
    page.write_text(page.read_text(encoding="utf-8").split("unit_tests:")[0])
    new_destination(own, "helpdesk")
    return own


@pytest.fixture(scope="module")
def with_scaffolds(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """The whole project built on no data at all, with its unit tests: the parsed project and the results."""
    from dbt.cli.main import dbtRunner

    scratch = tmp_path_factory.mktemp("dbt")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ICP_WAREHOUSE", str(scratch / "warehouse.duckdb"))
        places = [
            "--project-dir",
            str(project),
            "--profiles-dir",
            str(project),
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
def scaffolded(with_scaffolds: tuple[Any, Any]) -> dict[str, Any]:
    """Every node that is not shipped but was scaffolded, by its id."""
    manifest = with_scaffolds[0]
    nodes = {**manifest.nodes, **manifest.exposures, **manifest.sources}
    return {
        key: node
        for key, node in nodes.items()
        if not (PROJECT / node.original_file_path).exists() or node.name == "tickets"
    }


@pytest.fixture(scope="module")
def built(with_scaffolds: tuple[Any, Any], scaffolded: dict[str, Any]) -> tuple[Any, Any]:
    """The project as shipped, of the same build: what was scaffolded has tests of its own."""
    manifest, results = with_scaffolds
    for nodes in (manifest.nodes, manifest.exposures, manifest.sources):
        for key in scaffolded.keys() & nodes.keys():
            del nodes[key]
    return manifest, results


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


def test_every_model_that_branches_has_a_unit_test(built: tuple[Any, Any]) -> None:
    tested = {unit_test.model for unit_test in built[0].unit_tests.values()}
    branches = re.compile(
        r"\bcase\b|\b(?:coalesce|nullif|least|greatest)\(|\bqualify\b|\bfilter \(|\bfull outer\b|\bwhere (?!false\b)|\{% if",
        re.IGNORECASE,
    )
    text = {path.stem: path.read_text(encoding="utf-8") for path in MODELS if path.parent.name != "staging"}
    branching = {name for name, sql in text.items() if branches.search(sql)}
    assert len(branching) > 40 and branching - tested == set()


def test_only_staging_reads_sources(models: dict[str, Any]) -> None:
    readers = {name for name, node in models.items() if any(d.startswith("source.") for d in node.depends_on.nodes)}
    assert readers == {name for name in models if name.startswith("stg_")}


def test_layers_build_only_on_the_layers_before(models: dict[str, Any]) -> None:
    order = ["staging", "intermediate", "features", "serving", "sync"]
    rank = {node.unique_id: order.index(Path(node.original_file_path).parts[1]) for node in models.values()}
    wrong = [(m.name, d) for m in models.values() for d in m.depends_on.nodes if rank.get(d, 0) > rank[m.unique_id]]
    assert wrong == []


def test_a_write_back_compares_every_column_that_does_not_ride_along(models: dict[str, Any]) -> None:
    written = {name: node for name, node in models.items() if name.startswith("sync_")}
    assert len(written) == 2
    for node in written.values():
        compared = re.findall(r"or wanted\.(\w+) is distinct from told\.\1", node.compiled_code)
        owed = [c.name for c in node.columns.values() if c.name != "account_id" and not c.meta.get("rides_along")]
        assert compared == owed


def test_every_landed_table_has_its_staging_model(built: tuple[Any, Any], models: dict[str, Any]) -> None:
    tables = {source.name for source in built[0].sources.values()}
    assert {f"stg_files__{table}" for table in tables} == {name for name in models if name.startswith("stg_files__")}


def test_every_model_is_described_and_its_key_tested(models: dict[str, Any], tests_of: dict[str, list[str]]) -> None:
    assert [name for name, node in models.items() if not node.description] == []
    keyless = {"fct_tier_migration"}  # its key has empty parts: a new account has no previous tier
    keys = {"primary_key", "observed_in_time"}
    assert [name for name in models if not keys & set(tests_of.get(name, [])) and name not in keyless] == []


def test_every_mart_has_an_enforced_contract(models: dict[str, Any]) -> None:
    chosen_by_the_user = {"fct_account_declared_attributes"}
    open_ended = {name for name, node in models.items() if name.startswith("fct_") and not node.contract.enforced}
    assert open_ended == chosen_by_the_user


def test_every_feature_model_is_tested_for_facts_from_the_future(
    models: dict[str, Any], tests_of: dict[str, list[str]]
) -> None:
    """Models of dated facts date the newest one; those of CRM attributes rest on the test of `known_at` in the frame."""
    of_the_crm = {f"feat_account__{theme}" for theme in ("age", "company", "industry", "location", "size", "structure")}
    dated = {name for name in models if name.startswith("feat_account__") and "observed_in_time" in tests_of[name]}
    assert {name for name in models if name.startswith("feat_account__")} == dated | of_the_crm
    assert "known_before_observation" in tests_of["fct_account_features"]


def test_everything_published_is_an_exposure_with_an_owner(built: tuple[Any, Any], models: dict[str, Any]) -> None:
    exposures = built[0].exposures.values()
    marts = {node.unique_id for name, node in models.items() if name.startswith(("fct_", "sync_"))}
    assert {d for exposure in exposures for d in exposure.depends_on.nodes} == marts
    assert all(exposure.owner.name and exposure.description for exposure in exposures)
    readme = (PROJECT.parent / "README.md").read_text(encoding="utf-8")
    published = set(
        re.findall(r"`([\w.]+\.\w+|lists/)`", readme[readme.index("| file |") : readme.index("4. `icp explain")])
    )
    assert published - {"manifest.json"} <= set(re.findall(r"[\w.]+\.\w+|lists/", " ".join(e.label for e in exposures)))


def test_every_model_belongs_to_a_group_with_an_owner(built: tuple[Any, Any], models: dict[str, Any]) -> None:
    groups = {group.name for group in built[0].groups.values() if group.owner.name}
    assert {node.config.group for node in models.values()} == groups


def test_every_feature_declares_itself(models: dict[str, Any]) -> None:
    node = models["fct_account_features"]
    columns = {name: {"description": c.description, "meta": c.meta} for name, c in node.columns.items()}
    declared = attributes.from_columns(columns, node.name)
    assert len(declared) == 58
    assert {a.name for a in declared if a.axis == "intent"} == {
        "events_365d", "events_attended_365d", "events_sponsored_365d", "visits_30d", "visits_90d", "visits_trend",
        "key_events_30d", "key_events_90d", "key_events_trend", "pricing_views_90d", "product_views_90d",
        "content_views_90d", "first_touch_channel", "evaluates_competitor", "dropped_competitor_90d",
    }  # fmt: skip
    assert all(a.description for a in declared)
    page = (PROJECT.parent / "docs/attributes.md").read_text(encoding="utf-8")
    assert {a.name for a in declared} == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))


def test_every_feature_keeps_the_rules_a_refresh_insists_on(project: Path) -> None:
    feature_pages.check(PROJECT)
    feature_pages.check(project)


def test_what_was_scaffolded_keeps_the_rules(project: Path, scaffolded: dict[str, Any], models: dict[str, Any]) -> None:
    own = {node.name: node for node in scaffolded.values() if node.resource_type == "model"}
    added = feature_pages.added_models(project)
    assert added == tuple(f"feat_account__{name}" for name in (*(f"own_{kind}" for kind in KINDS), "tickets_90d"))
    assert set(own) == {*added, "stg_files__tickets", "int_tickets__resolved", "sync_helpdesk"}
    for name in added:
        columns = {n: {"description": c.description, "meta": c.meta} for n, c in own[name].columns.items()}
        (attribute,) = attributes.from_columns(columns, name)
        assert (attribute.name, attribute.axis) == (name.removeprefix("feat_account__"), "intent")
    assert {own[name].unique_id for name in added} <= set(models["fct_account_declared_attributes"].depends_on.nodes)
    assert all(own[name].contract.enforced for name in (*added, "sync_helpdesk"))
    assert all(node.description and len(node.raw_code.splitlines()) <= LONGEST_MODEL for node in own.values())
    keyed = {node.attached_node for node in scaffolded.values() if getattr(node, "test_metadata", None)}
    assert keyed == {node.unique_id for node in own.values()}
    assert [node.owner.name for node in scaffolded.values() if node.resource_type == "exposure"] == [
        "Revenue operations"
    ]


def test_every_feature_reads_the_past_only(models: dict[str, Any]) -> None:
    """A feature is compared with the moment of its observation, or made of attributes that were."""
    features = [node for name, node in models.items() if name.startswith("feat_")]
    undated = [n.name for n in features if not re.search(r"observed_|int_account_attributes__as_of", n.raw_code)]
    assert features and undated == []


def test_every_column_under_contract_is_described(models: dict[str, Any]) -> None:
    under_contract = [node for node in models.values() if node.contract.enforced]
    bare = [f"{node.name}.{c.name}" for node in under_contract for c in node.columns.values() if not c.description]
    assert under_contract and bare == []


def test_every_fact_about_an_account_in_the_frame_has_meta(models: dict[str, Any]) -> None:
    """A column without `meta.icp` is a key, a name, an outcome or a trail; anything else is a feature somebody forgot."""
    bookkeeping = {"observation_id", "account_id", "account_name", "company_domain", "role", "observed_at", "is_won"}
    bookkeeping |= {"is_worked", "is_backfilled", "is_customer", "source_load_id", "source_row", "known_at"}
    columns = models["fct_account_features"].columns.values()
    bare = {c.name for c in columns if "icp" not in c.meta and not c.name.startswith("outcome_")}
    assert bare == bookkeeping


def test_singular_tests_are_named_as_sentences() -> None:
    names = [path.stem for path in PROJECT.glob("tests/*.sql")]
    assert names and [name for name in names if not re.match(r"assert_(\w+_){3,}\w+$", name)] == []


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
