"""PostHog's query API over the visits of a portal: every HogQL query is run, on events made of those visits.

HogQL is ClickHouse's SQL; the few functions that a pull uses are spelled for DuckDB here. Properties are JSON, so that one
no event has is empty, and a field there is not is an error, as in PostHog.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd

from icp.fake_vendors.protocol import Call, Reply, Served, bearer
from icp.fake_vendors.visits import PATHS, Visits

QUERY = re.compile(r"^/api/projects/(\d+)/query/$")
LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)'")
PROPERTY = re.compile(r'"properties"((?:\."[^"]+")+)')
MACROS = """
create macro toString(x) as cast(x as varchar);
create macro toDate(x) as cast(x as date);
create macro toTimeZone(x, zone) as timezone(zone, timezone('UTC', x));
create macro toDateTime(x, zone) as cast(x as timestamp);
create macro match(x, pattern) as regexp_matches(x, pattern);
create macro argMaxIf(x, moment, holds) as coalesce(arg_max(x, moment) filter (where holds), '');
create macro argMinIf(x, moment, holds) as coalesce(arg_min(x, moment) filter (where holds), '');
"""
COLUMNS = ["uuid", "event", "timestamp", "distinct_id", "properties"]
MOST_ROWS = 50_000
THROTTLED = {"type": "throttled_error", "code": "throttled", "attr": None}
REFUSALS = {
    "429": Reply(
        429, {**THROTTLED, "detail": "Request was throttled. Expected available in 1 second."}, {"Retry-After": "0"}
    ),
    "429_no_retry_after": Reply(429, {**THROTTLED, "detail": "Request was throttled."}),
    "daily_limit": Reply(429, {**THROTTLED, "detail": "Request was throttled. Expected available in 43200 seconds."}),
    "500": Reply(500, {"type": "server_error", "code": "error", "detail": "A server error occurred."}),
    "missing_scope": Reply(
        403,
        {
            "type": "authentication_error",
            "code": "permission_denied",
            "detail": "API key missing required scope 'query:read'",
        },
    ),
    "token_expiry": Reply(
        401,
        {
            "type": "authentication_error",
            "code": "authentication_failed",
            "detail": "Invalid personal API key.",
        },
    ),
}


class PostHog:
    """PostHog as the server speaks it."""

    def __init__(self) -> None:
        self.most_rows = MOST_ROWS
        self._lock = threading.Lock()
        self._loaded: tuple[Any, duckdb.DuckDBPyConnection] | None = None
        self._last: tuple[list[str], list[list[Any]]] = ([], [])

    def speaks(self, path: str) -> bool:
        return path.startswith("/api/projects/")

    def login(self, server: Served, call: Call) -> Reply | None:
        return None

    def credentials(self, call: Call) -> str:
        return bearer(call)

    def limits(self, most: int, left: int, seconds: float) -> dict[str, str]:
        return {}

    def refusal(self, fault: str) -> Reply:
        return REFUSALS[fault]

    def answer(self, server: Served, call: Call, fault: str | None) -> Reply:
        if QUERY.match(call.path) is None:
            return Reply(404, {"type": "invalid_request", "code": "not_found", "detail": "Not found."})
        if fault == "shrinking_list":
            server.portal.visits.forget_one(server.portal.now)
        with self._lock:
            return self._ran(server.portal.visits, server.portal.now, str(call.body["query"]["query"]), fault)

    def _ran(self, visits: Visits, now: datetime, query: str, fault: str | None) -> Reply:
        try:
            found = self._engine(visits, now).execute(_spelled(query))
            columns = [entry[0] for entry in found.description or []]
            rows = [list(row) for row in found.fetchmany(self.most_rows)]
        except duckdb.Error as problem:
            field = re.search(r'Referenced (?:table|column) "([^"]+)"', str(problem))
            what = f"Unable to resolve field: {field.group(1)}" if field else "Syntax error"
            return Reply(400, {"type": "validation_error", "code": "illegal_hogql", "detail": what, "attr": None})
        repeated = self._last[1] if fault == "duplicate_page" and self._last[0] == columns else rows
        rows, self._last = repeated, (columns, rows)
        content: dict[str, Any] = {"results": rows, "columns": columns, "hasMore": False, "is_cached": False}
        if fault == "schema_change":
            content["columns"] = columns[1:]
        return Reply(200, content)

    def _engine(self, visits: Visits, now: datetime) -> duckdb.DuckDBPyConnection:
        rows = visits.at(now)
        if self._loaded is None or self._loaded[0] is not rows:
            engine = duckdb.connect()
            engine.execute(MACROS)
            held = pd.DataFrame(events_of(rows, visits.zone), columns=COLUMNS)
            engine.register("held", held.astype({"timestamp": "datetime64[us]"}))
            engine.execute("create table events as select * from held")
            engine.unregister("held")
            self._loaded = (rows, engine)
        return self._loaded[1]


def events_of(rows: pd.DataFrame, zone: str) -> Iterator[tuple[str, str, datetime, str, str]]:
    """Events that amount to these visits: sessions of page views by anonymous visitors, and key events in the first.

    Only the first page view of a session knows its company, as after a look-up; the others are of the same session.
    """
    row: Any
    for row in rows.itertuples(index=False):
        noon = datetime.combine(row.day, time(12), ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)
        name = f"{row.day:%Y%m%d}-{row.company}"
        kinds = [kind for kind in ("pricing", "product", "content") for _ in range(int(getattr(row, kind)))]
        paths = [PATHS[kind] for kind in kinds]
        paths += [PATHS["rest"]] * (int(row.views) - len(paths))
        for number, path in enumerate(paths):
            session = number % int(row.sessions)
            known = {"$groups": {"company": row.company}, "utm_medium": row.channel} if number < row.sessions else {}
            properties = {"$session_id": f"{name}-{session}", "$pathname": path, **known}
            at = noon + timedelta(seconds=number)
            yield f"{name}-v{number}", "$pageview", at, f"{name}-visitor", json.dumps(properties)
        for number in range(int(row.key_events)):
            properties = {"$session_id": f"{name}-0"}
            at = noon + timedelta(seconds=len(paths) + number)
            yield f"{name}-k{number}", "demo_request", at, f"{name}-visitor", json.dumps(properties)


def _spelled(query: str) -> str:
    """HogQL as DuckDB reads it: texts without backslashes, properties out of their JSON."""

    def text(found: re.Match[str]) -> str:
        return "'" + re.sub(r"\\(.)", r"\1", found.group(1)).replace("'", "''") + "'"

    def inside(found: re.Match[str]) -> str:
        return f"json_extract_string(properties, '${found.group(1)}')"

    return PROPERTY.sub(inside, LITERAL.sub(text, query))
