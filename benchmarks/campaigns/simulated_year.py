"""A year of unattended running on the demo company: every run of deployments.yaml at its own moment, alerts over real HTTP.

2025 holds two planted changes (company size from 2025Q2 on, hospitals entering in 2025Q4), two quiet quarters, one load
that a gate must refuse, and a worker that is down when the July refresh is due.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from benchmarks.campaigns.runner import arguments, write_table
from benchmarks.receiver import Receiver, receiving
from benchmarks.schedules import Due, schedules
from flows.index_page import write_index
from flows.ingest import ingest_and_tell
from flows.monitor import monitor_all
from flows.refresh import SomeIcpsFailed, refresh_all
from icp import config
from icp.config import Settings
from icp.demo import create
from icp.demo.accounts import build_records
from icp.demo.deals import build_deals, deal_versions
from icp.demo.deals_extract import deal_lines
from icp.demo.project import DEFAULT_SEED
from icp.demo.sales import FULL_SIZE, sell
from icp.demo.universe import build_universe
from icp.errors import IcpError
from icp.published import PublishedStore
from icp.runs import Ledger

NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = datetime(2025, 1, 7, tzinfo=NEW_YORK), datetime(2026, 1, 7, tzinfo=NEW_YORK)
DOWN = ("2025-10-07", "2025-10-09")
LATE = {"2025-07-02": "2025-07-10"}
BAD_DAY, MENDED_DAY = "2025-08-14", "2025-08-15"
CHANNEL = "ops"


@dataclass
class Year:
    """The project while it lives through the year; `drop` holds extracts that are not there yet, by day."""

    root: Path
    drop: Path
    settings: Settings
    tally: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    hashes: dict[str, Mapping[str, Any]] = field(default_factory=dict)


def year(folder: Path, url: str, *, accounts: int, every: int, last: datetime = LAST) -> Year:
    """Live through it; `every` is the number of days from one ingest to the next."""
    made = _prepare(folder, url, accounts)
    due = [run for run in schedules(FIRST, last) if not (run.deployment == "quarterly" and _is_down(run.at))]
    for number, run in enumerate(due):
        skipped = run.deployment == "daily" and (run.at - FIRST).days % every and _day(run.at) not in _INGEST_ALWAYS
        if not skipped:
            _run(made, run)
        if number % 50 == 0:
            print(f"{_day(run.at)}  {dict(made.tally)}", flush=True)
    return made


_INGEST_ALWAYS = (BAD_DAY, MENDED_DAY)


def _run(made: Year, run: Due) -> None:
    began = time.process_time()
    _deliver(made, _day(run.at))
    before = _published(made.settings)
    try:
        outcome = _RUNS[run.deployment](made.settings, run.at.astimezone(UTC))
    except IcpError as error:
        outcome = f"exit {error.exit_code}"
    made.tally[f"{run.deployment}: {outcome}"] += 1
    made.seconds[run.deployment] += time.process_time() - began
    after = _published(made.settings)
    overwritten = [name for name, found in before.items() if after.get(name) != found]
    made.tally["revisions overwritten"] += len(overwritten)


def _daily(settings: Settings, now: datetime) -> str:
    result = ingest_and_tell(settings, source=None, extracted_at=now)
    return "refused" if result.quarantined else "landed" if result.accepted else "nothing new"


def _quarterly(settings: Settings, now: datetime) -> str:
    try:
        (outcome,) = refresh_all(settings, quarter=None, now=now, wait=True)
    except SomeIcpsFailed as failure:
        if not failure.only_waits:
            raise
        return "waits"
    return outcome.result.status if outcome.result else "failed"


def _weekly(settings: Settings, now: datetime) -> str:
    (result,) = monitor_all(settings, as_of=now)
    return result.report.state


_RUNS = {"daily": _daily, "quarterly": _quarterly, "weekly": _weekly}


def _published(settings: Settings) -> dict[str, str]:
    store = PublishedStore(settings.lake, "main")
    found = {}
    for quarter in store.quarters():
        for number in store.revisions(quarter):
            found[f"{quarter}/r{number}"] = store.fingerprint(store.path(quarter, number))
    return found


def _prepare(folder: Path, url: str, accounts: int) -> Year:
    root, drop = folder / "company", folder / "drop"
    create(root, accounts=accounts)
    for path in sorted(root.glob("extracts/*/*_20*")):
        day = path.stem.rsplit("_", 1)[1]
        if day >= "2025-01-06":
            target = drop / day / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not path.name.startswith("deals_"):
                shutil.move(path, target)
            else:
                path.unlink()
    _weekly_deals(drop, accounts)
    channel = {CHANNEL: {"kind": "webhook", "url": url, "secret": "${ENV:ICP_YEAR_SECRET}", "allow_private": True}}
    text = (root / "icp.yml").read_text(encoding="utf-8")
    (root / "icp.yml").write_text(text + f"\nalerts:\n  channels: {json.dumps(channel)}\n", encoding="utf-8")
    os.environ["ICP_YEAR_SECRET"] = "benchmark"
    return Year(root, drop, config.load(root))


def _weekly_deals(drop: Path, accounts: int) -> None:
    """The CRM's deals as a weekly export delivers them: the newest version of all that was entered in the last quarter."""
    universe = build_universe(DEFAULT_SEED, accounts)
    history = sell(DEFAULT_SEED, universe)
    records = build_records(DEFAULT_SEED, universe, history)
    versions = deal_versions(DEFAULT_SEED, build_deals(DEFAULT_SEED, universe, history, records))
    for since, until in _weeks():
        entered = versions["modified_at"].astype("datetime64[ns]").between(since, until, inclusive="left")
        fresh = versions[entered].drop_duplicates("deal_id", keep="last").assign(delivery=0)
        day = str(until.date())
        path = drop / LATE.get(day, day) / "extracts/crm" / f"deals_{day}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in deal_lines(fresh, records, universe, 0)), encoding="utf-8")
    good = (drop / "2025-08-13/extracts/crm/deals_2025-08-13.jsonl").read_text(encoding="utf-8").splitlines()
    bad = drop / BAD_DAY / f"extracts/crm/deals_{BAD_DAY}.jsonl"
    bad.parent.mkdir(parents=True, exist_ok=True)
    bad.write_text("\n".join(good + good[:5]) + "\n", encoding="utf-8")  # five deals twice


