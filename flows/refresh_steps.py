"""The steps of a refresh up to the profile, each a plain function that takes what the last one made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flows.dbt_project
from flows.provenance import code_hash, run_key
from icp.errors import ConfigError
from icp.qualitative import Qualitative

if TYPE_CHECKING:
    import pandas as pd

    from icp.approval import Approval
    from icp.calendar import Quarter
    from icp.config import IcpSettings, Settings
    from icp.deals_left_out import DealsLeftOut
    from icp.hypotheses import Hypothesis
    from icp.label_rules import LeftOut
    from icp.profile import Attribute, Profile
    from icp.published import PublishedStore
    from icp.quarterly import QuarterResult, Question

FEATURES = ("+fct_account_features", "+fct_account_declared_attributes", "+int_opportunities__left_out")


@dataclass(frozen=True)
class Plan:
    """Everything decided before work starts; `published` is the existing revision when there is nothing to do."""

    settings: Settings
    icp: str
    quarter: Quarter
    as_of: datetime
    store: PublishedStore
    incumbent: Path | None
    hashes: Mapping[str, str]
    published: Path | None
    stale: tuple[str, ...] = ()

    @property
    def config(self) -> IcpSettings:
        return self.settings.icp(self.icp)

    @property
    def cache(self) -> Path:
        return self.settings.lake / "cache"

    @property
    def warehouse(self) -> Path:
        return self.cache / "warehouse.duckdb"


@dataclass(frozen=True)
class FeatureTables:
    """The features of every account as dbt built them, and from which variables; ICPs that ask for the same share them."""

    variables: Mapping[str, Any] = field(repr=False)
    features: Path
    declared: Path
    left_out: Path
    columns: Mapping[str, Any] = field(repr=False)

    def serve(self, plan: Plan) -> bool:
        """Whether this plan's features are these."""
        from flows.variables import feature_variables

        return self.variables == feature_variables(plan)


