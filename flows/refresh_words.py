"""What a refresh did, for a terminal and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flows.refresh import IcpOutcome, RefreshResult


def as_json_object(result: RefreshResult) -> dict[str, Any]:
    """The result of one ICP as the fields programs read."""
    return {
        "status": result.status,
        "quarter": result.quarter,
        "verdict": result.verdict,
        "decision": result.decision,
        "revision": str(result.revision) if result.revision else None,
    }


def all_as_json(outcomes: Sequence[IcpOutcome]) -> str:
    """The result of every ICP by name; of one that failed its exit code and why."""
    icps = {
        outcome.icp: as_json_object(outcome.result)
        if outcome.result
        else {"status": "failed", "exit_code": outcome.exit_code, "error": outcome.error}
        for outcome in outcomes
    }
    return json.dumps({"icps": icps})


def in_words(result: RefreshResult, icp: str = "") -> str:
    """The verdict and where the report is; the ICP is named where there are several."""
    name = f"{icp} {result.quarter}" if icp else result.quarter
    lines = []
    if result.status == "nothing_new":
        since = result.revision.name if result.revision else "r1"
        lines.append(f"{name}: nothing new since {since}; nothing published.")
    lines.append(f"{name}: {result.verdict}")
    if result.revision:
        lines.append(f"Report: {result.revision / 'report.html'}")
    return "\n".join(lines)
