"""Access tokens from a vendor's token endpoint, and the signed statements some of them ask for."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from icp.errors import ConfigError
from icp.sources.addresses import nobody
from icp.sources.again import Again, put_off
from icp.sources.manners import Manners
from icp.sources.tls import trusted


@dataclass(frozen=True)
class TokenRefused:
    """The endpoint gave no token: the status and its words."""

    status: int
    error: str
    said: str


def ask_for_token(vendor: str, url: str, form: Mapping[str, str], timeout: float) -> dict[str, Any] | TokenRefused:
    """What the endpoint answers to a form: JSON with `access_token`, or why there is none.

    Raises:
        Again: The endpoint is down or answers something else.
        TryLater: It asks to be left alone for long.
        ConfigError: It sends us somewhere else.
    """
    try:
        answer = httpx.post(url, data=dict(form), timeout=timeout, follow_redirects=False, verify=trusted())
        status = answer.status_code
        if status >= 500 or status == 429:
            raise put_off(vendor, f"it gave no access token ({status})", answer.headers, Manners.kept)
        if 300 <= status < 400:
            raise ConfigError(
                f"{vendor} sends who asks for a token elsewhere ({status}). Correct its address in icp.yml."
            )
        content = answer.json()
    except httpx.HTTPError as problem:
        raise Again(f"it gave no access token ({type(problem).__name__})") from None
    except ValueError:
        raise Again(f"it gave no access token ({status}, and no JSON)") from None
    if not isinstance(content, dict):
        raise Again("it answered a login in another shape than documented")
    if status == 200 and "access_token" in content:
        return content
    error, said = (nobody(str(content.get(name, ""))) for name in ("error", "error_description"))
    return TokenRefused(status, error, said)


def clock_of(url: str, timeout: float) -> datetime:
    """The endpoint's own time, read from the answer to an empty request.

    Raises:
        Again: It does not answer, or names no time.
    """
    try:
        told: datetime = parsedate_to_datetime(
            httpx.get(url, timeout=timeout, verify=trusted()).headers.get("date", "")
        )
    except (httpx.HTTPError, ValueError) as problem:
        raise Again(f"it told no time ({type(problem).__name__})") from None
    return told


def signed(header: Mapping[str, Any], claims: Mapping[str, Any], private_key: bytes) -> str:
    """A JSON web token, signed RS256 (RFC 7515, 7518) with a private key in PEM.

    Raises:
        ValueError: The key is no RSA key, or has a password.
    """
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    try:
        key = serialization.load_pem_private_key(private_key, password=None)
    except (ValueError, TypeError):
        raise ValueError("the private key is no PEM key without a password") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the private key is no RSA key")
    said = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{said}.{_encoded(key.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
