"""What the fake vendors of web analytics hold: visits by day and company, as they were known at each instant."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow.parquet as pq

KEY = ["day", "company"]
COUNTS = ["sessions", "views", "key_events", "pricing", "product", "content"]
RESTATED_DAYS = 3
COLUMNS = [*KEY, *COUNTS, "channel"]
NAMES = {
    "date": "day",
    "customEvent:company_domain": "company",
    "sessions": "sessions",
    "screenPageViews": "views",
    "keyEvents": "key_events",
    "pricingViews": "pricing",
    "productViews": "product",
    "contentViews": "content",
    "sessionDefaultChannelGroup": "channel",
}
PATHS = {"pricing": "/pricing/plans", "product": "/product/tour", "content": "/guides/start", "rest": "/"}
"""By kind of page the one page of the demo company's site whose views are counted as that kind."""


@dataclass
class Visits:
    """Rows by day and company with the instant from which they are shown; a later row of the same key replaces."""

    zone: str = "UTC"
    deliveries: list[tuple[datetime, pd.DataFrame]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _held: tuple[Any, pd.DataFrame] | None = field(default=None, repr=False)

    def put(self, rows: pd.DataFrame, shown_from: datetime) -> None:
        """Add rows (`COLUMNS`; `day` is a date), known from an instant on."""
        with self.lock:
            self.deliveries.append((shown_from, rows[COLUMNS]))
            self._held = None

    def at(self, now: datetime) -> pd.DataFrame:
        """The rows as they are known at an instant, by day and company; one of no session is gone."""
        with self.lock:
            if self._held is None or self._held[0] != now:
                shown = [rows for since, rows in sorted(self.deliveries, key=lambda each: each[0]) if since <= now]
                all_ = pd.concat(shown) if shown else pd.DataFrame(columns=COLUMNS)
                newest = all_.drop_duplicates(KEY, keep="last")
                newest = newest[newest["sessions"] > 0].sort_values(KEY, ignore_index=True)
                self._held = (now, newest)
            return self._held[1]

    def forget_one(self, now: datetime) -> None:
        """A company's day turns out to have been no visit, as analytics finds out about the last days while we read."""
        rows = self.at(now)
        recent = rows[rows["day"] > rows["day"].max() - timedelta(days=RESTATED_DAYS)] if len(rows) else rows
        self.put(recent.head(1).assign(**dict.fromkeys(COUNTS, 0)), now)


def visits_of_demo(directory: Path, zone: str = "America/New_York") -> Visits:
    """The demo company's web log: every delivery shown from the day in its name on."""
    visits = Visits(zone)
    for file in sorted((directory / "extracts/analytics").glob("visits_*.parquet")):
        rows = pq.read_table(file).to_pandas().rename(columns=NAMES)
        rows["day"] = pd.to_datetime(rows["day"], format="%Y%m%d").dt.date
        shown_from = datetime.fromisoformat(re.sub(r"^.*_", "", file.stem)).replace(tzinfo=ZoneInfo(zone))
        visits.put(rows, shown_from)
    return visits


def by_page(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows split by page: `path` and the `views` of it."""
    rest = rows["views"] - rows["pricing"] - rows["product"] - rows["content"]
    parts: Mapping[str, Any] = {**{kind: rows[kind] for kind in ("pricing", "product", "content")}, "rest": rest}
    split = [rows.assign(path=PATHS[kind], views=views) for kind, views in parts.items()]
    return pd.concat(split, ignore_index=True).query("views > 0")
