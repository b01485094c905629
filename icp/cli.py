"""The command line: verbs only. Data goes to stdout, progress and errors to stderr; heavy imports stay inside verbs."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icp.cli_alerts import alert, runs
from icp.cli_decisions import approve, reject, rollback
from icp.cli_options import DEFAULT_PROJECT, AsJson, IcpName, Project, named_icp, settings_of
from icp.cli_project import check, init, new_app
from icp.cli_quarantine import quarantine_app
from icp.cli_running import backfill, deploy, schedule, up
from icp.cli_serve import serve
from icp.cli_sources import doctor, fake_vendors
from icp.cli_sync import sync_app
from icp.errors import IcpError, ServerLost

if TYPE_CHECKING:
    from icp.config import Settings
    from icp.published import PublishedStore

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Keeps your Ideal Customer Profile true. Start with: icp demo",
)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(new_app, name="new")
app.add_typer(sync_app, name="sync")
app.command()(init)
app.command()(check)
app.command()(alert)
app.command()(runs)
for _verb in (approve, reject, rollback, backfill, deploy, schedule, serve, up):
    app.command()(_verb)
app.command()(doctor)
app.command("fake-vendors")(fake_vendors)


def main() -> None:
    """Entry point: user errors are one message and an exit code of their own, never a traceback."""
    try:
        app(standalone_mode=False)
    except ServerLost as error:
        _say(f"error: {error}")
        sys.stdout.flush()
        # Prefect's client would go on for minutes, at worst for most of an hour: every event of the run once more.
        os._exit(error.exit_code)
    except IcpError as error:
        _say(f"error: {error}")
        sys.exit(error.exit_code)
    except typer.Exit as ending:
        sys.exit(ending.exit_code)
    except typer.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        _say("interrupted: nothing half-published; run the same command again")
        sys.exit(130)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a usage error of the parser
            _say(f"error: {error.format_message()}")
            sys.exit(error.exit_code)
        raise


@app.command()
def demo(
    directory: Annotated[Path, typer.Option(help="Scratch folder of the demo project.")] = Path("demo"),
    quarters: Annotated[int, typer.Option(min=1, max=8, help="How many of the last quarters to refresh.")] = 8,
    plain: Annotated[bool, typer.Option("--plain", help="Without Prefect.")] = False,
    vendors: Annotated[bool, typer.Option("--vendors", help="Pull the CRM over HubSpot's protocol.")] = False,
) -> None:
    """Run the whole pipeline on a bundled company: eight quarters, a report for each, the verdicts in words."""
    from flows.demo import run_demo

    _prepare(directory)
    with _progress():
        outcome = run_demo(directory, quarters=quarters, plain=plain, vendors=vendors)
    for line in outcome:
        typer.echo(line)


@app.command()
def ingest(
    source: Annotated[str | None, typer.Argument(help="Only this source.")] = None,
    project: Project = DEFAULT_PROJECT,
    plain: Annotated[bool, typer.Option("--plain", help="Without Prefect.")] = False,
    as_json: AsJson = False,
) -> None:
    """Land what is new, gate it, keep it or quarantine it."""
    settings = settings_of(project)  # before anything of Prefect: it reads its environment when it is imported
    from flows.by_hand import ingest_by_hand
    from flows.ingest import raise_if_refused

    with _progress():
        result = ingest_by_hand(settings, source=source, now=datetime.now(UTC), plain=plain)
    raise_if_refused(result)
    if as_json:
        typer.echo(json.dumps({"accepted": result.accepted, "rows": result.rows, "notes": result.notes}))
    elif not result.accepted:
        typer.echo("Nothing new to land.")
    else:
        typer.echo(f"{len(result.accepted)} load(s) accepted with {result.rows:,} rows.")
        for note in result.notes:
            typer.echo(note)


@app.command()
def refresh(
    quarter: Annotated[
        str | None, typer.Option(help="Fiscal quarter such as 2026Q3; the last settled one if absent.")
    ] = None,
    icp: Annotated[str | None, typer.Option("--icp", help="Only this ICP; all of the project if absent.")] = None,
    project: Project = DEFAULT_PROJECT,
    plain: Annotated[bool, typer.Option("--plain", help="Without Prefect: same steps, same bytes.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Exit 75 while extracts of the quarter are to come.")] = False,
    as_json: AsJson = False,
) -> None:
    """Re-derive the ICPs of a quarter and publish what changed, how sure we are, and the rescored accounts."""
    settings = settings_of(project)
    from flows.by_hand import refresh_all_by_hand, refresh_by_hand
    from flows.refresh_words import all_as_json, as_json_object, in_words

    if icp is not None or len(settings.icps) == 1:
        name = settings.default_icp() if icp is None else icp
        with _progress():
            result = refresh_by_hand(settings, icp=name, quarter=quarter, now=datetime.now(UTC), plain=plain, wait=wait)
        _say_what_is_stale(settings)
        typer.echo(json.dumps(as_json_object(result)) if as_json else in_words(result))
        return
    with _progress():
        outcomes, failure = refresh_all_by_hand(
            settings, quarter=quarter, now=datetime.now(UTC), plain=plain, wait=wait
        )
    _say_what_is_stale(settings)
    if as_json:
        typer.echo(all_as_json(outcomes))
    else:
        for outcome in outcomes:
            typer.echo(in_words(outcome.result, outcome.icp) if outcome.result else f"{outcome.icp}: not published")
    if failure is not None:
        raise failure


def _say_what_is_stale(settings: Settings) -> None:
    """Which tables are old because their source failed when last tried."""
    from icp.sources.failures import stale

    for line in stale(settings):
        _say(line)


@app.command()
def compare(
    one: Annotated[str, typer.Argument(help="An ICP of the project.")],
    other: Annotated[str, typer.Argument(help="Another ICP of the project.")],
    quarter: Annotated[str | None, typer.Option(help="Quarter or quarter/revision; those in force if absent.")] = None,
    project: Project = DEFAULT_PROJECT,
    as_json: AsJson = False,
) -> None:
    """Hold two ICPs against each other: the accounts in the best tiers of both, and the same figures side by side."""
    from flows.reading import compare_icps

    typer.echo(compare_icps(_store(project, one), _store(project, other), quarter, as_json=as_json))


@app.command()
def monitor(
    as_of: Annotated[str | None, typer.Option("--as-of", help="A past day such as 2026-11-16; now if absent.")] = None,
    icp: IcpName = None,
    project: Project = DEFAULT_PROJECT,
    plain: Annotated[bool, typer.Option("--plain", help="Without Prefect.")] = False,
    as_json: AsJson = False,
    fail_on_drift: Annotated[bool, typer.Option("--fail-on-drift", help="Exit 4 while anything drifts.")] = False,
) -> None:
    """Say whether anything moved since the ICP in force was made: who comes, what wins, how well tiers separate."""
    settings = settings_of(project)
    from flows.by_hand import monitor_by_hand
    from flows.monitor import as_text
    from icp.errors import DriftFound
    from icp.serialize import to_json

    with _progress():
        name = settings.default_icp() if icp is None else icp
        result = monitor_by_hand(settings, icp=name, as_of=as_of, now=datetime.now(UTC), plain=plain)
    typer.echo(to_json(result.report) if as_json else as_text(result.report))
    if fail_on_drift and result.report.is_drift:
        raise DriftFound(result.report.headline + (f" Report: {result.path}" if result.path else ""))


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="Quarter or quarter/revision, for example 2026Q1 or 2026Q1/r2.")],
    after: Annotated[str, typer.Argument(help="Quarter or quarter/revision.")],
    icp: IcpName = None,
    project: Project = DEFAULT_PROJECT,
    as_json: AsJson = False,
) -> None:
    """Compare two published revisions, tested on the outcomes of the later quarter."""
    from flows.reading import compare_revisions

    text = compare_revisions(_store(project, icp), before, after, as_json=as_json)
    typer.echo(text)


@app.command()
def explain(
    account: Annotated[str, typer.Argument(help="Account id, company domain or exact name.")],
    quarter: Annotated[
        str | None, typer.Option(help="Quarter or quarter/revision; the ICP in force if absent.")
    ] = None,
    icp: IcpName = None,
    project: Project = DEFAULT_PROJECT,
    as_json: AsJson = False,
) -> None:
    """Say why an account has its score: points per attribute, value, interval and where the value came from."""
    from flows.reading import explain_account

    typer.echo(explain_account(_store(project, icp), account, quarter, as_json=as_json))


@app.command()
def quick(
    file: Annotated[Path, typer.Argument(help="A CSV with a row per deal or account.")],
    outcome: Annotated[str, typer.Option(help="Column that says won or lost.")],
    value: Annotated[str | None, typer.Option(help="Column with the value of a win.")] = None,
    date: Annotated[str | None, typer.Option(help="Column with the date of the outcome.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Column that names the account.")] = None,
    won: Annotated[list[str] | None, typer.Option(help="An outcome value that means won; repeat for more.")] = None,
    lost: Annotated[list[str] | None, typer.Option(help="An outcome value that means lost; repeat for more.")] = None,
    keep: Annotated[list[str] | None, typer.Option(help="Column to use although it would be left out.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; icp-quick-<file> if absent.")] = None,
    as_json: AsJson = False,
) -> None:
    """An ICP, its test and a report from one CSV: no project needed."""
    from flows.quick import in_words, run_quick, summary
    from flows.quick_rows import Columns
    from icp.serialize import to_json

    columns = Columns(outcome, value, date, id_, tuple(won or ()), tuple(lost or ()), tuple(keep or ()))
    run = run_quick(file, columns, out or Path(f"icp-quick-{file.stem}"), datetime.now(UTC).date())
    typer.echo(to_json(summary(run)) if as_json else in_words(run))


@app.command()
def schema() -> None:
    """Print the JSON Schema of icp.yml, for completion in editors."""
    from icp.config import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command()
def version() -> None:
    """Print the version."""
    from icp import __version__

    typer.echo(__version__)


def _store(project: Path, icp: str | None) -> PublishedStore:
    from icp.published import PublishedStore

    settings = settings_of(project)
    return PublishedStore(settings.lake, named_icp(settings, icp))


def _prepare(root: Path) -> None:
    from flows.environment import prepare

    prepare(root.resolve())


def _progress() -> Any:
    from flows.progress import shown

    return shown()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
