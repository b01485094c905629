"""The shape of icp.yml: one pydantic model per section, nothing unknown allowed.

The checks that need the landing contract (is this a canonical column?) are in `icp.config`, which reads both.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

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
from icp.config_destinations import DestinationSection
from icp.config_salesforce import SALESFORCE, SalesforceSettings
from icp.config_storage import StorageSettings, require_no_credential, scheme_of
from icp.config_technographics import BUILTWITH, WAPPALYZER, BuiltWithSettings, WappalyzerSettings
from icp.config_vendors import HUBSPOT, HubSpotSettings, check_source, with_default_mapping
from icp.profile import Family, Kind

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
NumberFormat = Literal["us", "eu"]
DateFormat = Literal["iso", "us", "eu", "epoch_s", "epoch_ms"]
FileFormat = Literal["csv", "jsonl", "parquet", "xlsx"]
Day = date | datetime
MOST_SETTLE_DAYS = 90
Scalar = str | bool | int | float | date | datetime


class Section(BaseModel):
    """A section of icp.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, str_strip_whitespace=True)


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


class RequireSection(Section):
    """What a good customer must have shown within the horizon after the win; all of it."""

    min_gross_margin: float | None = None
    min_revenue: float | None = None
    min_tenure_months: Annotated[float, Field(gt=0)] | None = None
    min_expansion: Annotated[float, Field(gt=0)] | None = None
    not_churned: Literal[True] | None = None
    repeat: Literal[True] | None = None
    min_nps: Annotated[float, Field(ge=0, le=10)] | None = None
    min_csat: float | None = None
    min_cs_rating: float | None = None
    weight: Annotated[float, Field(gt=0)] | None = None

    @property
    def rules(self) -> list[str]:
        """The rules this entry names."""
        return list(self.model_dump(exclude_none=True, exclude={"weight"}))

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.rules:
            raise ValueError("an entry of `require` names a rule, such as `not_churned: true`")
        if self.weight is not None and len(self.rules) > 1:
            raise ValueError("`weight` is that of one rule: give each rule an entry of its own")
        return self


class LabelSection(Section):
    """What counts as a good outcome: a won deal, one that brought a good customer, or being among the best customers.

    `contrast` is what good outcomes are compared with: `auto` takes lost deals, or all accounts where too few are recorded.
    `horizon_quarters` is how long after the win a good customer is judged (4), or how long best customers are (1).
    `at_least` is the weight of the rules of `require` it takes (all without it; every rule weighs 1 unless it says so).
    `pins` is a file of customers a person has judged, `best_customers` how many good customers are listed.
    """

    kind: Literal["won", "good_customer", "best_customer"] = "won"
    measure: Literal["revenue", "gross_margin"] = "revenue"
    top_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    horizon_quarters: Annotated[int, Field(ge=1, le=8)] | None = None
    require: tuple[RequireSection, ...] = ()
    at_least: Annotated[float, Field(gt=0)] | None = None
    pins: Annotated[str, Field(min_length=1)] | None = None
    best_customers: Annotated[int, Field(ge=1, le=10_000)] | None = None
    contrast: Literal["auto", "won_or_lost", "customer_or_not"] = "auto"

    @property
    def horizon(self) -> int:
        """Quarters until an outcome is known in full."""
        return self.horizon_quarters or (1 if self.kind == "best_customer" else 4)

    @model_validator(mode="after")
    def _rules_fit(self) -> Self:
        if bool(self.require) != (self.kind == "good_customer"):
            raise ValueError(
                "`require` says what a good customer is: give it with `kind: good_customer`, and only then"
            )
        self._weights_fit()
        for rule in self.require:
            if rule.min_expansion is not None and self.horizon < 2:
                raise ValueError("`min_expansion` compares quarters: it needs `horizon_quarters` of 2 or more")
            if (rule.min_tenure_months or 0) > 3 * self.horizon:
                raise ValueError(
                    f"`min_tenure_months: {rule.min_tenure_months:g}` can never be reached within a horizon of "
                    f"{3 * self.horizon} months; lengthen `horizon_quarters`"
                )
        return self

    def _weights_fit(self) -> None:
        if self.best_customers is not None and self.kind != "good_customer":
            raise ValueError("`best_customers` lists those who met the rules of `require`: use `kind: good_customer`")
        if self.pins is not None and self.kind == "best_customer":
            raise ValueError("`pins` judge won deals: use `kind: won` or `good_customer`")
        total = sum((entry.weight or 1.0) * len(entry.rules) for entry in self.require)
        if self.at_least is None:
            if any(entry.weight is not None for entry in self.require):
                raise ValueError("`weight` counts towards `at_least`: say how much weight a good customer needs")
        elif self.at_least > total + 1e-9:
            raise ValueError(f"`at_least: {self.at_least:g}` can never be reached: the rules weigh {total:g} together")
        elif len({name for entry in self.require for name in entry.rules}) < sum(len(e.rules) for e in self.require):
            raise ValueError("with `at_least` a rule may be named once only")


