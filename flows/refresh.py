"""Re-derive the ICP of one quarter, test the last one on its outcomes, publish what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed, State

from flows.progress import say
from flows.steps import Runner, as_task, plainly
from icp.errors import SEVERITY, IcpError, NotYet

if TYPE_CHECKING:
    from flows.refresh_steps import FeatureTables
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
    wait: bool = False,
) -> RefreshResult:
    """Run one quarter from landed loads to a published revision; with `wait` only once its extracts are there.

    Raises:
        ConfigError: the quarter has not closed and settled yet, or nothing has landed.
        GateFailed: a gate refused the features or the lists; nothing was published.
        NotEnoughEvidence: too few outcomes to say anything; nothing was published.
        NotYet: asked to wait, and an extract of the quarter is still to come; nothing was published.
        LockHeld: another run is writing to this lake.
    """
    from icp.lake import Lake

    with Lake(settings.lake).lock():
        return _refresh_one(settings, icp, quarter, now, run, _Shared(wait))


@dataclass
class _Shared:
    """What the ICPs of one run share: whether to wait for extracts, and the features built last, for those that ask alike."""

    wait: bool = False
    tables: FeatureTables | None = None


def _refresh_one(
    settings: Settings, icp: str, quarter: str | None, now: datetime, run: Runner, shared: _Shared
) -> RefreshResult:
    """One ICP, under the lock of the lake."""
    from flows import publishing
    from flows import refresh_steps as steps
    from flows.approvals import apply_policy
    from flows.index_page import write_index
    from flows.refresh_checks import check_features
    from flows.waiting import require_extracts

    plan = run(steps.plan_refresh)(settings, icp, quarter, now)
    if plan.published is not None:
        publishing.decide_if_killed_before(plan, now)
        write_index(settings, icp)
        verdict = publishing.published_verdict(plan.published)
        return RefreshResult("nothing_new", plan.quarter.label, verdict, plan.published)
    if shared.wait:
        require_extracts(settings, icp, plan.quarter)
    with steps.working_folder(plan) as working:
        if shared.tables is None or not shared.tables.serve(plan):
            say("building features")
            shared.tables = None
            shared.tables = run(steps.build_features)(plan)
        features = run(steps.read_features)(plan, working, shared.tables)
        run(check_features)(plan, working, features)
        say("deriving the profile")
        derived = run(steps.derive_profile)(plan, features)
        say("scoring accounts")
        run(publishing.build_serving)(plan, working, features, derived)
        run(publishing.check_outbound)(plan, working, features, derived)
        derived = run(apply_policy)(plan, working, derived)
        say("publishing")
        revision = run(publishing.publish_revision)(plan, working, features, derived)
        decision = run(publishing.decide)(plan, revision, derived.approval, now)
        write_index(settings, icp)
    return RefreshResult("published", plan.quarter.label, publishing.published_verdict(revision), revision, decision)


def refresh_and_tell(
    settings: Settings, *, icp: str, quarter: str | None, now: datetime, run: Runner = plainly, wait: bool = False
) -> RefreshResult:
    """`refresh`, kept in the ledger of runs and told to the channels of icp.yml; raises what `refresh` does."""
    from flows.approvals import let_lapse

    settings.icp(icp)
    let_lapse(settings, now)

    def work() -> RefreshResult:
        return refresh(settings, icp=icp, quarter=quarter, now=now, run=run, wait=wait)

    return _observed(settings, icp, quarter, now, run, work)


def _refresh_and_tell_one(
    settings: Settings, icp: str, quarter: str | None, now: datetime, run: Runner, shared: _Shared
) -> RefreshResult:
    """One ICP of several, told of on its own."""
    return _observed(settings, icp, quarter, now, run, lambda: _refresh_one(settings, icp, quarter, now, run, shared))


def _observed(
    settings: Settings, icp: str, quarter: str | None, now: datetime, run: Runner, work: Callable[[], RefreshResult]
) -> RefreshResult:
    from flows.telling import Subject, observed, of_refresh

    calendar = settings.calendar
    chosen = calendar.quarter(quarter) if quarter else calendar.last_closed(now)
    calendar.require_closed(chosen, now)
    return observed(
        settings,
        Subject("refresh", icp, chosen.label),
        work,
        of_refresh,
        at=now,
        clock=lambda: datetime.now(UTC),
        to_prefect=run is as_task,
    )


@dataclass(frozen=True)
class IcpOutcome:
    """What became of one ICP in a refresh of all: its result, or why it has none (`exit_code` as if it ran alone).

    `waits`: it has none yet, because extracts of the quarter are still to come.
    """

    icp: str
    result: RefreshResult | None
    error: str = ""
    exit_code: int = 0
    waits: bool = False


class SomeIcpsFailed(IcpError):
    """Of several ICPs some could not be refreshed; the others are published. `outcomes` tells of each."""

    def __init__(self, outcomes: tuple[IcpOutcome, ...]) -> None:
        failed = [outcome for outcome in outcomes if outcome.result is None]
        self.outcomes = outcomes
        self.only_waits = all(outcome.waits for outcome in failed)
        self.exit_code = min((outcome.exit_code for outcome in failed), key=SEVERITY.index)
        told = "\n".join(f"  {o.icp} (exit {o.exit_code}): {o.error}" for o in failed)
        published, verb = len(outcomes) - len(failed), "wait" if self.only_waits else "failed"
        super().__init__(f"{len(failed)} of {len(outcomes)} ICPs {verb}, {published} went through.\n{told}")


def refresh_all(
    settings: Settings, *, quarter: str | None, now: datetime, run: Runner = plainly, wait: bool = False
) -> tuple[IcpOutcome, ...]:
    """Refresh every ICP of icp.yml in its order. One that fails publishes nothing and does not stop the others.

    Each is kept in the ledger of runs and told to the channels of icp.yml on its own.

    Raises:
        SomeIcpsFailed: after all were tried; it holds the outcomes, those of the published ones too.
        LockHeld: another run is writing to this lake.
    """
    from flows.approvals import let_lapse
    from flows.compared import write_comparisons
    from icp.lake import Lake

    let_lapse(settings, now)
    outcomes: list[IcpOutcome] = []
    shared, bug = _Shared(wait), None
    with Lake(settings.lake).lock():
        for icp in settings.icps:
            say(f"ICP {icp}")
            try:
                outcomes.append(IcpOutcome(icp, _refresh_and_tell_one(settings, icp, quarter, now, run, shared)))
            except IcpError as error:
                outcomes.append(IcpOutcome(icp, None, str(error), error.exit_code, isinstance(error, NotYet)))
            except Exception as error:  # noqa: BLE001 - the others are published first, then it is raised
                bug = bug or error
        if len(settings.icps) > 1:
            write_comparisons(settings)
    if bug is not None:
        raise bug
    if any(outcome.result is None for outcome in outcomes):
        raise SomeIcpsFailed(tuple(outcomes))
    return tuple(outcomes)


@flow(flow_run_name="icp-refresh-{icp}-{quarter}")
def icp_refresh(
    project: str = "icp.yml", icp: str = "main", quarter: str | None = None, wait: bool = False
) -> RefreshResult | State[str]:
    """Refresh one ICP for a quarter (the last one that closed and settled, when none is named)."""
    from icp.config import load

    settings, now = load(Path(project)), datetime.now(UTC)
    try:
        result = refresh_and_tell(settings, icp=icp, quarter=quarter, now=now, run=as_task, wait=wait)
    except NotYet as reason:
        return _waiting(str(reason))
    _leave(settings, (IcpOutcome(icp, result),), now)
    return result


@flow(flow_run_name="icp-refresh-all-{quarter}")
def icp_refresh_all(
    project: str = "icp.yml", quarter: str | None = None, wait: bool = False
) -> tuple[IcpOutcome, ...] | State[str]:
    """Refresh every ICP of the project for a quarter; it fails in the end when one of them did.

    With `wait` an ICP whose extracts are still to come is left for the next run; a run that only waits ends as "Waiting".
    """
    from icp.config import load

    settings, now = load(Path(project)), datetime.now(UTC)
    try:
        outcomes = refresh_all(settings, quarter=quarter, now=now, run=as_task, wait=wait)
    except SomeIcpsFailed as failure:
        _leave(settings, failure.outcomes, now)
        if failure.only_waits:
            return _waiting(str(failure))
        raise
    _leave(settings, outcomes, now)
    return outcomes


def _waiting(reason: str) -> State[str]:
    """Nothing failed and nothing is done: what a run looks like that found its extracts were still to come."""
    create_markdown_artifact(markdown=reason, key="icp-waiting", description=reason.splitlines()[0])
    return Completed(name="Waiting", message=reason, data=reason)


def _leave(settings: Settings, outcomes: tuple[IcpOutcome, ...], now: datetime) -> None:
    from flows.approval import ask_for_approval
    from flows.assets import leave_published

    for outcome in outcomes:
        result = outcome.result
        if result is None:
            continue
        _leave_artifact(outcome.icp, result)
        if result.status == "published" and result.revision:
            leave_published(settings, outcome.icp, result.revision, result.verdict)
    ask_for_approval(settings, now)


def _leave_artifact(icp: str, result: RefreshResult) -> None:
    key = f"icp-{icp.replace('_', '-')}-{result.quarter.lower()}"
    create_markdown_artifact(markdown=_artifact(result), key=key, description=result.verdict)


def _artifact(result: RefreshResult) -> str:
    if result.revision is None:
        return result.verdict
    return (result.revision / "diff.md").read_text(encoding="utf-8")
