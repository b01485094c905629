"""Ask a person: one run per held candidate, suspended with a form in Prefect until somebody answers or the deadline passes.

It is a run of its own, not the refresh that waits: a refresh of several ICPs may hold several candidates, and a run that
waits for days must hold no place in the queue of refreshes (docs/adr/0016).
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import stamina
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from icp.errors import LockHeld

if TYPE_CHECKING:
    from flows.approvals import Waiting
    from icp.config import Settings

DEPLOYMENT = "icp-approval/approval"
FLOW = "icp-approval"
SHORTEST = 1
PATIENCE = 3_600.0  # seconds an answer waits for a run that is writing to the lake
_log = logging.getLogger("icp.approval")


class ApprovalForm(RunInput):  # type: ignore[misc]
    """What the form in Prefect asks."""

    decision: Literal["approve", "reject"] = Field(
        description="approve puts the candidate in force, reject keeps the ICP there is."
    )
    reason: str = Field(min_length=1, max_length=2000, pattern=r"\S", description="Why; kept in the log of approvals.")
    decided_by: str = Field(min_length=1, max_length=200, pattern=r"\S", description="Your name; kept in the log.")


@flow(flow_run_name="icp-approval-{icp}-{revision}")
def icp_approval(project: str = "icp.yml", icp: str = "main", revision: str = "") -> str:
    """Wait for an answer about one candidate (`revision`, such as 2026Q3/r1) and record it with who, when and why."""
    from flows.approvals import answer_form, in_words, let_lapse, settled_by
    from icp.config import load
    from icp.published import PublishedStore

    settings = load(Path(project))
    let_lapse(settings, datetime.now(UTC))
    candidate = _candidate(settings, icp, revision)
    if candidate is None:  # answered at a terminal before this run began, or while it was suspended
        quarter, _, number = revision.partition("/r")
        standing = settled_by(PublishedStore(settings.lake, icp), quarter, int(number or 0))
        return f"Nothing to decide. {in_words(standing)}" if standing else f"{revision} is not published."
    _show(settings, candidate)
    question = "\n\n".join(
        (_question(candidate), *_verdict(settings, candidate), "All of it is in this run's artifact.")
    )
    form = suspend_flow_run(
        wait_for_input=ApprovalForm.with_initial_data(description=question),
        timeout=_patience(candidate, datetime.now(UTC)),
        key=_key(candidate),
    )
    decision: Literal["approved", "rejected"] = "approved" if form.decision == "approve" else "rejected"
    patiently = stamina.retry(on=LockHeld, attempts=None, timeout=PATIENCE, wait_initial=5.0, wait_max=60.0)
    _, told = patiently(answer_form)(
        settings, icp, revision, decision, by=form.decided_by.strip(), reason=form.reason.strip(), now=datetime.now(UTC)
    )
    return told


def _candidate(settings: Settings, icp: str, revision: str) -> Waiting | None:
    from flows.approvals import waiting

    return next((found for found in waiting(settings) if (found.icp, found.name) == (icp, revision)), None)


def _patience(candidate: Waiting, now: datetime) -> int | None:
    """Seconds the form stays open; None where no deadline is set: it waits for ever."""
    if candidate.until is None:
        return None
    return max(int((candidate.until - now).total_seconds()), SHORTEST)


def _question(candidate: Waiting) -> str:
    until = f" Without an answer by {candidate.until:%Y-%m-%d %H:%M} UTC it lapses." if candidate.until else ""
    return (
        f"**ICP {candidate.icp}, candidate {candidate.name}.** Held: {candidate.reason.rstrip('.')}. The ICP in force "
        f"serves meanwhile.{until}"
    )


def _key(candidate: Waiting) -> str:
    """Under which Prefect keeps a candidate's form and artifact; its keys are lower case letters, digits and dashes."""
    return f"icp-{candidate.icp}-{candidate.name}-approval".replace("_", "-").replace("/", "-").lower()


def _verdict(settings: Settings, candidate: Waiting) -> tuple[str, ...]:
    """What changed, as a sentence, where the revision says so: enough for most answers."""
    path = _folder(settings, candidate) / "diff.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    sentence = (found.get("comparison") or {}).get("sentence")
    return (str(sentence),) if sentence else ()


def _folder(settings: Settings, candidate: Waiting) -> Path:
    return settings.lake / "published" / candidate.icp / candidate.name


def _show(settings: Settings, candidate: Waiting) -> None:
    folder = _folder(settings, candidate)
    body = (folder / "diff.md").read_text(encoding="utf-8")
    markdown = f"{_question(candidate)}\n\n{body}\n\nReport: `{folder / 'report.html'}`\n"
    create_markdown_artifact(markdown=markdown, key=_key(candidate), description=f"{candidate.name} waits for approval")


def ask_for_approval(settings: Settings, now: datetime) -> int:
    """Start a run with a form for every candidate that waits and has none; answers how many were asked for.

    Forms about candidates that wait no longer are closed first. Only a server with the deployment `icp-approval/approval`
    can show forms; without one the terminal is the way (`icp approve`). Nothing here can fail the run that held the
    candidate.
    """
    from flows.approvals import waiting

    close_forms(settings)
    asked = 0
    for candidate in waiting(settings):
        if candidate.until is not None and candidate.until <= now:
            continue
        try:
            _ask(settings, candidate)
            asked += 1
        except Exception as error:  # noqa: BLE001  the candidate is published and held; only its form is missing
            command = f"icp approve {candidate.name} --icp {candidate.icp} --reason ..."
            _log.warning(
                "No form for %s in Prefect (%s): answer with %s", candidate.name, type(error).__name__, command
            )
    return asked


def _ask(settings: Settings, candidate: Waiting) -> None:
    """One run per candidate; another where that one ended without an answer, as when it was killed with its worker.

    A run that somebody cancelled is an answer to the form, though not to the question: it is not asked again.
    """
    from prefect.deployments import run_deployment

    first = key = f"{settings.lake}-{candidate.icp}-{candidate.name}-{candidate.since.isoformat()}"
    while True:
        run = run_deployment(
            DEPLOYMENT,
            parameters={"project": str(settings.path), "icp": candidate.icp, "revision": candidate.name},
            timeout=0,
            as_subflow=False,
            idempotency_key=key,
        )
        if run.state is None or not run.state.is_final() or run.state.is_cancelled():
            return
        key = f"{first}-{run.id}"


def close_forms(settings: Settings) -> int:
    """End the runs whose forms ask about a candidate that waits no longer; answers how many. It never raises.

    Their answers would change nothing; a form that is still open all the same asks somebody to decide.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Cancelled

    from flows.approvals import waiting

    open_ones = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))
    named, closed = FlowFilter(name=FlowFilterName(any_=[FLOW])), 0
    try:
        asked = {(str(settings.path), found.icp, found.name) for found in waiting(settings)}
        with get_client(sync_client=True) as client:
            for run in client.read_flow_runs(flow_filter=named, flow_run_filter=open_ones):
                about = tuple(run.parameters.get(name) for name in ("project", "icp", "revision"))
                if about[0] == str(settings.path) and about not in asked:
                    client.set_flow_run_state(run.id, Cancelled(message=f"{about[2]} waits no longer."))
                    closed += 1
    except Exception as error:  # noqa: BLE001  an answer to it is refused all the same
        _log.warning("Forms that ask no longer could not be closed in Prefect (%s).", type(error).__name__)
    return closed