class ApprovalSection(Section):
    """Whether a candidate becomes the ICP by itself or waits for a person, and for how long it waits.

    In mode "auto" a candidate is held as well when more than `most_tier_moves` (a share of the accounts that have a tier
    before and after) change tier, or, with `hold_on_warnings`, when a gate warned. After `deadline_days` without an answer
    a held candidate lapses: the ICP in force stays.
    """

    mode: Literal["auto", "ask"] = "auto"
    most_tier_moves: Annotated[float, Field(ge=0, le=1)] | None = None
    hold_on_warnings: bool = False
    deadline_days: Annotated[int, Field(ge=1, le=90)] | None = 14


class ValueSection(Section):
    """Whether what a win is worth is estimated beside who wins: P(win) x value of a win, or left out."""

    kind: Literal["two_part", "none"] = "two_part"


class MinimumSection(Section):
    """Fewest outcomes a profile may be derived from."""

    wins: Annotated[int, Field(ge=1)] = 20
    losses: Annotated[int, Field(ge=1)] = 20


class MonitorSection(Section):
    """How often the weekly look between quarters may cry wolf, over everything watched together."""

    false_alarms_per_year: Annotated[float, Field(gt=0, le=2)] = 0.2


class LeakAuditSection(Section):
    """Attributes that look as if they knew the outcome, and that a person has looked at and vouches for."""

    accept: tuple[str, ...] = ()


class PopulationSection(Section):
    """Which values of one attribute are inside the population: names (`in`, `not_in`) or a range (`min`, `max`)."""

    in_: Annotated[tuple[Scalar, ...], Field(alias="in")] = ()
    not_in: tuple[Scalar, ...] = ()
    min: float | None = None
    max: float | None = None
    keep_unknown: bool = False

    @model_validator(mode="after")
    def _something(self) -> Self:
        has_range = self.min is not None or self.max is not None
        if has_range == bool(self.in_ or self.not_in):
            raise ValueError("give values (`in: [DE, FR]`, `not_in`) or a range (`min`, `max`), one of the two")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min: {self.min:g}` is above `max: {self.max:g}`: nobody can be inside")
        return self


def _population(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    return {"in": value if isinstance(value, list | tuple) else [value]}


PopulationOf = Annotated[
    PopulationSection, BeforeValidator(_population, json_schema_input_type=Scalar | list[Scalar] | PopulationSection)
]


class AttributesSection(Section):
    """Which attributes may become criteria of this ICP; nothing said means all."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()


class IcpSettings(Section):
    """One ICP: whom it speaks of, what it explains, from how much history, and how it is approved."""

    population: dict[Name, PopulationOf] = {}
    label: LabelSection = LabelSection()
    lookback_quarters: Annotated[int, Field(ge=1, le=40)] = 8
    attributes: AttributesSection = AttributesSection()
    exclude_attributes: tuple[str, ...] = ()
    tiers: dict[str, Annotated[float, Field(gt=0, lt=1)]] = {"A": 0.05, "B": 0.15, "C": 0.30}
    qualified_tiers: Annotated[tuple[Literal["A", "B", "C"], ...], Field(min_length=1)] = ("A", "B")
    approval: ApprovalSection = ApprovalSection()
    minimum: MinimumSection = MinimumSection()
    value: ValueSection = ValueSection()
    hypotheses: Annotated[str | None, Field(min_length=1)] = None
    personas: Annotated[str | None, Field(min_length=1)] = None
    case_studies: Annotated[str | None, Field(min_length=1)] = None
    survey: Annotated[str | None, Field(min_length=1)] = None
    monitor: MonitorSection = MonitorSection()
    leak_audit: LeakAuditSection = LeakAuditSection()

    @field_validator("tiers")
    @classmethod
    def _leave_a_rest(cls, tiers: dict[str, float]) -> dict[str, float]:
        if list(tiers) != ["A", "B", "C"]:
            raise ValueError("name the tiers A, B and C, in this order; D is the rest")
        if sum(tiers.values()) >= 1:
            raise ValueError(f"the tiers' shares add up to {sum(tiers.values()):g}; they must leave a rest below 1")
        return tiers


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
