"""The shape of icp.yml: one pydantic model per section, nothing unknown allowed.

The checks that need the landing contract (is this a canonical column?) are in `icp.config`, which reads both.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from icp.alerts_schema import AlertsSection
from icp.config_analytics import (
    ANALYTICS,
    Ga4ExportSettings,
    Ga4Settings,
    PostHogExportSettings,
    PostHogSettings,
    SegmentSettings,
    with_web_table,
)
from icp.config_base import Name, Scalar, Section
from icp.config_destinations import DestinationSection
from icp.config_icp import IcpSettings
from icp.config_salesforce import SALESFORCE, SalesforceSettings
from icp.config_storage import StorageSettings, require_no_credential, scheme_of
from icp.config_technographics import BUILTWITH, WAPPALYZER, BuiltWithSettings, WappalyzerSettings
from icp.config_vendors import HUBSPOT, HubSpotSettings, check_source, with_default_mapping
from icp.profile import Family, Kind

NumberFormat = Literal["us", "eu"]
DateFormat = Literal["iso", "us", "eu", "epoch_s", "epoch_ms"]
FileFormat = Literal["csv", "jsonl", "parquet", "xlsx"]
Day = date | datetime
MOST_SETTLE_DAYS = 90


class CalendarSection(Section):
    """The fiscal calendar; its time zone also dates values that have a day but no time."""

    timezone: str = "UTC"
    fiscal_year_start_month: Annotated[int, Field(ge=1, le=12)] = 1
    settle_days: Annotated[int, Field(ge=0, le=MOST_SETTLE_DAYS)] = 5

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        return require_zone(name)


class Lookup(Section):
    """A small file that turns a code of the extract into its value: key column -> value column."""

    path: str
    key: str
    value: str


class ColumnMapping(Section):
    """Where one landed column comes from: a source column, a constant, or several source columns joined.

    Of `from`, `value` and `concat` exactly one is given. `minus` subtracts a second source column (revenue minus cost);
    `equals` makes a boolean from values; `as: email_domain` keeps only the domain of an e-mail address. `minor_units_of`
    names the column with the currency whose smallest units (cents; whole yen) the number counts.
    """

    from_: Annotated[str | None, Field(alias="from")] = None
    value: Scalar | None = None
    concat: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    separator: str = "-"
    minus: str | None = None
    minor_units_of: str | None = None
    equals: tuple[Scalar, ...] | None = None
    as_: Annotated[Literal["email_domain"] | None, Field(alias="as")] = None
    lookup: Lookup | None = None
    number_format: NumberFormat | None = None
    date_format: DateFormat | None = None
    timezone: str | None = None
    missing: tuple[str, ...] = ()
    optional: bool = False

    @property
    def source_columns(self) -> tuple[str, ...]:
        """All columns of the extract this one is made from."""
        return tuple(name for name in self._named if name is not None)

    @property
    def _named(self) -> tuple[str | None, ...]:
        return (self.from_, *(self.concat or ()), self.minus, self.minor_units_of)

    @field_validator("equals", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return _values(value)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        return None if name is None else require_zone(name)

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in ("from_", "value", "concat") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of `from`, `value` and `concat`")
        for name in ("minus", "minor_units_of", "equals", "as_", "lookup"):
            if getattr(self, name) is not None and self.from_ is None:
                raise ValueError(f"`{name.rstrip('_')}` needs `from`")
        return self


class AttributeMapping(ColumnMapping):
    """An extra column of the extract, declared as a candidate attribute of the ICP."""

    kind: Kind
    family: Family = "firmographic"
    label: str = ""
    unit: str = ""
    cuts: tuple[float, ...] = ()
    description: str = ""
    delimiter: Annotated[str, Field(min_length=1)] = ";"

    @model_validator(mode="after")
    def _cuts_ascend(self) -> Self:
        if self.cuts and self.kind != "numeric":
            raise ValueError(f"`cuts` are for numeric attributes; this one is {self.kind}")
        if any(left >= right for left, right in zip(self.cuts, self.cuts[1:], strict=False)):
            raise ValueError("`cuts` must ascend")
        return self


class EffectiveAt(Section):
    """When the data of an extract were true: a fixed date, or the date in the file's name."""

    date: Day | None = None
    from_filename: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.date is None) == (self.from_filename is None):
            raise ValueError("give a date (2026-09-30) or `from_filename: <pattern>`")
        if self.from_filename is not None:
            _require_date_pattern(self.from_filename)
        return self


