"""PostHog's query API: one HogQL query counts visits by company and day inside PostHog; no event and no person leaves it.

A page begins behind the last row of the one before (its key, not an offset), so that events arriving meanwhile neither
hide a row nor repeat one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from icp.config import secret
from icp.config_analytics import PostHogSettings
from icp.errors import TryLater
from icp.sources.http_client import VendorClient
from icp.sources.manners import Manners, Refusal

VENDOR = "PostHog"
LONG = 600
ATTEMPTS = 3
COUNTS = ("visits", "page_views", "key_events", "pricing_views", "product_views", "content_views")
SECONDS = re.compile(r"available in (\d+) second")
Row = list[Any]


class PostHogManners(Manners):
    """PostHog's errors: `detail` says what, `code` which kind; how long a throttled caller waits stands in the words."""

    new_key = "Make a new personal API key."
    more_rights = "Give the key the scope query:read and access to the project."
    renewed = "after the time PostHog names"

    def refusal(self, content: Any) -> Refusal:
        if not isinstance(content, dict):
            return Refusal()
        detail = str(content.get("detail") or "")
        found = SECONDS.search(detail)
        return Refusal(detail, str(content.get("code") or ""), found.group(1) if found else "")

    def is_used_up(self, status: int, refusal: Refusal) -> bool:
        return status == 402 or (status == 429 and int(refusal.limit or 0) > LONG)


