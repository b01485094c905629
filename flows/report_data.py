"""Gathers what the report is made from: the results of the run, its tables, and the facts of its sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.refresh_steps import Derived, Features, Plan
    from icp.report import ReportData
    from icp.report.data import ReportMeta, SourceAge


def report_data(plan: Plan, working: Path, features: Features, derived: Derived) -> ReportData:
    """Everything the report shows, with nothing in it that depends on when the run happened."""
    from icp import publication, tier_lists
    from icp.account_lists import list_counts, read_lists
    from icp.qualitative_evidence import agreements
    from icp.report import ReportData
    from icp.what_if import what_if

    profile = derived.profile
    accounts = publication.read_accounts(working)
    return ReportData(
        profile=profile,
        meta=_meta(plan, working, features, derived),
        incumbent=derived.incumbent,
        diff=derived.result.diff,
        backtest=derived.result.backtest,
        market=derived.result.market,
        beliefs=derived.result.beliefs,
        migration=publication.read_migration(working),
        movers=tier_lists.movers(accounts, tier_lists.tier_names(profile)),
        coverage=publication.coverage(features.labels, features.universe, features.attributes),
        sensitivity=derived.result.sensitivity,
        exposure=derived.result.exposure,
        contrasts=derived.result.contrasts,
        qualitative=features.qualitative,
        agreements=agreements(features.qualitative.survey, features.hypotheses, derived.result.beliefs),
        what_if=what_if(profile, features.labels, features.universe),
        lists=list_counts(read_lists(working), features.universe, has_tiers=bool(profile.tiers)),
    )


def _meta(plan: Plan, working: Path, features: Features, derived: Derived) -> ReportMeta:
    from flows.label import label_words, pins_in_force
    from icp import contract
    from icp.lake import Lake
    from icp.landed_dirt import landed_dirt, stale_tables
    from icp.publication import read_history
    from icp.report.data import Exclusion, ReportMeta
    from icp.spellings import unknown_spellings

    loads = Lake(plan.settings.lake).accepted_loads(plan.as_of)
    number = (plan.store.revisions(plan.quarter.label) or [0])[-1] + 1
    return ReportMeta(
        company=plan.settings.company,
        as_of=f"{plan.as_of.astimezone(plan.settings.calendar.zone):%Y-%m-%d}",
        revision=f"r{number}",
        approval=derived.approval,
        inputs_hash=plan.hashes["inputs"],
        config_hash=plan.hashes["config"],
        code_hash=plan.hashes["code"],
        label="customers against all accounts"
        if derived.profile.contrast == "customer_or_not"
        else label_words(plan.config, pins_in_force(plan.settings, plan.icp, plan.as_of)),
        sources=_sources(plan),
        exclusions=tuple(Exclusion(left.what, left.rows, left.reason) for left in features.left_out),
        notes=(
            *plan.stale,
            *stale_tables(loads, contract.load(plan.settings.dbt_project), plan.as_of),
            *landed_dirt(loads),
            *_notes_of_the_past(working),
            *unknown_spellings(features.universe, plan.settings.dbt_project / "seeds"),
        ),
        history=read_history(_past(plan)),
    )


def _notes_of_the_past(working: Path) -> tuple[str, ...]:
    findings = working / "gates/past.json"
    return tuple(json.loads(findings.read_text(encoding="utf-8"))["notes"]) if findings.exists() else ()


def _sources(plan: Plan) -> tuple[SourceAge, ...]:
    from icp.lake import Lake
    from icp.report.data import SourceAge

    ages: dict[str, SourceAge] = {}
    for load in Lake(plan.settings.lake).accepted_loads(plan.as_of):
        rows = sum(table.rows for table in load.tables.values())
        rows += (ages[load.source].rows or 0) if load.source in ages else 0
        age = (plan.as_of - load.effective_at).days
        ages[load.source] = SourceAge(load.source, f"{load.effective_at:%Y-%m-%d}", age, rows)
    return tuple(ages[name] for name in sorted(ages))


def _past(plan: Plan) -> list[Path]:
    """The revisions in force at the end of each earlier quarter, oldest first."""
    past = [plan.store.incumbent(before_quarter=label) for label in [*plan.store.quarters(), plan.quarter.label]]
    found = {path.parent.name: path for path in past if path and path.parent.name < plan.quarter.label}
    return [found[label] for label in sorted(found)]