class CsvOptions(Section):
    """How a CSV file is written down; `skip_after_header` is how many lines under the header are no data (Qualtrics: 2)."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8"
    skip_after_header: Annotated[int, Field(ge=0, le=20)] = 0

    # A tab is a delimiter, not white space around one.
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError(f"{name!r} is not a text encoding; common ones are utf-8, cp1252 and utf-16") from None
        return name


def _column(value: Any) -> Any:
    return {"from": value} if isinstance(value, str) else value


def _values(value: Any) -> Any:
    return [value] if isinstance(value, str | bool | int | float) else value


def _effective_at(value: Any) -> Any:
    if value is None or isinstance(value, dict):
        return value
    if not isinstance(value, str | date):
        raise ValueError(f"{value!r} is not a date; write it as 2026-09-30")
    return {"date": value}


MappedColumn = Annotated[ColumnMapping, BeforeValidator(_column, json_schema_input_type=str | ColumnMapping)]
MappedDate = Annotated[EffectiveAt, BeforeValidator(_effective_at, json_schema_input_type=Scalar | EffectiveAt)]

Values = Annotated[
    tuple[Scalar, ...], Field(min_length=1), BeforeValidator(_values, json_schema_input_type=Scalar | list[Scalar])
]


class TableMapping(Section):
    """Which files hold one canonical table and which of their columns is which.

    `where` keeps rows with one of the named values in a source column; `sheet` is the sheet of a workbook.
    """

    path: str = ""
    format: FileFormat | None = None
    sheet: str | None = None
    where: dict[str, Values] = {}
    effective_at: MappedDate | None = None
    csv: CsvOptions = CsvOptions()
    number_format: NumberFormat = "us"
    date_format: DateFormat = "iso"
    timezone: str | None = None
    missing: tuple[str, ...] = ()
    columns: dict[Name, MappedColumn]
    attributes: dict[Name, AttributeMapping] = {}

    @field_validator("path")
    @classmethod
    def _no_credential(cls, path: str) -> str:
        return require_no_credential(path)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        return None if name is None else require_zone(name)


VENDORS = {"hubspot": HUBSPOT, "salesforce": SALESFORCE, "builtwith": BUILTWITH, "wappalyzer": WAPPALYZER}
"""Kinds of sources that are pulled over an API."""


class SourceSettings(Section):
    """One system data come from: extracts in files, or a vendor's API."""

    kind: Literal[
        "files",
        "hubspot",
        "salesforce",
        "ga4",
        "ga4_export",
        "posthog",
        "posthog_export",
        "segment",
        "builtwith",
        "wappalyzer",
    ]
    tables: Annotated[dict[Name, TableMapping], Field(min_length=1)]
    hubspot: HubSpotSettings | None = None
    salesforce: SalesforceSettings | None = None
    ga4: Ga4Settings | None = None
    ga4_export: Ga4ExportSettings | None = None
    posthog: PostHogSettings | None = None
    posthog_export: PostHogExportSettings | None = None
    segment: SegmentSettings | None = None
    builtwith: BuiltWithSettings | None = None
    wappalyzer: WappalyzerSettings | None = None
    storage: StorageSettings | None = None
    may_be_stale_days: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _usual_mapping(cls, value: Any) -> Any:
        return with_web_table(with_default_mapping(value, VENDORS))

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind != "files" and self.storage is not None:
            raise ValueError("`storage` says where files lie: it belongs to a source of `kind: files`")
        sections = {name for name in (*VENDORS, *ANALYTICS) if getattr(self, name) is not None}
        check_source(self.kind, {} if self.kind in ANALYTICS else self.tables, sections, VENDORS)
        return self


class ConfigFile(Section):
    """The whole of icp.yml."""

    config_version: Literal[1]
    company: Annotated[str, Field(min_length=1)]
    lake: str = "lake"
    reporting_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    calendar: CalendarSection = CalendarSection()
    sources: dict[Name, SourceSettings]
    icps: Annotated[dict[Name, IcpSettings], Field(min_length=1)] = {"main": IcpSettings()}
    alerts: AlertsSection = AlertsSection()
    destinations: dict[Name, DestinationSection] = {}

    @field_validator("lake")
    @classmethod
    def _local(cls, path: str) -> str:
        return require_local(path)


def require_local(path: str) -> str:
    """Refuse a URL: the lake is on a local disk for now."""
    if scheme_of(path) is not None:
        raise ValueError(f"{path} is a URL; the lake is on a local disk for now: give a folder on this machine")
    return path


def require_zone(name: str) -> str:
    """Refuse a time zone that does not exist."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; use an IANA name such as America/New_York or UTC") from None
    return name


def _require_date_pattern(pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error as problem:
        raise ValueError(f"`from_filename` is not a regular expression: {problem}") from None
    if groups != 1:
        raise ValueError(r"`from_filename` needs one group around the date, for example 'crm_(\d{4}-\d{2}-\d{2})'")