class PostHogApi:
    """The calls a pull needs."""

    def __init__(self, settings: PostHogSettings, zone: str) -> None:
        self.settings, self.zone = settings, zone
        self._longest = 0
        self.client = VendorClient(VENDOR, settings.base_url, settings.retry, self._key, manners=PostHogManners())

    def today(self) -> date:
        """The day it is in the time zone that dates visits, by PostHog's clock."""
        self._asked("SELECT 1 AS one", ("one",))
        try:
            return parsedate_to_datetime(str(self.client.server_time)).astimezone(ZoneInfo(self.zone)).date()
        except ValueError:
            raise TryLater("PostHog answered without its time. Run `icp ingest` again.") from None

    def counts(self, start: date, end: date) -> Iterator[dict[str, Any]]:
        """Counts by day and by what names the company (`said_0`, ...) and channel, over these days.

        Raises:
            TryLater: A page came twice however often it was asked for, or an answer has another shape.
        """
        keys = self.key_columns
        columns = ("day", *keys, "channel", *COUNTS)
        behind: Row = []
        while True:
            page = self._page(start, end, columns, behind)
            for row in page:
                yield dict(zip(columns, row, strict=True))
            # a server may send fewer rows than asked for: only a page shorter than one it has sent is surely the last
            if len(page) < self._longest or not page:
                return
            self._longest = len(page)
            behind = page[-1][: len(keys) + 2]

    def without(self, start: date, end: date) -> list[str]:
        """Ways to name a company that no event of these days knows: one query that also proves key, scope and fields."""
        keys = self.key_columns
        seen = ", ".join(
            f"count(DISTINCT CASE WHEN {_text(key.from_)} <> '' THEN uuid END) AS {name}"
            for name, key in zip(keys, self.settings.company, strict=True)
        )
        rows = self._asked(
            f"SELECT {seen}, count() AS events FROM events WHERE {self._within(start, end)}", (*keys, "events")
        )
        if len(rows) != 1:
            raise TryLater(f"PostHog answered a count with {len(rows)} rows. Run `icp doctor` again.")
        [row] = rows
        return [key.from_ for key, count in zip(self.settings.company, row, strict=False) if row[-1] and not count]

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns that hold what names the company."""
        return tuple(f"said_{number}" for number in range(len(self.settings.company)))

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _page(self, start: date, end: date, columns: tuple[str, ...], behind: Row) -> list[Row]:
        query = self._query(start, end, columns, behind)
        for attempt in range(ATTEMPTS):
            rows = self._asked(query, columns)
            if not rows and not behind and attempt == 0:
                continue  # days nobody visited, or the empty answer to another query: nothing else tells them apart
            width = len(self.key_columns) + 2
            order = [[str(value) for value in row[:width]] for row in rows]
            # by bytes, as the database compares; a page that repeats the one before begins at or before its end, and
            # one that repeats that of other days names others
            placed = [tuple(text.encode() for text in key) for key in ([behind] if behind else []) + order]
            is_of_these_days = all(start.isoformat() <= key[0] <= end.isoformat() for key in order)
            if is_of_these_days and all(left < right for left, right in pairwise(placed)):
                return rows
        raise TryLater(
            f"PostHog sent another page than was asked for, {ATTEMPTS} times. Nothing of this pull is kept; run `icp ingest` again."
        )

    def _query(self, start: date, end: date, columns: tuple[str, ...], behind: Row) -> str:
        keys = ", ".join(columns[: len(self.key_columns) + 2])
        last = ", ".join(_quoted(str(value)) for value in behind)
        having = f" HAVING ({keys}) > ({last})" if behind else ""
        sums = ", ".join(f"sum(n_{name}) AS {name}" for name in COUNTS)
        return (
            f"SELECT {keys}, {sums} FROM ({self._sessions(start, end)}) AS sessions "
            f"GROUP BY {keys}{having} ORDER BY {keys} LIMIT {self.settings.page_size}"
        )

    def _sessions(self, start: date, end: date) -> str:
        """One row per session and day; an event outside of sessions is a row of its own and no visit.

        A session of a day belongs to the company it named last, and to the channel it named first.
        """
        session = _text("properties.$session_id")
        said = ", ".join(
            f"argMaxIf({_text(key.from_)}, timestamp, {_text(key.from_)} <> '') AS {name}"
            for name, key in zip(self.key_columns, self.settings.company, strict=True)
        )
        channel = _text(self.settings.channel) if self.settings.channel else "''"
        return (
            f"SELECT toString(toDate(toTimeZone(timestamp, {_quoted(self.zone)}))) AS day, "
            f"CASE WHEN {session} = '' THEN toString(uuid) ELSE {session} END AS unit, {said}, "
            f"argMinIf({channel}, timestamp, {channel} <> '') AS channel, "
            f"max(CASE WHEN {session} = '' THEN 0 ELSE 1 END) AS n_visits, {self._event_counts()} "
            f"FROM events WHERE {self._within(start, end)} GROUP BY day, unit"
        )

    def _event_counts(self) -> str:
        viewed = "event = '$pageview'"
        names = ", ".join(_quoted(name) for name in self.settings.key_events)
        conditions = {"page_views": viewed, "key_events": f"event IN ({names})" if names else "1 = 0"}
        for kind in ("pricing", "product", "content"):
            pattern = self.settings.pages.pattern(kind)
            path = f"match({_text('properties.$pathname')}, {_quoted(f'^(?:{pattern})$')})"
            conditions[f"{kind}_views"] = f"{viewed} AND {path}" if pattern else "1 = 0"
        # an event that PostHog has twice for a while counts once
        return ", ".join(
            f"count(DISTINCT CASE WHEN {condition} THEN uuid END) AS n_{name}" for name, condition in conditions.items()
        )

    def _within(self, start: date, end: date) -> str:
        zone = ZoneInfo(self.zone)
        edges = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (start, end + timedelta(days=1)))
        first, after = (edge.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%d %H:%M:%S") for edge in edges)
        return f"timestamp >= toDateTime('{first}', 'UTC') AND timestamp < toDateTime('{after}', 'UTC')"

    def _asked(self, query: str, columns: tuple[str, ...]) -> list[Row]:
        """The rows of one query.

        Raises:
            TryLater: The answer has another shape; it is said which column is lost, without a value.
        """
        path = f"/api/projects/{self.settings.project_id}/query/"
        body = {"query": {"kind": "HogQLQuery", "query": query}, "refresh": "force_blocking"}
        answer: Mapping[str, Any] = self.client.call("POST", path, body=body)
        rows, there = answer.get("results"), answer.get("columns")
        lost = [name for name in columns if name not in (there or [])]
        if not isinstance(rows, list) or lost or any(not isinstance(r, list) or len(r) != len(columns) for r in rows):
            what = f"it lacks {', '.join(lost)}" if lost else "it holds no rows of the columns asked for"
            raise TryLater(f"PostHog answered in another shape: {what}. Run `icp doctor`, then `icp ingest` again.")
        return rows

    def _key(self, fresh: bool) -> str:
        """A personal API key cannot be renewed by us: a refused one is said to be."""
        return secret(self.settings.key_env)


def _text(field: str) -> str:
    """A field of an event as text, empty where it is absent; every part in quotes, as in `properties."$session_id"`."""
    quoted = ".".join(f'"{part}"' for part in field.split("."))
    return f"ifNull(toString({quoted}), '')"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
