"""The GA4 source: visits per company and day by the Data API's reports, landed as `web_activity`.

GA4 knows no companies: a dimension names one (a custom dimension with its domain or id, a user id, a host name). Only
whole days of the property's time zone are read, up to yesterday; the last `lookback_days` are read again every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import pandas as pd

from icp.config import Settings
from icp.config_analytics import COUNTS, Ga4Settings
from icp.errors import IcpError
from icp.lake import Lake, StagedLoad
from icp.sources.ga4_api import Ga4Api, Report, day_of
from icp.sources.sections import section_of
from icp.sources.web_days import DAY, WebDays, WebLanding, chunks, counted, days_from, together

PLACE = "ga4:runReport"
CHECKED = "key, access to the property, dimensions and metrics"


def pull(settings: Settings, source_name: str, lake: Lake, *, extracted_at: datetime) -> Iterator[StagedLoad]:
    """Stage one load with every company's day that is new or has changed; none when nothing has.

    Raises:
        TryLater: GA4 cannot serve now; nothing is staged and the next pull starts at the same day.
        ConfigError: The key, the access to the property or a dimension is wrong.
    """
    section = section_of(settings, source_name, Ga4Settings)
    landing = WebLanding(settings, source_name, section, lake)
    api = Ga4Api(section)
    try:
        yesterday = api.today() - DAY
        start = landing.first_day(yesterday, section.since, section.lookback_days)
        parts = [_part(api, landing, first, last) for first, last in chunks(start, yesterday, section.days_per_report)]
    finally:
        api.client.close()
    read = WebDays(together(parts), days_from(start, yesterday), notes=tuple(sorted(api.warnings)))
    yield from landing.stage(read, PLACE, until=yesterday, extracted_at=extracted_at)


def missing(settings: Settings, source_name: str) -> list[str]:
    """What stands between this source and a pull, in words: key, access, dimensions and metrics the property lacks."""
    section = section_of(settings, source_name, Ga4Settings)
    base, pages = _reports(section)
    api = Ga4Api(section)
    try:
        names = [*base.dimensions, *base.metrics, *(["pagePath"] if pages else [])]
        lacking = api.lacking(names)
        if not lacking:
            api.today()
    except IcpError as problem:
        return [str(problem)]
    finally:
        api.client.close()
    return [f"the property has no dimension or metric {name}." for name in lacking]


def _reports(section: Ga4Settings) -> tuple[Report, dict[str, Report]]:
    """The report of visits, and one of page views for each kind of page: GA4 has no column for those."""
    keys = tuple(dict.fromkeys(key.from_ for key in section.company))
    dimensions = ("date", *keys, *([section.channel] if section.channel else []))
    base = Report(dimensions, ("sessions", "screenPageViews", section.key_events_metric))
    pages = {
        f"{kind}_views": Report(("date", *keys), ("screenPageViews",), section.pages.pattern(kind))
        for kind in section.counted
    }
    return base, pages


def _part(api: Ga4Api, landing: WebLanding, start: date, end: date) -> pd.DataFrame:
    base, pages = _reports(api.settings)
    keys = [key.from_ for key in api.settings.company]
    rows = []
    reports = [(("visits", "page_views", "key_events"), base), *(((name,), report) for name, report in pages.items())]
    for names, report in reports:
        # a kind of page nobody viewed that day was counted too: it is zero where there are visits
        zeros = dict.fromkeys(pages, 0.0)
        for dimensions, metrics in api.rows(report, start, end):
            said = dict(zip(report.dimensions, dimensions, strict=True))
            channel = said.get(api.settings.channel or "")
            rows.append(
                {
                    "activity_date": day_of(said["date"]),
                    **{f"said_{number}": said[key] for number, key in enumerate(keys)},
                    "channel": None if channel in (None, "", "(not set)") else channel,
                    **zeros,
                    "visits": 0.0,
                    **dict(zip(names, metrics, strict=True)),
                }
            )
    columns = ["activity_date", *(f"said_{number}" for number in range(len(keys))), "channel", *COUNTS]
    return counted(pd.DataFrame(rows, columns=columns), columns[1:-7], landing.companies)
