"""Logging in to Salesforce: a session token and the address of the org, by client credentials or a signed assertion."""

from __future__ import annotations

from pathlib import Path

from icp.config import secret
from icp.config_salesforce import SalesforceLogin
from icp.config_vendors import is_private
from icp.errors import ConfigError
from icp.sources.oauth import TokenRefused, ask_for_token, clock_of, signed

VENDOR = "Salesforce"
VALID_SECONDS = 180
"""How long an assertion stands; Salesforce takes none that stands for more than five minutes."""


class Login:
    """A session with one org, opened when it is first needed and again when it has run out."""

    def __init__(self, settings: SalesforceLogin) -> None:
        self.settings = settings
        self._held: tuple[str, str] | None = None

    def token(self, fresh: bool) -> str:
        """The session's token.

        Raises:
            Again: Salesforce cannot be reached.
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
        settings = self.settings
        url = f"{settings.login_url}/services/oauth2/token"
        form = self._signed(url) if settings.login == "jwt" else self._secret()
        answer = ask_for_token(VENDOR, url, form, settings.retry.timeout_seconds)
        if isinstance(answer, TokenRefused):
            raise ConfigError(_refused(settings, answer))
        instance = str(answer.get("instance_url", ""))
        if not is_private(instance):
            raise ConfigError(f"Salesforce names no https address of the org (instance_url {instance[:60]!r}).")
        return str(answer["access_token"]), instance.rstrip("/")

    def _secret(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": secret(self.settings.client_id_env),
            "client_secret": secret(self.settings.client_secret_env),
        }

    def _signed(self, url: str) -> dict[str, str]:
        """An assertion that is valid for minutes, by Salesforce's clock: a wrong one here does not matter."""
        settings = self.settings
        who = {"iss": secret(settings.client_id_env), "sub": secret(settings.username_env), "aud": settings.audience}
        key = private_key(settings.private_key_env)
        ends = clock_of(url, settings.retry.timeout_seconds).timestamp() + VALID_SECONDS
        try:
            assertion = signed({"alg": "RS256", "typ": "JWT"}, {**who, "exp": int(ends)}, key)
        except ValueError as problem:
            raise ConfigError(
                f"{settings.private_key_env}: {problem}. Make the certificate with RSA, 2048 bits."
            ) from None
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}


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


def _refused(settings: SalesforceLogin, answer: TokenRefused) -> str:
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
