"""How a source that is pulled from a vendor's API is configured, and what is mapped when icp.yml says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

EnvironmentName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def safe_url(url: str) -> str:
    """The address of a vendor, without a slash at its end.

    Raises:
        ValueError: It is not encrypted, or holds a password.
    """
    parts = urlsplit(url)
    if not is_private(url):
        raise ValueError("an address of a vendor must be https://...; plain http is allowed to this machine only")
    if parts.username or parts.password:
        raise ValueError("an address of a vendor may hold no user or password; name environment variables instead")
    return url.rstrip("/")


def is_private(url: str) -> bool:
    """Whether nobody on the way can read what goes to an address."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS)


SafeUrl = Annotated[str, AfterValidator(safe_url)]
"""The address of a vendor as icp.yml may write it, see `safe_url`."""

HUBSPOT_TABLES: dict[str, dict[str, str]] = {
    "accounts": {
        "account_id": "id",
        "account_name": "properties.name",
        "website": "properties.domain",
        "industry": "properties.industry",
        "employees": "properties.numberofemployees",
        "annual_revenue": "properties.annualrevenue",
        "country": "properties.country",
        "region": "properties.state",
        "city": "properties.city",
        "lifecycle_stage": "properties.lifecyclestage",
        "merged_into_account_id": "merged_into",
        "is_deleted": "archived",
        "created_at": "properties.createdate",
        "modified_at": "properties.hs_lastmodifieddate",
    },
    "opportunities": {
        "opportunity_id": "id",
        "account_id": "associations.companies.results[0].id",
        "opportunity_name": "properties.dealname",
        "stage": "properties.dealstage",
        "opportunity_type": "properties.dealtype",
        "is_closed": "properties.hs_is_closed",
        "is_won": "properties.hs_is_closed_won",
        "amount": "properties.amount",
        "currency": "properties.deal_currency_code",
        "is_deleted": "archived",
        "created_at": "properties.createdate",
        "closed_at": "properties.closedate",
        "modified_at": "properties.hs_lastmodifieddate",
    },
    "contacts": {
        "contact_id": "id",
        "account_id": "properties.associatedcompanyid",
        "buying_role": "properties.hs_buying_role",
        "seniority": "properties.hs_seniority",
        "department": "properties.hs_role",
        "is_deleted": "archived",
        "created_at": "properties.createdate",
        "modified_at": "properties.lastmodifieddate",
    },
}
ASKED_FOR = ("accounts", "opportunities")
"""Tables of a source that names none; people are pulled only where icp.yml says so."""
PERSONAL = frozenset(
    "properties." + name
    for name in (
        *("email", "work_email", "hs_additional_emails", "hs_full_name_or_email", "firstname", "lastname"),
        *("phone", "mobilephone", "fax", "address", "date_of_birth", "hs_linkedin_url", "twitterhandle"),
    )
)
"""Properties of a contact that say who it is: none may be mapped, but for an address's domain."""


class VendorSection(BaseModel):
    """A section about one vendor; nothing unknown is allowed."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class RetrySection(VendorSection):
    """How long a vendor that does not answer is asked again before the source gives up for this run."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 8
    first_wait_seconds: Annotated[float, Field(ge=0, le=60)] = 1.0
    longest_wait_seconds: Annotated[float, Field(ge=0, le=600)] = 60.0
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 60.0


class OAuthSection(VendorSection):
    """An OAuth app: names of the environment variables that hold its credentials; tokens are fetched when needed."""

    client_id_env: EnvironmentName
    client_secret_env: EnvironmentName
    refresh_token_env: EnvironmentName


class HubSpotSettings(VendorSection):
    """HubSpot's CRM API. Credentials are named here and kept in the environment, never in icp.yml."""

    base_url: SafeUrl = "https://api.hubapi.com"
    api_version: Literal["2026-03", "2026-09", "v3"] = "2026-03"
    token_env: EnvironmentName = "HUBSPOT_TOKEN"
    oauth: OAuthSection | None = None
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
    overlap_minutes: Annotated[float, Field(ge=0)] = 15
    property_history: bool = False
    retry: RetrySection = RetrySection()


@dataclass(frozen=True)
class VendorKind:
    """What a kind of source that is pulled fills by itself.

    Attributes:
        title: The vendor's name.
        tables: By table the usual field of every column.
        asked_for: The tables of a source that names none.
        personal: Fields of a contact that say who it is: none may be mapped, but for an address's domain.
    """

    title: str
    tables: dict[str, dict[str, str]]
    asked_for: tuple[str, ...]
    personal: frozenset[str] = frozenset()


HUBSPOT = VendorKind("HubSpot", HUBSPOT_TABLES, ASKED_FOR, PERSONAL)


def with_default_mapping(source: Any, vendors: Mapping[str, VendorKind]) -> Any:
    """Fill in what a pulled source does not say: its tables, and the usual field of every column not mapped."""
    kind = source.get("kind") if isinstance(source, dict) else None
    if not isinstance(kind, str) or kind not in vendors:
        return source
    vendor = vendors[kind]
    tables = source.get("tables") or {name: {} for name in vendor.asked_for}
    if not isinstance(tables, dict):
        return source
    filled = {name: _filled(vendor.tables.get(name, {}), table) for name, table in tables.items()}
    return {**source, "tables": filled, kind: source.get(kind) or {}}


def check_source(kind: str, tables: Mapping[str, Any], sections: Set[str], vendors: Mapping[str, VendorKind]) -> None:
    """Hold a source against what its kind allows.

    Args:
        kind: The kind of the source.
        tables: Its table mappings.
        sections: The sections about vendors it has.
        vendors: Kinds that are pulled.

    Raises:
        ValueError: A section of another kind, a file where an API is read, a table the vendor does not fill, a column
            that would say who a person is.
    """
    for other in sorted(sections - {kind}):
        raise ValueError(f"`{other}` belongs to a source of `kind: {other}`")
    vendor = vendors.get(kind)
    for name, table in tables.items():
        if vendor is None and not table.path:
            raise ValueError(f"table {name}: `path` is missing; it says which files hold the table")
        if vendor is not None and (table.path or table.effective_at or table.format):
            raise ValueError(f"table {name} is pulled from {vendor.title}: remove `path`, `format` and `effective_at`")
    if vendor is None:
        return
    _check_vendor(vendor, tables)


def _check_vendor(vendor: VendorKind, tables: Mapping[str, Any]) -> None:
    if not set(tables) <= set(vendor.tables):
        known = ", ".join(f"`{name}`" for name in vendor.tables)
        raise ValueError(f"{vendor.title} fills {known}; map other tables in a source of their own")
    personal = {name.lower() for name in vendor.personal}
    for name, column in tables["contacts"].columns.items() if "contacts" in tables else ():
        if column.as_ != "email_domain" and any(_is_personal(path, personal) for path in column.source_columns):
            raise ValueError(f"contacts: `{name}` would say who a person is; map no name, address or number")


def _is_personal(path: str, personal: Set[str]) -> bool:
    """Whether a path leads to a field that says who a person is; the company of a contact is none."""
    relation, _, last = path.lower().rpartition(".")
    return path.lower() in personal or (last in personal and relation != "account")


def _filled(usual: dict[str, str], table: Any) -> Any:
    if table is not None and not isinstance(table, dict):
        return table
    given = table or {}
    return {**given, "columns": {**usual, **(given.get("columns") or {})}}
