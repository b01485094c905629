"""The shape of `destinations:` in icp.yml: who is told about accounts. Secrets are named here, never written."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from icp.config_salesforce import SalesforceLogin
from icp.config_storage import StorageSettings, require_no_credential, scheme_of
from icp.config_vendors import EnvironmentName, RetrySection, SafeUrl, VendorSection

TABLE = re.compile(r"[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?")
ListName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class ToldSection(VendorSection):
    """What every destination has: whose list, how patiently, and what becomes of what is there already.

    `existing: keep` leaves what was there before our first write; `replace` takes it over. What somebody changed after our
    last write is left alone either way.
    """

    icp: str | None = None
    existing: Literal["keep", "replace"] = "keep"
    retry: RetrySection = RetrySection()


class HubSpotDestination(ToldSection):
    """A HubSpot portal the tiers are written back to, account by account."""

    kind: Literal["hubspot"]
    base_url: SafeUrl = "https://api.hubapi.com"
    token_env: EnvironmentName
    api_version: str = "v3"
    calls_per_10_seconds: Annotated[int, Field(ge=1)] = 100


class SalesforceDestination(ToldSection, SalesforceLogin):
    """A Salesforce org the tiers are written back to; it is logged in to as by a source."""

    kind: Literal["salesforce"]
    api_version: Annotated[str, Field(pattern=r"^v[4-9]\d\.0$")] = "v66.0"
    calls_per_10_seconds: Annotated[int, Field(ge=1)] = 100


class ListSection(ToldSection):
    """A destination that is given one list of the revision in force: `accounts`, or `NAME` of a model `sync_NAME`."""

    list: ListName = "accounts"


class StorageDestination(ListSection):
    """A folder in object storage, or behind any URL fsspec knows, that holds the list as files."""

    kind: Literal["storage"]
    url: str
    formats: Annotated[tuple[Literal["parquet", "csv"], ...], Field(min_length=1)] = ("parquet", "csv")
    storage: StorageSettings = StorageSettings()

    @field_validator("url")
    @classmethod
    def _a_folder(cls, url: str) -> str:
        if scheme_of(url) is None:
            raise ValueError("`url` must be the URL of a folder, such as s3://bucket/icp or file:///srv/icp")
        return require_no_credential(url).rstrip("/")


class PostgresDestination(ListSection):
    """A table in PostgreSQL that holds the list. `dsn_env` names the variable with postgresql://user:password@host/db."""

    kind: Literal["postgres"]
    dsn_env: EnvironmentName
    table: str

    @field_validator("table")
    @classmethod
    def _a_table(cls, name: str) -> str:
        if not TABLE.fullmatch(name):
            raise ValueError(f"{name!r} is no table; write it as icp.accounts, in lower case letters, digits and _")
        return name


class WebhookDestination(ListSection):
    """A receiver of your own that is posted changed rows, signed as alerts are.

    Its address is written out (`url`) or, where it is a secret, in the variable `url_env` names.
    """

    kind: Literal["webhook"]
    url: str | None = None
    url_env: EnvironmentName | None = None
    secret_env: EnvironmentName
    allow_private: bool = False
    batch_rows: Annotated[int, Field(ge=1, le=10_000)] = 500

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give the address as `url`, or name the variable that holds it in `url_env`")
        if self.url is not None and scheme_of(self.url) not in ("https", "http"):
            raise ValueError("`url` must begin with https://")
        return self


DestinationSection = Annotated[
    HubSpotDestination | SalesforceDestination | StorageDestination | PostgresDestination | WebhookDestination,
    Field(discriminator="kind"),
]
