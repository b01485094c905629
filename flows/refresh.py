"""Re-derive the ICP of one quarter, test the last one on its outcomes, publish what changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.progress import say
from flows.steps import Runner, as_task, plainly

if TYPE_CHECKING:
    from icp.config import Settings


@dataclass(frozen=True)
class RefreshResult:
    """What one refresh did: `status` is published or nothing_new; `verdict` says it in words."""

    status: str
    quarter: str
    verdict: str
    revision: Path | None = None
    decision: str = ""


def refresh(
    settings: Settings,
    *,
    icp: str,
    quarter: str | None,
    now: datetime,
    run: Runner = plainly,
) -> RefreshResult:
    """Run one quarter from landed loads to a published revision.

    Raises:
        ConfigError: the quarter has not closed and settled yet, or nothing has landed.
        GateFailed: a gate refused the features or the lists; nothing was published.
        NotEnoughEvidence: too few outcomes to say anything; nothing was published.
        LockHeld: another run is writing to this lake.
    """
    from flows import refresh_steps as steps
    from icp.lake import Lake

    with Lake(settings.lake).lock():
        plan = run(steps.plan_refresh)(settings, icp, quarter, now)
        if plan.published is not None:
            steps.decide_if_killed_before(plan, now)
            return RefreshResult(
                "nothing_new", plan.quarter.label, steps.published_verdict(plan.published), plan.published
            )
        with steps.working_folder(plan) as working:
            say("building features")
            features = run(steps.build_features)(plan, working)
            run(steps.check_features)(plan, working, features)
            say("deriving the profile")
            derived = run(steps.derive_profile)(plan, features)
            say("scoring accounts")
            run(steps.build_serving)(plan, working, derived)
            run(steps.check_outbound)(plan, working, features, derived)
            say("publishing")
            revision = run(steps.publish_revision)(plan, working, features, derived)
            decision = run(steps.decide)(plan, revision, derived.approval, now)
    return RefreshResult("published", plan.quarter.label, steps.published_verdict(revision), revision, decision)


def refresh_and_tell(
    settings: Settings, *, icp: str, quarter: str | None, now: datetime, run: Runner = plainly
) -> RefreshResult:
    """`refresh`, kept in the ledger of runs and told to the channels of icp.yml; raises what `refresh` does."""
    from flows.telling import Subject, observed, of_refresh

    settings.icp(icp)
    calendar = settings.calendar
    chosen = calendar.quarter(quarter) if quarter else calendar.last_closed(now)
    calendar.require_closed(chosen, now)
    return observed(
        settings,
        Subject("refresh", icp, chosen.label),
        lambda: refresh(settings, icp=icp, quarter=quarter, now=now, run=run),
        of_refresh,
        at=now,
        clock=lambda: datetime.now(UTC),
        to_prefect=run is as_task,
    )


@flow(flow_run_name="icp-refresh-{icp}-{quarter}")
def icp_refresh(project: str = "icp.yml", icp: str = "main", quarter: str | None = None) -> RefreshResult:
    """Refresh one ICP for a quarter (the last one that closed and settled, when none is named)."""
    from icp.config import load

    result = refresh_and_tell(load(Path(project)), icp=icp, quarter=quarter, now=datetime.now(UTC), run=as_task)
    create_markdown_artifact(
        markdown=_artifact(result), key=f"icp-{icp}-{result.quarter.lower()}", description=result.verdict
    )
    return result


def _artifact(result: RefreshResult) -> str:
    if result.revision is None:
        return result.verdict
    return (result.revision / "diff.md").read_text(encoding="utf-8")