def _weeks() -> Iterator[tuple[pd.Timestamp, pd.Timestamp]]:
    for until in pd.date_range("2025-01-08", "2026-01-05", freq="7D"):
        yield until - pd.Timedelta(days=91), until


def _deliver(made: Year, day: str) -> None:
    """Put the extracts of all days up to this one where the project looks for them."""
    if day == MENDED_DAY:
        (made.root / f"extracts/crm/deals_{BAD_DAY}.jsonl").unlink(missing_ok=True)
    for folder in sorted(made.drop.iterdir()):
        if folder.name <= day:
            shutil.copytree(folder, made.root, dirs_exist_ok=True)
            shutil.rmtree(folder)


def _is_down(at: datetime) -> bool:
    return DOWN[0] <= _day(at) <= DOWN[1]


def _day(at: datetime) -> str:
    return f"{at.astimezone(NEW_YORK):%Y-%m-%d}"


def told(receiver: Receiver) -> pd.DataFrame:
    """One row per event that arrived, in the order of arrival."""
    rows = [
        {"day": message["at"][:10], **{key: event[key] for key in ("kind", "phase", "severity", "topic", "sentence")}}
        for message in receiver.messages
        for event in message["events"]
    ]
    return pd.DataFrame(rows)


def counted(made: Year) -> pd.DataFrame:
    """What ran, how it ended, and how many runs of the ledger never ended."""
    runs = Ledger(made.settings.lake).newest(10**6)
    never = sum(run["ended"] is None for run in runs)
    rows = [{"what": what, "count": count} for what, count in sorted(made.tally.items())]
    rows += [{"what": "runs in the ledger", "count": len(runs)}, {"what": "runs that never ended", "count": never}]
    rows += [{"what": f"CPU seconds of {name} runs", "count": round(s)} for name, s in sorted(made.seconds.items())]
    return pd.DataFrame(rows)


def main() -> None:
    """`--runs` is the days from one ingest to the next (1: daily)."""
    options = arguments(__doc__ or "", 1, ())
    with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
        made = year(Path(folder), receiver.url, accounts=FULL_SIZE, every=options.runs)
        write_index(made.settings, "main")
        write_table("year_runs", counted(made), options.results)
        write_table("year_alerts", told(receiver), options.results)


if __name__ == "__main__":
    main()
