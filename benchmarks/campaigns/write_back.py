"""10,000 accounts written to a fake CRM that refuses rows, limits, loses answers, while the writer is killed three times."""

from __future__ import annotations

import copy
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.campaigns.runner import write_table
from flows import sync
from icp.config_destinations import HubSpotDestination, SalesforceDestination
from icp.config_vendors import RetrySection
from icp.destinations.destination import Room, as_text
from icp.destinations.hubspot import HubSpot
from icp.destinations.kinds import module_of
from icp.destinations.ledger import Ledger, Row
from icp.destinations.salesforce import Salesforce
from icp.destinations.shelf import Shelf
from icp.errors import PartialWriteBack, TryLater
from icp.fake_vendors.crm_writes import WritableCrm, serving_crm

ACCOUNTS, BAD_SHARE, FAULT_RATE, KILLS = 10_000, 0.01, 0.03, 3
NOW = datetime(2026, 10, 6, tzinfo=UTC)
CHILD = """
import sys
from pathlib import Path
from benchmarks.campaigns.write_back import run
run(Path(sys.argv[1]), *sys.argv[2:])
"""
COLUMNS = {"hubspot": ("hs_ideal_customer_profile", "icp_fit_score"), "salesforce": ("icp_tier__c", "icp_fit_score__c")}
CRMS = {"hubspot": HubSpot, "salesforce": Salesforce}


def campaign(accounts: int = ACCOUNTS, seed: int = 0) -> pd.DataFrame:
    """One row per CRM and way of refusing a row: calls against the fewest, rows wrong, undo, calls of a second run."""
    ways = [("hubspot", "row"), ("salesforce", "row"), ("hubspot", "batch"), ("hubspot", "unnamed")]
    return pd.DataFrame([_one(kind, how, accounts, seed) for kind, how in ways])


def desk(folder: Path, url: str, kind: str) -> sync.Desk:
    """The desk of the campaign's CRM."""
    os.environ |= {"CAMPAIGN_TOKEN": "fake-token", "CAMPAIGN_ID": "fake-id", "CAMPAIGN_SECRET": "fake-secret"}
    shared: dict[str, Any] = {
        "kind": kind,
        "existing": "replace",
        "retry": RetrySection(attempts=8, first_wait_seconds=0.01, longest_wait_seconds=0.05, timeout_seconds=0.5),
        "calls_per_10_seconds": 100_000,
    }
    section: HubSpotDestination | SalesforceDestination
    if kind == "hubspot":
        section = HubSpotDestination(base_url=url, token_env="CAMPAIGN_TOKEN", **shared)
    else:
        secrets = {"client_id_env": "CAMPAIGN_ID", "client_secret_env": "CAMPAIGN_SECRET"}
        section = SalesforceDestination(login_url=url, **secrets, **shared)
    ledger, shelf = Ledger(folder), Shelf(folder / "lists")
    there = module_of(kind).opened(section, Room(ledger, shelf, lambda: NOW))
    return sync.Desk(None, kind, section, ledger, there, shelf)


def run(folder: Path, url: str, kind: str, plan: str) -> str:
    """Apply, going on after what may be gone on from; answers how it ended."""
    while True:
        try:
            sync.apply(desk(folder, url, kind), plan, by="campaign", at=NOW)
            return "done"
        except TryLater:
            continue
        except PartialWriteBack:
            return "partial"


def _one(kind: str, how: Any, accounts: int, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    tier, score = COLUMNS[kind]
    ids = [str(10_000_000 + n) for n in range(accounts)]
    records = {i: {"name": i, tier: rng.choice(["tier_1", "tier_3", None]), score: None} for i in ids}
    bad = dict.fromkeys(rng.sample(ids, int(accounts * BAD_SHARE)), how)
    crm = WritableCrm(
        records, {*COLUMNS[kind], "name"}, bad=bad, fault_rate=FAULT_RATE, lost_seconds=0.7, seed=seed + 1
    )
    before = copy.deepcopy(records)
    wanted = {i: {tier: "tier_2", score: str(rng.randint(1, 99))} for i in ids}
    with tempfile.TemporaryDirectory() as name, serving_crm(crm) as server:
        folder = Path(name)
        content = {"kind": "write", "revision": "2026Q3 r1", "columns": list(COLUMNS[kind]), "riders": []}
        rows = [Row(i, {n: before[i][n] for n in wanted[i]}, wanted[i]) for i in ids]
        Ledger(folder).add_plan("p1", content, rows)
        expected = _fewest(kind, how, accounts, len(bad))
        kills = [_kill(folder, server.url, kind, crm, int(expected * share)) for share in (0.2, 0.5, 0.8)]
        run(folder, server.url, kind, "p1")
        calls = crm.calls
        wrong = sum(as_text(records[i][n]) != v for i in ids if i not in bad for n, v in wanted[i].items())
        run(folder, server.url, kind, "p1")
        second = crm.calls - calls
        undo = sync.plan_undo(desk(folder, server.url, kind), "p1")["plan"]
        run(folder, server.url, kind, undo)
    return {
        "crm": kind,
        "bad_rows_refused": {"row": "one by one", "batch": "with their batch, named", "unnamed": "with their batch"}[
            how
        ],
        "accounts": accounts,
        "bad_rows": len(bad),
        "fault_rate": FAULT_RATE,
        "kills": sum(kills),
        "fewest_calls": expected,
        "calls": calls,
        "calls_over_fewest": round(calls / expected, 3),
        "values_wrong": wrong,
        "calls_of_a_second_run": second,
        "accounts_not_restored_by_undo": sum(before[i] != records[i] for i in ids),
    }


def _fewest(kind: str, how: str, accounts: int, bad: int) -> int:
    """Calls of a run that nothing disturbs and that knows the bad rows: properties, a read and a write of every batch, a
    sample read back. A refusal of a batch names one row at most, so each bad row costs one call at least."""
    batch = CRMS[kind].batch
    reads = -(-accounts // batch)
    writes = reads if how == "row" else -(-(accounts - bad) // batch) + bad
    if how == "unnamed":  # an answer is yes or no: to tell which rows are bad takes this many (log2 of the choices)
        writes = math.ceil(math.log2(math.comb(accounts, bad)))
    return 1 + reads + writes + 1


def _kill(folder: Path, url: str, kind: str, crm: WritableCrm, aim: int) -> bool:
    """Kill a writer when the CRM has been called `aim` times since the beginning."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), url, kind, "p1"])
    while crm.calls < aim and child.poll() is None:
        time.sleep(0.002)
    alive = child.poll() is None
    if alive:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    return alive


if __name__ == "__main__":
    write_table("write_back", campaign())
