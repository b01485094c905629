"""Access tokens from a vendor's token endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from icp.errors import ConfigError, TryLater


@dataclass(frozen=True)
class TokenRefused:
    """The endpoint gave no token: the status, its words, and its clock (the `Date` header) where it names one."""

    status: int
    error: str
    said: str
    date: str | None


def ask_for_token(vendor: str, url: str, form: Mapping[str, str], timeout: float) -> dict[str, Any] | TokenRefused:
    """What the endpoint answers to a form: JSON with `access_token`, or why there is none.

    Raises:
        TryLater: The endpoint is down or answers something else.
        ConfigError: It sends us somewhere else.
    """
    try:
        answer = httpx.post(url, data=dict(form), timeout=timeout, follow_redirects=False)
        status = answer.status_code
        if status >= 500 or status == 429:
            raise TryLater(f"{vendor} gave no access token ({status}). Run `icp ingest` again.")
        if 300 <= status < 400:
            raise ConfigError(
                f"{vendor} sends who asks for a token elsewhere ({status}). Correct its address in icp.yml."
            )
        content = answer.json()
    except (httpx.HTTPError, ValueError) as problem:
        raise TryLater(f"{vendor} gave no access token ({type(problem).__name__}). Run `icp ingest` again.") from None
    if not isinstance(content, dict):
        raise TryLater(f"{vendor} answered a login in another shape than documented.")
    if status == 200 and "access_token" in content:
        return content
    error, said = (str(content.get(name, "")) for name in ("error", "error_description"))
    return TokenRefused(status, error, said, answer.headers.get("date"))
