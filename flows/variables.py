"""What a refresh tells the dbt project: one dictionary, built from the plan and the profile, no clock, no defaults."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.refresh_steps import Derived, Plan
    from icp.config_icp import LabelSection
    from icp.profile import Profile


def feature_variables(plan: Plan) -> dict[str, Any]:
    """What the features are as of, which quarters have outcomes, and which landed files count."""
    from icp.lake import Lake

    calendar, label = plan.settings.calendar, plan.config.label
    waits = label.horizon if label.kind == "good_customer" else 0  # deals are that much older than their outcomes
    first = calendar.previous(plan.quarter, plan.config.lookback_quarters + waits)
    return {
        "as_of": _sql(plan.as_of),
        "quarter_end": _sql(plan.quarter.end),
        "quarters": [
            {"label": q.label, "start": _sql(q.start), "end": _sql(q.end)} for q in calendar.range(first, plan.quarter)
        ],
        "timezone": calendar.timezone,
        "landed": Lake(plan.settings.lake).landed_files(plan.as_of),
        "declared_attributes": [{"name": a.name, "kind": a.kind} for a in plan.settings.declared_attributes],
        "label": feature_label(label),
        "reporting_currency": plan.settings.reporting_currency,
    }


def feature_label(label: LabelSection) -> dict[str, Any]:
    """What dbt is told of the label; its rules are applied to the facts afterwards (`icp.label_rules`)."""
    return label.model_dump(exclude={"require", "at_least", "pins", "best_customers"}) | {
        "horizon_quarters": label.horizon
    }


def serving_variables(plan: Plan, working: Path, derived: Derived) -> dict[str, Any]:
    """What scores the accounts now, what scored them before, and where the results go."""
    from icp.scoring import PLACEHOLDER, compile_scoring_sql

    before = derived.incumbent
    return {
        **_scoring(derived.profile, ""),
        "scoring_sql": compile_scoring_sql(derived.profile, relation=PLACEHOLDER),
        "scoring_columns": _columns(derived.profile),
        "qualified_tiers": list(plan.config.qualified_tiers),
        "points_path": str(working / "points.parquet"),
        "intent_levels": list(derived.profile.intent_levels),
        **(_scoring(before, "previous_") if before else {}),
        "previous_scoring_sql": compile_scoring_sql(before, relation=PLACEHOLDER) if before else "",
        "previous_accounts_path": str(plan.incumbent / "accounts.parquet") if plan.incumbent else "",
        "destinations_path": str(working / "destinations"),
        **{
            f"{name}_path": str(working / f"{name}.parquet")
            for name in ("accounts", "contributions", "migration", "lists")
        },
    }


def _scoring(profile: Profile, prefix: str) -> Mapping[str, Any]:
    return {f"{prefix}tiers": [{"name": tier.name, "min_score": tier.min_score} for tier in profile.tiers]}


def _columns(profile: Profile) -> list[dict[str, str]]:
    from icp.scoring import criteria_columns

    return [
        {
            "attribute": column.attribute,
            "axis": column.axis,
            "bin": column.bin_column,
            "points": column.points_column,
            "source_column": column.source_column,
        }
        for column in criteria_columns(profile)
    ]


def _sql(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
