"""Prefect automations as code: examples that work on any server, applied by `icp deploy --automations`.

They are named, so that applying them again replaces them. Add your own here or in a file beside your flows; whatever can
be built from the events `icp.refresh.candidate`, `icp.drift.detected`, `icp.drift.recovered` and `icp.gate.failed` can
be an automation. Telling people needs none: `alerts:` in icp.yml does that without Prefect.
"""

from __future__ import annotations

from datetime import timedelta

from prefect.automations import Automation
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.exceptions import ObjectNotFound
from prefect.states import StateType

SILENCE = timedelta(seconds=180)
FLOWS = "icp-*"


def rerun_crashed() -> Automation:
    """A run whose process died is started again, for the same quarter and ICP; what it had finished is kept.

    Switch it off if runs die every time.
    """
    return Automation(
        name="icp: run crashed runs again",
        description="A killed refresh, ingest or look for drift leaves nothing half done; the same run is scheduled again.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Crashed"},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": FLOWS},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(seconds=0),
        ),
        # Not RunDeployment: that starts another run with the deployment's own parameters, for another quarter or candidate.
        actions=[ChangeFlowRunState(state=StateType.SCHEDULED, name=None, message="The process died; once more.")],
    )


def crash_silent() -> Automation:
    """A run that ceased to give signs of life, as when its worker was killed with it, is marked as crashed.

    Needs `PREFECT_FLOWS_HEARTBEAT_FREQUENCY` (30 or more seconds) where runs happen.
    """
    return Automation(
        name="icp: mark silent runs as crashed",
        description="No heartbeat for three minutes: the worker was killed with its run.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={
                "prefect.flow-run.heartbeat", "prefect.flow-run.Completed", "prefect.flow-run.Failed",
                "prefect.flow-run.Cancelled", "prefect.flow-run.Crashed", "prefect.flow-run.Suspended",
                "prefect.flow-run.Waiting",
            },
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": FLOWS},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, name=None, message="No sign of life for three minutes.")],
    )  # fmt: skip


def drift_ingests() -> Automation:
    """Where drift begins the extracts are looked at once more, so that the next look does not rest on a late load."""
    return Automation(
        name="icp: land extracts when drift begins",
        description="icp.drift.detected starts the daily ingest at once.",
        trigger=EventTrigger(
            expect={"icp.drift.detected"},
            match={"prefect.resource.id": "icp.*"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(seconds=0),
        ),
        actions=[RunDeployment(source="selected", deployment_id=_deployment("icp-ingest/daily"))],
    )


def apply() -> list[str]:
    """Put all of them on the server; answers their names."""
    names = []
    for automation in (rerun_crashed(), crash_silent(), drift_ingests()):
        for before in _known(automation.name):
            before.delete()
        names.append(automation.create().name)
    return names


def _known(name: str) -> list[Automation]:
    """The one of this name the server has, or none."""
    try:
        return [Automation.read(name=name)]
    except (ObjectNotFound, ValueError):
        return []


def _deployment(name: str) -> object:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return client.read_deployment_by_name(name).id
