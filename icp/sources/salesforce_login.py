"""Logging in to Salesforce: a session token and the address of the org, by client credentials or a signed assertion."""

from __future__ import annotations

import base64
import json
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from icp.config import secret
from icp.config_salesforce import SalesforceSettings
from icp.config_vendors import is_private
from icp.errors import ConfigError
from icp.sources.oauth import TokenRefused, ask_for_token

VENDOR = "Salesforce"
VALID_SECONDS = 180
"""How long an assertion stands; Salesforce takes none that stands for more than five minutes."""
SKEW_SECONDS = 30


class Login:
    """A session with one org, opened when it is first needed and again when it has run out."""

    def __init__(self, settings: SalesforceSettings) -> None:
        self.settings = settings
        self._held: tuple[str, str] | None = None

    def token(self, fresh: bool) -> str:
        """The session's token.

        Raises:
            TryLater: Salesforce cannot be reached.
            ConfigError: It refuses the credentials; what it said is in the message.
        """
        if fresh or self._held is None:
            self._held = self._open()
        return self._held[0]

    @property
    def instance_url(self) -> str:
        """Where the org's API is; known after the first `token`."""
        assert self._held is not None
        return self._held[1]

    def _open(self) -> tuple[str, str]:
        answer = self._ask(0)
        if isinstance(answer, TokenRefused) and self.settings.login == "jwt":
            skew = _skew(answer.date)
            # an assertion is valid for minutes only: with a wrong clock of ours it is signed again by Salesforce's
            answer = self._ask(skew) if abs(skew) > SKEW_SECONDS else answer
        if isinstance(answer, TokenRefused):
            raise ConfigError(_refused(self.settings, answer))
        url = str(answer.get("instance_url", ""))
        if not is_private(url):
            raise ConfigError(f"Salesforce names no https address of the org (instance_url {url[:60]!r}).")
        return str(answer["access_token"]), url.rstrip("/")

    def _ask(self, skew: float) -> dict[str, Any] | TokenRefused:
        settings = self.settings
        if settings.login == "jwt":
            form = {
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": self._assertion(time.time() + skew),
            }
        else:
            form = {
                "grant_type": "client_credentials",
                "client_id": secret(settings.client_id_env),
                "client_secret": secret(settings.client_secret_env),
            }
        url = f"{settings.login_url}/services/oauth2/token"
        return ask_for_token(VENDOR, url, form, settings.retry.timeout_seconds)

    def _assertion(self, now: float) -> str:
        settings = self.settings
        claims = {
            "iss": secret(settings.client_id_env),
            "sub": secret(settings.username_env),
            "aud": settings.audience,
            "exp": int(now) + VALID_SECONDS,
        }
        return signed(claims, private_key(settings.private_key_env))


def signed(claims: dict[str, Any], key: bytes) -> str:
    """A JSON web token over `claims`, signed RS256 (RFC 7515 and 7518) with a private key in PEM.

    Raises:
        ConfigError: The key is none.
    """
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    try:
        loaded = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError):
        raise ConfigError("The private key for Salesforce is no PEM key without a password.") from None
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise ConfigError("The private key for Salesforce is no RSA key. Make the certificate with RSA, 2048 bits.")
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    said = b".".join(map(_encoded, parts))
    return (said + b"." + _encoded(loaded.sign(said, padding.PKCS1v15(), hashes.SHA256()))).decode()


def private_key(variable: str) -> bytes:
    """The key in an environment variable, or in the file it names.

    Raises:
        ConfigError: Neither is there.
    """
    value = secret(variable)
    if value.startswith("-----BEGIN"):
        return value.replace("\\n", "\n").encode()
    file = Path(value)
    if not file.is_file():
        raise ConfigError(f"{variable} holds neither a private key (-----BEGIN ...) nor the path of a file with one.")
    return file.read_bytes()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _skew(date: str | None) -> float:
    """Seconds Salesforce's clock is ahead of ours."""
    try:
        return parsedate_to_datetime(str(date)).timestamp() - time.time()
    except ValueError:
        return 0.0


def _refused(settings: SalesforceSettings, answer: TokenRefused) -> str:
    named = (
        (settings.client_id_env, settings.username_env, settings.private_key_env)
        if settings.login == "jwt"
        else (settings.client_id_env, settings.client_secret_env)
    )
    said = f": {answer.error}, {answer.said!r}" if answer.error else ""
    return (
        f"Salesforce refused the login ({answer.status}{said}). Check {', '.join(named)}, `login_url`, and that the "
        "connected app allows this flow for its user."
    )