@dataclass(frozen=True)
class Features:
    """Label rows (outcome known) and score rows (the universe as of the run), with the declared attributes."""

    labels: pd.DataFrame = field(repr=False)
    universe: pd.DataFrame = field(repr=False)
    attributes: tuple[Attribute, ...]
    hypotheses: tuple[Hypothesis, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    deals_left_out: tuple[DealsLeftOut, ...] = ()
    qualitative: Qualitative = field(default_factory=Qualitative)
    young: pd.DataFrame | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Derived:
    """The statistics of one refresh and what the approval policy makes of them."""

    result: QuarterResult
    approval: Approval

    @property
    def profile(self) -> Profile:
        return self.result.profile

    @property
    def incumbent(self) -> Profile | None:
        return self.result.incumbent


def plan_refresh(settings: Settings, icp: str, quarter: str | None, now: datetime) -> Plan:
    """Decide what will be run from what, and whether it has been published already.

    Raises:
        TryLater: a source has failed for longer than icp.yml allows.
    """
    from flows.label import label_requirements, pins_in_force
    from icp.label_rules import require_families
    from icp.lake import Lake
    from icp.pins import version_of
    from icp.published import PublishedStore
    from icp.sources.failures import require_fresh, stale_sources

    settings.icp(icp)
    calendar = settings.calendar
    chosen = calendar.quarter(quarter) if quarter else calendar.last_closed(now)
    calendar.require_closed(chosen, now)
    as_of = calendar.as_of(chosen)
    store, lake = PublishedStore(settings.lake, icp), Lake(settings.lake)
    if not lake.accepted_loads(as_of):
        raise ConfigError(f"Nothing has landed that was true by {as_of:%Y-%m-%d}. Run `icp ingest` first.")
    require_families(label_requirements(settings.icp(icp)), lake.landed_files(as_of))
    incumbent = store.incumbent(before_quarter=chosen.label)
    hashes = {
        "inputs": lake.inputs_hash(as_of),
        "config": settings.icp_hashes[icp],
        "code": code_hash(settings.dbt_project),
        "incumbent": store.fingerprint(incumbent) if incumbent else "",
    }
    pins = pins_in_force(settings, icp, as_of)
    if pins:
        hashes["pins"] = version_of(pins)
    old = stale_sources(settings, as_of)
    lines = tuple(found.line for found in old)
    if lines:
        hashes["stale"] = run_key(lines)  # once the source is back the quarter is told anew, without the warning
    latest = store.latest(chosen.label)
    if latest is not None and store.manifest(latest)["run_key"] == run_key(hashes.values()):
        return Plan(settings, icp, chosen, as_of, store, incumbent, hashes, latest, lines)
    require_fresh(settings, old, as_of)
    return Plan(settings, icp, chosen, as_of, store, incumbent, hashes, None, lines)


@contextmanager
def working_folder(plan: Plan) -> Iterator[Path]:
    """The revision in the making: beside its final place, removed when anything goes wrong."""
    working = plan.store.open_working(plan.quarter.label)
    try:
        yield working
    finally:
        shutil.rmtree(working, ignore_errors=True)


def build_features(plan: Plan) -> FeatureTables:
    """Build the features of every label and score row with dbt."""
    from flows.variables import feature_variables

    scratch = plan.cache / "features"
    scratch.mkdir(parents=True, exist_ok=True)
    files = {name: scratch / f"{name}.parquet" for name in ("features", "declared", "left_out")}
    files["left_out"].unlink(missing_ok=True)  # a dbt project laid down by an older version does not write it
    paths = {f"{name}_path": str(path) for name, path in files.items()}
    variables = feature_variables(plan)
    columns = flows.dbt_project.build(
        plan.settings.dbt_project,
        select=FEATURES,
        variables=variables | paths,
        warehouse=plan.warehouse,
        scratch=plan.cache,
    )
    return FeatureTables(variables, files["features"], files["declared"], files["left_out"], columns)


def read_features(plan: Plan, working: Path, tables: FeatureTables) -> Features:
    """The rows of this ICP's population under its label and its candidate attributes; they are kept with the revision."""
    from flows.label import labelled_by
    from flows.population import in_population
    from flows.qualitative import qualitative_of
    from icp import attributes, feature_frame
    from icp.deals_left_out import as_left_out
    from icp.feature_pages import added_models
    from icp.hypotheses_file import resolve
    from icp.publication import write_parquet

    models = ("fct_account_features", *added_models(plan.settings.dbt_project))
    built_in = [attribute for model in models for attribute in attributes.from_columns(tables.columns[model], model)]
    everything = attributes.candidates(built_in, plan.settings.declared_attributes, ())
    frame, outside = in_population(
        plan.settings, plan.icp, feature_frame.read_features(tables.features, tables.declared), everything
    )
    labelled = labelled_by(plan.settings, plan.icp, frame, plan.as_of)
    frame = labelled.frame
    write_parquet(working / "features.parquet", frame)
    wanted = plan.config.attributes
    candidates = attributes.candidates(
        built_in,
        plan.settings.declared_attributes,
        (*plan.config.exclude_attributes, *wanted.exclude),
        wanted.include,
        wanted.families,
    )
    hypotheses = resolve(plan.settings.hypotheses.get(plan.icp, ()), candidates, plan.config.hypotheses or "")
    is_label = frame["role"] == "label"
    labels, universe = frame[is_label].reset_index(drop=True), frame[~is_label].reset_index(drop=True)
    deals = feature_frame.read_left_out(tables.left_out) if plan.config.label.kind != "best_customer" else ()
    left_out = (*as_left_out(deals), *outside, *labelled.left_out)
    known = qualitative_of(plan, everything)
    return Features(labels, universe, candidates, hypotheses, left_out, deals, known, labelled.young)


def question_of(plan: Plan, features: Features) -> Question:
    """What is asked of these features: label, tiers, minimum and population as icp.yml says them."""
    from flows.label import label_requirements, label_rule, pins_in_force
    from flows.population import population_rules
    from icp.population import population_words
    from icp.quarterly import Question

    minimum = plan.config.minimum.model_dump()
    return Question(
        plan.icp,
        plan.quarter.label,
        plan.config.tiers,
        minimum,
        hypotheses=features.hypotheses,
        label_rules=label_requirements(plan.config),
        label=label_rule(plan.config, pins_in_force(plan.settings, plan.icp, plan.as_of)),
        has_value=plan.config.value.kind == "two_part",
        contrast=plan.config.label.contrast,
        population=population_words(population_rules(plan.settings, plan.icp)),
    )


def derive_profile(plan: Plan, features: Features) -> Derived:
    """Derive the profile, test what changed, judge the incumbent on the quarter's outcomes, apply the policy."""
    from flows.reading import read_profile
    from icp.approval import decide
    from icp.population_change import answer_for_population
    from icp.serialize import rounded

    question = question_of(plan, features)
    incumbent = read_profile(plan.incumbent) if plan.incumbent else None
    # Rounded once, before anything is written from it: the last bits of a float are the machine's, not the profile's.
    result = rounded(
        answer_for_population(question, features.labels, features.universe, features.attributes, incumbent)
    )
    approval = decide(plan.config.approval.mode, result.profile, incumbent, result.diff, result.backtest)
    return Derived(result, approval)
