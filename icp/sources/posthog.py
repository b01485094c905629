"""The PostHog source: visits per company and day counted by HogQL, landed as `web_activity`.

A company is named by a group, a property or a person's property. Whole days are read, up to yesterday; the last
`lookback_days` are read again every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import pandas as pd

from icp.config import Settings
from icp.config_analytics import COUNTS, PostHogSettings
from icp.errors import IcpError
from icp.lake import Lake, StagedLoad
from icp.sources.posthog_api import PostHogApi
from icp.sources.sections import section_of
from icp.sources.web_days import DAY, WebDays, WebLanding, chunks, counted, days_from, together

PLACE = "posthog:query"
CHECKED = "key, scope, project and fields"
LOOKED_AT_DAYS = 30


def pull(settings: Settings, source_name: str, lake: Lake, *, extracted_at: datetime) -> Iterator[StagedLoad]:
    """Stage one load with every company's day that is new or has changed; none when nothing has.

    Raises:
        TryLater: PostHog cannot serve now; nothing is staged and the next pull starts at the same day.
        ConfigError: The key, its scope, the project or a field is wrong.
    """
    section, api = _api(settings, source_name)
    landing = WebLanding(settings, source_name, section, lake)
    try:
        yesterday = api.today() - DAY
        start = landing.first_day(yesterday, section.since, section.lookback_days)
        parts = [_part(api, landing, first, last) for first, last in chunks(start, yesterday, section.days_per_query)]
    finally:
        api.client.close()
    read = WebDays(together(parts), days_from(start, yesterday))
    yield from landing.stage(read, PLACE, until=yesterday, extracted_at=extracted_at)


def missing(settings: Settings, source_name: str) -> list[str]:
    """What stands between this source and a pull, in words: key, scope, project, fields no event has."""
    _, api = _api(settings, source_name)
    try:
        today = api.today()
        lacking = api.without(today - DAY * LOOKED_AT_DAYS, today)
    except IcpError as problem:
        return [str(problem)]
    finally:
        api.client.close()
    return [f"no event of the last {LOOKED_AT_DAYS} days holds {name}." for name in lacking]


def _api(settings: Settings, source_name: str) -> tuple[PostHogSettings, PostHogApi]:
    section = section_of(settings, source_name, PostHogSettings)
    return section, PostHogApi(section, section.timezone or settings.calendar.timezone)


def _part(api: PostHogApi, landing: WebLanding, start: date, end: date) -> pd.DataFrame:
    section = api.settings
    rows = pd.DataFrame(api.counts(start, end), columns=["day", *api.key_columns, "channel", *COUNTS])
    rows = rows.astype(dict.fromkeys(COUNTS, float))
    rows["activity_date"] = [date.fromisoformat(str(day)) for day in rows["day"]]
    rows["channel"] = [channel or None for channel in rows["channel"]]
    # what icp.yml does not tell apart was not counted, which is not zero
    unknown = [f"{kind}_views" for kind in ("pricing", "product", "content") if kind not in section.counted]
    unknown += [] if section.key_events else ["key_events"]
    rows[unknown] = float("nan")
    return counted(rows, api.key_columns, landing.companies)
