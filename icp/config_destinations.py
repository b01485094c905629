"""The shape of `destinations:` in icp.yml: where tiers are written back to. Secrets are named here, never written."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from icp.config_vendors import LOCAL_HOSTS, EnvironmentName, RetrySection, VendorSection


class DestinationSection(VendorSection):
    """A CRM the tiers are written back to, account by account, after a dry run somebody approved.

    `existing: keep` leaves values that were there before our first write; `replace` takes them over. What a person changed
    after our last write is left alone either way.
    """

    kind: Literal["hubspot", "salesforce"]
    icp: str | None = None
    base_url: str = "https://api.hubapi.com"
    token_env: EnvironmentName
    api_version: str = ""
    existing: Literal["keep", "replace"] = "keep"
    retry: RetrySection = RetrySection()
    calls_per_10_seconds: Annotated[int, Field(ge=1)] = 100

    @field_validator("base_url")
    @classmethod
    def _safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS):
            raise ValueError("`base_url` must be https://...; plain http is allowed to this machine only")
        if parts.username or parts.password:
            raise ValueError("`base_url` may hold no user or password; name an environment variable in `token_env`")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.kind == "salesforce" and "base_url" not in self.model_fields_set:
            raise ValueError("`base_url` is missing: the address of your Salesforce org, https://….my.salesforce.com")
        return self

    @property
    def version(self) -> str:
        """The version of the API that is spoken."""
        return self.api_version or {"hubspot": "v3", "salesforce": "v64.0"}[self.kind]
