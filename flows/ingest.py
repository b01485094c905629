"""Pull what is new, gate it, and keep it or quarantine it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import flow

from flows.progress import say
from flows.steps import Runner, as_task, plainly

if TYPE_CHECKING:
    from icp.config import Settings
    from icp.lake import StagedLoad


@dataclass(frozen=True)
class IngestResult:
    """What one ingest did: loads accepted, loads refused with the reasons in words, tables and rows landed."""

    accepted: tuple[str, ...]
    quarantined: tuple[str, ...]
    rows: int
    reports: tuple[str, ...]


def pull_source(settings: Settings, source: str, extracted_at: datetime) -> list[StagedLoad]:
    """Stage every file group of the source that has not landed yet."""
    from icp.lake import Lake
    from icp.sources.files import pull

    return list(pull(settings, source, Lake(settings.lake), extracted_at=extracted_at))


def check_and_keep(settings: Settings, staged: StagedLoad) -> tuple[bool, str]:
    """Gate one staged load: accepted loads become visible, refused ones go to quarantine with their report."""
    from flows.gates import check_landing
    from icp.lake import Lake

    lake = Lake(settings.lake)
    gate = check_landing(lake, staged, settings.dbt_project.parent)
    if gate.success:
        lake.accept(staged, gate.to_dict())
        return True, ""
    lake.quarantine(staged, gate.to_dict())
    return False, gate.summary()


def ingest(
    settings: Settings,
    *,
    source: str | None,
    extracted_at: datetime,
    run: Runner = plainly,
) -> IngestResult:
    """Land everything new of one source or of all; safe to repeat, what has landed is skipped by its hash."""
    from icp.lake import Lake

    accepted: list[str] = []
    quarantined: list[str] = []
    reports: list[str] = []
    rows = 0
    with Lake(settings.lake).lock():
        for name in [source] if source else list(settings.sources):
            say(f"landing {name}")
            for staged in run(pull_source)(settings, name, extracted_at):
                kept, report = run(check_and_keep)(settings, staged)
                (accepted if kept else quarantined).append(staged.load_id)
                rows += staged.rows if kept else 0
                reports += [report] if report else []
    return IngestResult(tuple(accepted), tuple(quarantined), rows, tuple(reports))


def ingest_and_tell(
    settings: Settings, *, source: str | None, extracted_at: datetime, run: Runner = plainly
) -> IngestResult:
    """`ingest`, kept in the ledger of runs; refused loads and a late quarter are told to the channels of icp.yml."""
    from flows.telling import Subject, observed, of_ingest

    for name in [source] if source else []:
        settings.source(name)
    return observed(
        settings,
        Subject("ingest", "", source or ""),
        lambda: ingest(settings, source=source, extracted_at=extracted_at, run=run),
        of_ingest,
        at=extracted_at,
        clock=lambda: datetime.now(UTC),
        to_prefect=run is as_task,
    )


@flow
def icp_ingest(project: str = "icp.yml", source: str | None = None) -> IngestResult:
    """Land the project's extracts; a refused load fails the run, after every other load has landed.

    Raises:
        GateFailed: some load went to quarantine; the message says which rows broke which rules.
    """
    from icp.config import load

    result = ingest_and_tell(load(Path(project)), source=source, extracted_at=datetime.now(UTC), run=as_task)
    raise_if_refused(result)
    return result


def raise_if_refused(result: IngestResult) -> None:
    """Turn refused loads into the error a person or a scheduler must see."""
    from icp.errors import GateFailed

    if result.quarantined:
        kept = f"{len(result.accepted)} load(s) accepted, {len(result.quarantined)} refused and kept in quarantine."
        raise GateFailed("\n".join([kept, *result.reports]))
