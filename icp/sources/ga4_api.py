"""GA4's Data API: reports page by page, each whole or not at all, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from icp.config_analytics import Ga4Settings
from icp.errors import ConfigError, TryLater
from icp.sources.http_client import VendorClient
from icp.sources.manners import Manners, Refusal
from icp.sources.service_account import access_token

VENDOR = "GA4"
SCOPE = "https://www.googleapis.com/auth/analytics.readonly"
READINGS = 3
"""How often a report that changes while it is read is begun again."""


class Ga4Manners(Manners):
    """Google's errors: quotas per day or hour are not worth asking again, those of concurrent requests are."""

    new_key = "Make a new key of the service account."
    more_rights = "Make the service account a viewer of the property, and enable the Data API in its project."
    renewed = "hourly, or at midnight Pacific time"

    def refusal(self, content: Any) -> Refusal:
        error = content.get("error") if isinstance(content, dict) else None
        if not isinstance(error, dict):
            return Refusal()
        return Refusal(str(error.get("message", "")), str(error.get("status", "")))

    def is_used_up(self, status: int, refusal: Refusal) -> bool:
        return status == 429 and ("per day" in refusal.message or "per hour" in refusal.message)


@dataclass(frozen=True)
class Report:
    """What is asked for: dimensions, metrics, and a regular expression that the whole page path must match."""

    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    page_path: str | None = None


class _Moved(Exception):
    """The report changed between two of its pages."""


class Ga4Api:
    """The calls a pull needs. `warnings` gathers what GA4 says it has withheld."""

    def __init__(self, settings: Ga4Settings) -> None:
        self.settings = settings
        self.warnings: set[str] = set()
        self._token: str | None = None
        self._out_of_quota = ""
        self.client = VendorClient(VENDOR, settings.base_url, settings.retry, self._tokens, manners=Ga4Manners())

    def today(self) -> date:
        """The day it is in the property's time zone, by Google's clock."""
        answer = self._call({**_asked(Report((), ("sessions",)), "yesterday", "yesterday"), "limit": "1"})
        zone = _zone((answer.get("metadata") or {}).get("timeZone"))
        moment = str(self.client.server_time)
        try:
            return parsedate_to_datetime(moment).astimezone(zone).date()
        except ValueError:
            raise TryLater("GA4 answered without its time. Run `icp ingest` again.") from None

    def rows(self, report: Report, start: date, end: date) -> Iterator[tuple[list[str], list[float]]]:
        """The report's rows over these days: values of the dimensions, values of the metrics.

        A report that moves while it is read (a page twice, a row less) is read again from its beginning.

        Raises:
            TryLater: It never held still, or the quota is used up.
        """
        for _ in range(READINGS):
            try:
                found = self._whole(report, start, end)
            except _Moved:
                continue
            yield from found
            return
        raise TryLater(f"GA4's report of {start} to {end} changed {READINGS} times while it was read. Try again later.")

    def lacking(self, names: Sequence[str]) -> list[str]:
        """Dimensions and metrics that the property does not have: one cheap call that also proves key and access."""
        path = f"/v1beta/properties/{self.settings.property_id}/metadata"
        answer = self.client.call("GET", path)
        there = {str(e.get("apiName")) for part in ("dimensions", "metrics") for e in answer.get(part) or []}
        return [name for name in names if name not in there]

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _whole(self, report: Report, start: date, end: date) -> list[tuple[list[str], list[float]]]:
        found: dict[tuple[str, ...], list[float]] = {}
        total: int | None = None
        offset = 0
        while total is None or offset < total:
            body = _asked(report, start.isoformat(), end.isoformat())
            answer = self._call({**body, "limit": str(self.settings.page_size), "offset": str(offset)})
            rows = _rows(answer, report)
            count = int(answer.get("rowCount") or 0)
            if count > offset and not rows:
                raise TryLater(
                    f"GA4 answered in another shape: it names {count} rows and sends none. Run `icp doctor`."
                )
            if total is not None and count != total:  # a row less moves the others past us
                raise _Moved
            total = count
            found |= {tuple(dimensions): metrics for dimensions, metrics in rows}
            offset += len(rows) if rows else self.settings.page_size
        if len(found) != total:  # a page came twice
            raise _Moved
        return [(list(dimensions), metrics) for dimensions, metrics in found.items()]

    def _call(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if self._out_of_quota:
            raise TryLater(
                f"GA4: the property's quota is used up ({self._out_of_quota}). Nothing of this pull is kept; the next "
                "`icp ingest` repeats it when the quota is renewed."
            )
        path = f"/v1beta/properties/{self.settings.property_id}:runReport"
        answer: dict[str, Any] = self.client.call("POST", path, body={**body, "returnPropertyQuota": True})
        for name in ("tokensPerDay", "tokensPerHour", "tokensPerProjectPerHour"):
            left = ((answer.get("propertyQuota") or {}).get(name) or {}).get("remaining")
            if left is not None and int(left) <= 0:
                self._out_of_quota = name
        metadata = answer.get("metadata") or {}
        if metadata.get("subjectToThresholding"):
            self.warnings.add(
                "GA4 withheld rows of few users (thresholding): counts are too low. Turn Google signals off."
            )
        if metadata.get("dataLossFromOtherRow"):
            self.warnings.add(
                "GA4 put rare values together under (other): their companies are lost. Fewer days a report help."
            )
        return answer

    def _tokens(self, fresh: bool) -> str:
        if fresh or self._token is None:
            self._token = access_token(self.settings.key_env, SCOPE, self.settings.retry.timeout_seconds)
        return self._token


def _asked(report: Report, start: str, end: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "dateRanges": [{"startDate": start, "endDate": end}],
        "dimensions": [{"name": name} for name in report.dimensions],
        "metrics": [{"name": name} for name in report.metrics],
        "orderBys": [{"dimension": {"dimensionName": name}} for name in report.dimensions],
    }
    if report.page_path is not None:
        matches = {"matchType": "FULL_REGEXP", "value": report.page_path}
        body["dimensionFilter"] = {"filter": {"fieldName": "pagePath", "stringFilter": matches}}
    return body


def _rows(answer: Mapping[str, Any], report: Report) -> list[tuple[list[str], list[float]]]:
    """The rows of a page; an empty report has none.

    Raises:
        TryLater: A column is lost or of another type; it is said which, without a value.
    """
    for part, wanted in (("dimensionHeaders", report.dimensions), ("metricHeaders", report.metrics)):
        there = tuple(str(entry.get("name")) for entry in answer.get(part) or [])
        if there != wanted:
            lost = ", ".join(name for name in wanted if name not in there) or "the order of its columns"
            raise TryLater(f"GA4 answered in another shape: {part} lack {lost}. Run `icp doctor`, then `icp ingest`.")
    try:
        return [
            (
                [str(entry["value"]) for entry in row.get("dimensionValues", [])],
                [float(entry["value"]) for entry in row["metricValues"]],
            )
            for row in answer.get("rows") or []
        ]
    except (KeyError, TypeError, ValueError):
        raise TryLater("GA4 answered in another shape: a row lacks a value or a count is no number.") from None


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f"GA4 names a time zone that is not known here: {name!r}. Set the property's time zone."
        ) from None


def day_of(text: str) -> date:
    """GA4's `date`: YYYYMMDD in the property's time zone.

    Raises:
        TryLater: It is no date.
    """
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        raise TryLater(f"GA4 answered in another shape: {text[:20]!r} is no date.") from None
