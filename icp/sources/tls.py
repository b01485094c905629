"""The certificates vendors are checked against."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """What httpx trusts by itself, read once a process: that costs more than many a call."""
    return httpx.create_ssl_context()
