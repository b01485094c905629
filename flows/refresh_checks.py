"""What must hold of the features before anything is derived from them; the findings stay with the revision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.refresh_steps import Features, Plan


def check_features(plan: Plan, working: Path, features: Features) -> None:
    """Stop here when the features cannot be trusted: nothing is derived from them. The findings stay with the revision."""
    from flows.gates import check_features as check
    from flows.gates import check_leaks, check_past
    from icp.feature_frame import read_label_rows
    from icp.feature_pages import own_columns

    result = check(
        features.labels,
        features.universe,
        features.attributes,
        as_of=plan.as_of,
        quarter=plan.quarter.label,
        may_lack_outcomes=_starts_from_beliefs(plan, features),
        why_none=_why_no_outcomes(plan, features),
        project=plan.settings.dbt_project.parent,
    )
    keep_findings(working, "features", result.to_dict())
    leaks = check_leaks(
        features.labels,
        features.attributes,
        accepted=plan.config.leak_audit.accept,
        quarter=plan.quarter.label,
    )
    keep_findings(working, "leaks", leaks)
    if plan.incumbent and plan.store.manifest(plan.incumbent)["made_from"]["code"] == plan.hashes["code"]:
        past = check_past(
            features.labels,
            read_label_rows(plan.incumbent),
            features.attributes,
            accepted=plan.config.leak_audit.accept,
            own=lambda: own_columns(plan.settings.dbt_project),
            quarter=plan.quarter.label,
        )
        keep_findings(working, "past", past)


def _why_no_outcomes(plan: Plan, features: Features) -> str:
    """What may have kept the outcomes of this quarter away: loads that are true only later, and deals left out."""
    from icp.config_schema import MOST_SETTLE_DAYS
    from icp.deals_left_out import why_none
    from icp.lake import Lake

    wanted = "revenue" if plan.config.label.kind == "best_customer" else "opportunities"
    lake = Lake(plan.settings.lake)
    now = set(lake.landed_files(plan.as_of).get(wanted, ()))
    later = [
        load.effective_at for load in lake.accepted_loads() if wanted in load.tables and load.effective_at > plan.as_of
    ]
    told = ""
    if later and not now:
        days = (min(later) - plan.quarter.end).days + 1
        or_wait = f", or have quarters read later with `settle_days: {days}` under `calendar` in icp.yml"
        told = (
            f"What has landed of {wanted} is true only from {min(later):%Y-%m-%d} on, and this quarter is read as of "
            f"{plan.as_of:%Y-%m-%d}. Refresh a later quarter{or_wait if days <= MOST_SETTLE_DAYS else ''}."
        )
    return " ".join(part for part in (told, why_none(features.deals_left_out, plan.quarter.label)) if part)


def _starts_from_beliefs(plan: Plan, features: Features) -> bool:
    """Whether this quarter's profile will rest on what people believe, for lack of outcomes."""
    from flows.reading import read_profile
    from flows.refresh_steps import question_of
    from icp.quarterly import starts_from_beliefs

    incumbent = read_profile(plan.incumbent) if plan.incumbent and features.hypotheses else None
    return starts_from_beliefs(question_of(plan, features), features.labels, incumbent)


def keep_findings(working: Path, boundary: str, findings: Mapping[str, Any]) -> None:
    """Put what a gate found beside the revision in the making."""
    text = json.dumps(findings, indent=2, sort_keys=True, default=str, ensure_ascii=False)
    folder = working / "gates"
    folder.mkdir(exist_ok=True)
    (folder / f"{boundary}.json").write_text(text + "\n", encoding="utf-8")
