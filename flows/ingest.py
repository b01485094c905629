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
class FailedSource:
    """A source that could not be pulled: its name, why in words, and the exit code of that kind of problem."""

    name: str
    problem: str
    exit_code: int


@dataclass(frozen=True)
class IngestResult:
    """What one ingest did: loads accepted and refused with the reasons, rows landed, sources that failed alone, notes."""

    accepted: tuple[str, ...]
    quarantined: tuple[str, ...]
    rows: int
    reports: tuple[str, ...]
    failed: tuple[FailedSource, ...] = ()
    notes: tuple[str, ...] = ()


def pull_source(settings: Settings, source: str, extracted_at: datetime) -> list[StagedLoad]:
    """Stage everything of the source that has not landed yet."""
    from icp.lake import Lake
    from icp.sources.kinds import module_of

    pull = module_of(settings.source(source).kind).pull
    return list(pull(settings, source, Lake(settings.lake), extracted_at=extracted_at))


def in_order(settings: Settings) -> list[str]:
    """The sources as they are landed: those that look companies up come after those that say which companies there are."""
    from icp.sources.kinds import LOOKUPS

    return sorted(settings.sources, key=lambda name: settings.sources[name].kind in LOOKUPS)


def check_and_keep(settings: Settings, staged: StagedLoad) -> tuple[bool, str]:
    """Gate one staged load: accepted loads become visible, refused ones go to quarantine with their report."""
    from flows.gates import check_landing
    from icp.lake import Lake

    lake = Lake(settings.lake)
    gate = check_landing(lake, staged, settings.dbt_project.parent)
    if gate.success:
        lake.accept(staged, {**gate.to_dict(), **({"notes": list(staged.notes)} if staged.notes else {})})
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
    """Land everything new of one source or of all; safe to repeat, what has landed is skipped.

    A source that fails fails alone: it is in `failed`, the others land.
    """
    from icp.errors import ConfigError, TryLater
    from icp.lake import Lake
    from icp.sources.failures import REFUSED, keep_failure, keep_success

    accepted: list[str] = []
    quarantined: list[str] = []
    reports: list[str] = []
    failed: list[FailedSource] = []
    notes: list[str] = []
    rows = 0
    with Lake(settings.lake).lock():
        for name in [source] if source else in_order(settings):
            say(f"landing {name}")
            try:
                pulled = run(pull_source)(settings, name, extracted_at)
            except (ConfigError, TryLater) as problem:
                failed.append(FailedSource(name, str(problem), problem.exit_code))
                if name in settings.sources:
                    keep_failure(settings.lake, name, str(problem), extracted_at)
                pulled = list(problem.staged)
            refused = len(quarantined)
            for staged in pulled:
                kept, report = run(check_and_keep)(settings, staged)
                (accepted if kept else quarantined).append(staged.load_id)
                rows += staged.rows if kept else 0
                reports += [report] if report else []
                notes += [f"source {name}: {note}" for note in staged.notes]
            if name in {each.name for each in failed}:
                continue
            if len(quarantined) == refused:
                keep_success(settings.lake, name, extracted_at)
            else:
                keep_failure(settings.lake, name, REFUSED, extracted_at)
    return IngestResult(tuple(accepted), tuple(quarantined), rows, tuple(reports), tuple(failed), tuple(notes))


def ingest_and_tell(
    settings: Settings, *, source: str | None, extracted_at: datetime, run: Runner = plainly
) -> IngestResult:
    """`ingest`, kept in the ledger of runs; refused loads and a late quarter are told to the channels of icp.yml."""
    from flows.approvals import let_lapse
    from flows.telling import Subject, observed, of_ingest

    let_lapse(settings, extracted_at)
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
    from flows.approval import close_forms
    from flows.assets import leave_landed
    from icp.config import load

    settings = load(Path(project))
    result = ingest_and_tell(settings, source=source, extracted_at=datetime.now(UTC), run=as_task)
    leave_landed(settings, result.accepted)
    close_forms(settings)
    raise_if_refused(result)
    return result


def raise_if_refused(result: IngestResult) -> None:
    """Turn refused loads and failed sources into the error a person or a scheduler must see.

    Raises:
        ConfigError: a source is set up wrongly.
        GateFailed: some load went to quarantine.
        TryLater: all that is wrong is a vendor that cannot serve now.
    """
    from icp.errors import ConfigError, GateFailed, TryLater

    lines = [f"source {source.name}: {source.problem}" for source in result.failed]
    if result.failed and (result.accepted or result.quarantined):
        lines.append(f"{len(result.accepted)} load(s) of the sources accepted all the same.")
    if result.quarantined:
        kept = f"{len(result.accepted)} load(s) accepted, {len(result.quarantined)} refused and kept in quarantine."
        lines += [kept, *result.reports]
    if any(source.exit_code == ConfigError.exit_code for source in result.failed):
        raise ConfigError("\n".join(lines))
    if result.quarantined:
        raise GateFailed("\n".join(lines))
    if result.failed:
        raise TryLater("\n".join(lines))
