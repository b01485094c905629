"""Login of a Google service account: a signed statement (JWT, RFC 7523) is exchanged for an access token.

The statement is dated by Google's clock, read from the answer to an empty request: a wrong clock here does not matter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from icp.config import secret
from icp.config_vendors import is_private
from icp.errors import ConfigError
from icp.sources.oauth import TokenRefused, ask_for_token, clock_of, signed

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE_SECONDS = 3600


def access_token(key_env: str, scope: str, timeout: float) -> str:
    """A new access token.

    Raises:
        ConfigError: The key is missing or broken, or Google refuses it.
        Again: Google does not answer.
    """
    key = read_key(key_env)
    url = str(key["token_uri"])
    form = {"grant_type": GRANT, "assertion": assertion(key, scope, clock_of(url, timeout))}
    told = ask_for_token("Google", url, form, timeout)
    if isinstance(told, TokenRefused):
        why = (told.said or told.error or str(told.status))[:200]
        raise ConfigError(f"Google refused the key of {key['client_email']}: {why}. Make a new key of the account.")
    return str(told["access_token"])


def read_key(key_env: str) -> Mapping[str, Any]:
    """The service account's key: the variable holds its file's path, or the JSON itself.

    Raises:
        ConfigError: It is not set, cannot be read or is no service account's key. Nothing of the key is repeated.
    """
    text = secret(key_env)
    if not text.startswith("{"):
        file = Path(text).expanduser()
        if not file.is_file():
            raise ConfigError(f"{key_env} names a file that does not exist. Put the path of the key's JSON file there.")
        text = file.read_text(encoding="utf-8")
    try:
        key = json.loads(text)
    except ValueError:
        raise ConfigError(f"{key_env}: the key is no JSON. Download it again (service account, Keys, JSON).") from None
    lacking = [
        name for name in ("client_email", "private_key", "token_uri") if not (isinstance(key, dict) and key.get(name))
    ]
    if lacking:
        raise ConfigError(f"{key_env}: the key lacks {', '.join(lacking)}. It must be that of a service account.")
    if not is_private(str(key["token_uri"])):
        raise ConfigError(f"{key_env}: the key's token_uri must be https. Download the key again.")
    return dict(key)


def assertion(key: Mapping[str, Any], scope: str, moment: datetime) -> str:
    """The signed statement: who asks for what, valid for an hour from `moment` (RS256)."""
    issued = int(moment.timestamp())
    claims = {
        "iss": key["client_email"],
        "scope": scope,
        "aud": key["token_uri"],
        "iat": issued,
        "exp": issued + LIFE_SECONDS,
    }
    header = {"alg": "RS256", "typ": "JWT", "kid": key.get("private_key_id", "")}
    try:
        return signed(header, claims, str(key["private_key"]).encode())
    except ValueError as problem:
        raise ConfigError(f"The service account's key: {problem}. Download it again.") from None
