"""A project with a published list and one destination, and what `icp sync` does with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from flows import sync
from icp.config import Settings, load
from icp.publication import write_parquet
from icp.published import PublishedStore

NOW = datetime(2026, 10, 6, 12, tzinfo=UTC)
SOURCES = """sources:
  crm: {kind: files, tables: {accounts: {path: a.csv, effective_at: 2026-01-01, columns: {account_id: id, account_name: name}}}}
"""


def project(folder: Path, destination: str, timeout: float = 2) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    retry = f"retry: {{attempts: 2, first_wait_seconds: 0.01, longest_wait_seconds: 0.01, timeout_seconds: {timeout}}}"
    text = f"config_version: 1\ncompany: Acme\n{SOURCES}destinations:\n  there: {{{destination}, {retry}}}\n"
    (folder / "icp.yml").write_text(text, encoding="utf-8")
    return load(folder)


def accounts(**scores: int | None) -> pd.DataFrame:
    rows = [
        {
            "account_id": name,
            "account_name": f"=CMD({name}) \u202e \x00",
            "fit_score": score,
            "win_probability": None if score is None else score / 300,
            "is_icp_qualified": None if score is None else score > 50,
            "known_at": pd.Timestamp("2026-09-30"),
        }
        for name, score in scores.items()
    ]
    return pd.DataFrame(rows).astype({"fit_score": "Int64", "is_icp_qualified": "boolean"})


def publish(settings: Settings, quarter: str, table: pd.DataFrame, name: str = "accounts") -> None:
    """Publish the list as the next revision of a quarter and approve it."""
    store = PublishedStore(settings.lake, "main")
    working = store.open_working(quarter)
    place = "accounts.parquet" if name == "accounts" else f"destinations/sync_{name}.parquet"
    write_parquet(working / place, table)
    found = store.commit(working, quarter, {"run_key": str(len(store.revisions(quarter))), "as_of": NOW.isoformat()})
    store.record_decision(quarter, found.revision, "approved", by="ann", reason="", at=NOW)


@contextmanager
def at_desk(settings: Settings) -> Iterator[sync.Desk]:
    with sync.at_desk(settings, "there", clock=lambda: NOW) as desk:
        yield desk


def told(settings: Settings) -> dict[str, Any] | None:
    """Plan and apply; None where there was nothing to send."""
    with at_desk(settings) as desk:
        name = sync.plan(desk)["plan"]
        return sync.apply(desk, name, by="ann", at=NOW) if name else None


def plan(settings: Settings) -> dict[str, Any]:
    with at_desk(settings) as desk:
        return sync.plan(desk)


def apply(settings: Settings, name: str) -> dict[str, Any]:
    with at_desk(settings) as desk:
        return sync.apply(desk, name, by="ann", at=NOW)


def taken_back(settings: Settings, name: str) -> dict[str, Any]:
    with at_desk(settings) as desk:
        return sync.apply(desk, sync.plan_undo(desk, name)["plan"], by="ann", at=NOW)


def last_plan(settings: Settings) -> str:
    with at_desk(settings) as desk:
        return desk.ledger.plans()[-1]
