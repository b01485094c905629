"""How web analytics are pulled (GA4, PostHog) or read from their exports, and how a visit names its company."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator

from icp.config_vendors import EnvironmentName, RetrySection, SafeUrl, VendorSection

WEB_TABLE = "web_activity"
COUNTS = ("visits", "page_views", "key_events", "pricing_views", "product_views", "content_views")
WEB_COLUMNS = ("account_id", "website", "activity_date", *COUNTS, "first_channel")
PAGE_KINDS = ("pricing", "product", "content")
LEAST_LOOKBACK = 3
FIELD = re.compile(r"[\w$]+(?:\.[\w$]+)*")


class KeyLookup(VendorSection):
    """A small file that turns what analytics says (a user, a tenant) into a contact, an account or a domain."""

    path: str
    key: str
    value: str


class CompanyKey(VendorSection):
    """One way a visit names its company.

    `from` is a dimension (GA4's API), a field (`properties.$groups.company`, `user_properties.company_domain`) or a column;
    `holds` says what is in it, after `lookup` where there is one: a domain, host name or e-mail address, an account's id,
    or the id of a contact, whose company is then known from the landed contacts.
    """

    from_: Annotated[str, Field(alias="from", min_length=1)]
    holds: Literal["domain", "account_id", "contact"] = "domain"
    lookup: KeyLookup | None = None


class PagesSection(VendorSection):
    """Paths of pages that tell interest, `*` for anything; a kind that names none is left empty, not zero."""

    pricing: tuple[str, ...] = ()
    product: tuple[str, ...] = ()
    content: tuple[str, ...] = ()

    def pattern(self, kind: str) -> str | None:
        """The paths of a kind as one regular expression over the whole path; None where it names none."""
        globs = getattr(self, kind)
        return "|".join(re.escape(glob).replace(r"\*", ".*") for glob in globs) or None


def _keys(value: Any) -> Any:
    entries = value if isinstance(value, list | tuple) else [value]
    return [{"from": entry} if isinstance(entry, str) else entry for entry in entries]


class WebSection(VendorSection):
    """What every source of web activity says: how a company is told, which pages and events count.

    `company` may be a list: the first way that finds a company counts. `lookback_days` is how far back days are read
    again, because events arrive late; a day read again replaces what was read before.
    """

    company: Annotated[
        tuple[CompanyKey, ...],
        BeforeValidator(_keys, json_schema_input_type=str | CompanyKey | list[str | CompanyKey]),
        Field(min_length=1),
    ]
    own_domains: tuple[str, ...] = ()
    pages: PagesSection = PagesSection()
    lookback_days: Annotated[int, Field(ge=LEAST_LOOKBACK, le=90)] = 5

    @property
    def counted(self) -> tuple[str, ...]:
        """The kinds of pages whose views are counted."""
        return tuple(kind for kind in PAGE_KINDS if getattr(self.pages, kind))


def _known_zone(name: str | None) -> str | None:
    try:
        return None if name is None else ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; use an IANA name such as America/New_York or UTC") from None


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


NumberedId = Annotated[str, Field(pattern=r"^\d+$"), BeforeValidator(_number_as_text)]
"""An id of digits, written with or without quotes."""


class Ga4Settings(WebSection):
    """GA4's Data API. The key file of a service account is named in the environment, never in icp.yml."""

    property_id: NumberedId
    base_url: SafeUrl = "https://analyticsdata.googleapis.com"
    key_env: EnvironmentName = "GOOGLE_APPLICATION_CREDENTIALS"
    since: date | None = None
    channel: str | None = "sessionDefaultChannelGroup"
    key_events_metric: str = "keyEvents"
    page_size: Annotated[int, Field(ge=1, le=250_000)] = 100_000
    days_per_report: Annotated[int, Field(ge=1, le=366)] = 31
    retry: RetrySection = RetrySection()


class EventSection(WebSection):
    """Sources that know single events: which of them are key events, and the time zone that dates a day."""

    key_events: tuple[str, ...] = ()
    channel: str | None = None
    timezone: str | None = None

    _zone = field_validator("timezone")(_known_zone)


class PostHogSettings(EventSection):
    """PostHog's query API, with a personal API key of scope `query:read`. Days are counted in PostHog; no event leaves it."""

    project_id: NumberedId
    base_url: SafeUrl = "https://us.posthog.com"
    key_env: EnvironmentName = "POSTHOG_PERSONAL_API_KEY"
    since: date | None = None
    channel: str | None = "properties.utm_medium"
    page_size: Annotated[int, Field(ge=1, le=50_000)] = 10_000
    days_per_query: Annotated[int, Field(ge=1, le=366)] = 7
    retry: RetrySection = RetrySection()

    @field_validator("company", mode="after")
    @classmethod
    def _fields(cls, keys: tuple[CompanyKey, ...]) -> tuple[CompanyKey, ...]:
        for key in keys:
            _field(key.from_)
        return keys

    @field_validator("channel", mode="after")
    @classmethod
    def _a_field(cls, name: str | None) -> str | None:
        return None if name is None else _field(name)


def _field(name: str) -> str:
    if not FIELD.fullmatch(name):
        raise ValueError(f"{name!r} is no field of PostHog's events; write it as properties.$groups.company")
    return name


class Ga4ExportSettings(EventSection):
    """GA4's export to BigQuery, saved as files: one or more `events_YYYYMMDD` a day, Parquet or JSON lines."""

    path: Annotated[str, Field(min_length=1)]
    channel: str | None = "collected_traffic_source.manual_medium"


class PostHogExportSettings(EventSection):
    """PostHog's batch exports of events, as files: Parquet or JSON lines."""

    path: Annotated[str, Field(min_length=1)]
    channel: str | None = "properties.utm_medium"


class SegmentSettings(EventSection):
    """Tables of Segment's or RudderStack's warehouse, saved as files: pages, and tracks, identifies and groups if there."""

    pages_path: Annotated[str, Field(min_length=1)]
    tracks_path: str | None = None
    identifies_path: str | None = None
    groups_path: str | None = None
    channel: str | None = "context_campaign_medium"
    session_minutes: Annotated[float, Field(gt=0, le=1440)] = 30


ANALYTICS = ("ga4", "ga4_export", "posthog", "posthog_export", "segment")
"""Kinds of sources that fill `web_activity` and say in their own section how."""


def with_web_table(source: Any) -> Any:
    """A source of web activity lands one table in one shape: nothing of it is mapped by hand."""
    if not isinstance(source, dict) or source.get("kind") not in ANALYTICS:
        return source
    if source.get("tables"):
        raise ValueError(f"a source of `kind: {source['kind']}` fills `{WEB_TABLE}` by itself: remove `tables`")
    if not source.get(source["kind"]):
        raise ValueError(f"`{source['kind']}:` is missing; it says where to read and which `company` a visit names")
    columns = {name: {"from": name} for name in WEB_COLUMNS}
    return {**source, "tables": {WEB_TABLE: {"columns": columns}}}
