"""Where extracts that are not on this machine lie: object storage and what else has a URL."""

from __future__ import annotations

import re
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from icp.config_vendors import EnvironmentName, SafeUrl, VendorSection

SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://")


class StorageSettings(VendorSection):
    """How object storage is reached; without it credentials and region are found where its own tools look for them.

    `endpoint_url` is for S3-compatible storage that is not Amazon's, `anonymous` for public buckets.
    """

    endpoint_url: SafeUrl | None = None
    region: str | None = None
    anonymous: bool = False
    key_env: EnvironmentName | None = None
    secret_env: EnvironmentName | None = None
    timeout_seconds: float = Field(default=30, gt=0, le=600)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.key_env is None) != (self.secret_env is None):
            raise ValueError("name both `key_env` and `secret_env`, or neither")
        if self.anonymous and self.key_env is not None:
            raise ValueError("`anonymous` storage needs no `key_env`")
        return self


def scheme_of(path: str) -> str | None:
    """The scheme of a URL; None for a path on this machine."""
    found = SCHEME.match(path)
    return found[1].lower() if found else None


def require_no_credential(path: str) -> str:
    """Refuse a URL that holds a user or a password: it would stand in icp.yml and in manifests.

    Raises:
        ValueError: It does.
    """
    if scheme_of(path) is not None and "@" in urlsplit(path).netloc:
        raise ValueError("the URL may hold no user or password; use `storage: {key_env, secret_env}`")
    return path
