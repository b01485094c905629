"""The last steps of a refresh: score, check what leaves, publish, decide."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import flows.dbt_project
from flows.provenance import run_key
from flows.refresh_checks import keep_findings
from icp.errors import IcpError

if TYPE_CHECKING:
    from flows.refresh_steps import Derived, Features, Plan
    from icp.approval import Approval

SERVING = ("path:models/serving",)


def build_serving(plan: Plan, working: Path, features: Features, derived: Derived) -> None:
    """Score every account with dbt from the published points; the same SQL is published as scoring.sql."""
    from flows.destinations import room_for_destinations
    from flows.population import population_file
    from flows.variables import feature_variables, serving_variables
    from icp.derive import points_table
    from icp.publication import write_candidate
    from icp.scoring import compile_scoring_sql

    write_candidate(
        working,
        profile=derived.profile,
        points=points_table(derived.profile),
        scoring_sql=compile_scoring_sql(derived.profile, relation="account_features"),
    )
    with room_for_destinations(working):
        flows.dbt_project.build(
            plan.settings.dbt_project,
            select=SERVING,
            variables=feature_variables(plan)
            | serving_variables(plan, working, derived)
            | {"population_path": population_file(plan, features)},
            warehouse=plan.warehouse,
            scratch=plan.cache,
        )


def check_outbound(plan: Plan, working: Path, features: Features, derived: Derived) -> None:
    """Stop here when the lists are not fit to leave: nothing is published."""
    from flows.destinations import check_destinations
    from flows.gates import check_lists
    from flows.gates import check_outbound as check
    from icp.account_lists import read_lists
    from icp.publication import read_accounts

    rows, project = len(features.universe), plan.settings.dbt_project.parent
    accounts = read_accounts(working)
    result = check(accounts, derived.profile, plan.config.tiers, rows, project)
    keep_findings(working, "outbound", result.to_dict())
    listed = check_lists(read_lists(working), accounts, derived.profile.quarter, project)
    keep_findings(working, "outbound_lists", listed.to_dict())
    for name, found in check_destinations(working, project).items():
        keep_findings(working, f"outbound_{name}", found.to_dict())


def publish_revision(plan: Plan, working: Path, features: Features, derived: Derived) -> Path:
    """Write what people read beside what scores, seal the folder and rename it into place."""
    from flows.label import label_requirements, pins_in_force
    from flows.qualitative import case_study_links
    from flows.report_data import report_data
    from icp.account_lists import list_tables, read_lists
    from icp.best_customers import best_customers
    from icp.publication import LIST_COLUMNS, read_accounts, with_case_studies, write_csv, write_findings
    from icp.young_customers import young_customers

    links = case_study_links(features)
    best, requirements = None, label_requirements(plan.config)
    most = plan.config.label.best_customers
    if most is not None:
        pins = pins_in_force(plan.settings, plan.icp, plan.as_of)
        best = best_customers(features.labels, requirements, pins, most)
    write_findings(working, report_data(plan, working, features, derived), links, best)
    accounts = with_case_studies(read_accounts(working)[list(LIST_COLUMNS)], links)
    for name, table in list_tables(read_lists(working), accounts).items():
        write_csv(working / "lists" / f"{name}.csv", table)
    if features.young is not None and not features.young.empty:
        young = young_customers(features.young, requirements, plan.config.label.at_least)
        write_csv(working / "lists" / "young_customers.csv", young)
    manifest = {
        "run_key": run_key(plan.hashes.values()),
        "as_of": plan.as_of.isoformat(),
        "made_from": dict(plan.hashes),
        **({"stale": list(plan.stale)} if plan.stale else {}),
        "approval": asdict(derived.approval),
    }
    published = plan.store.commit(working, plan.quarter.label, manifest)
    if published.unexpected:
        raise IcpError(
            f"Equal inputs gave other bytes in {', '.join(published.unexpected)}: please report this as a bug."
        )
    return published.path


def decide(plan: Plan, revision: Path, approval: Approval, now: datetime) -> str:
    """Record what the approval policy says of the new revision; the incumbent serves on when it is held."""
    number = plan.store.manifest(revision)["revision"]
    plan.store.record_decision(
        plan.quarter.label, number, approval.decision, by="policy", reason=approval.reason, at=now
    )
    return approval.decision


def decide_if_killed_before(plan: Plan, now: datetime) -> None:
    """Finish a run that was killed between publishing its revision and recording the policy's decision."""
    from icp.approval import Approval

    manifest = plan.store.manifest(plan.published) if plan.published else None
    if manifest and plan.published and plan.store.decision_on(manifest["quarter"], manifest["revision"]) is None:
        decide(plan, plan.published, Approval(**manifest["approval"]), now)


def published_verdict(revision: Path) -> str:
    """The verdict sentence of a published revision: the same words as in its report."""
    body = json.loads((revision / "diff.json").read_text(encoding="utf-8"))
    return str(body["verdict"])
