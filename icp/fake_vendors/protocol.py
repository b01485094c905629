"""What the server asks of every vendor's protocol it speaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from typing import Protocol as Interface

from icp.fake_vendors.portal import Portal


@dataclass(frozen=True)
class Call:
    """One request: method, path, query, body (JSON or a form) and headers."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer: text as it is, anything else as JSON."""

    status: int
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json"

    @property
    def data(self) -> bytes:
        """The body."""
        return self.content.encode() if isinstance(self.content, str) else json.dumps(self.content).encode()


class Served(Interface):
    """What a protocol may use of the server."""

    portal: Portal
    token: str

    @property
    def url(self) -> str: ...

    def renew(self) -> str: ...


class Protocol(Interface):
    """One vendor's protocol."""

    def speaks(self, path: str) -> bool:
        """Whether a path belongs to this vendor."""
        ...

    def login(self, server: Served, call: Call) -> Reply | None:
        """The answer to a call for a token; None for every other call."""
        ...

    def credentials(self, call: Call) -> str:
        """The token or key a call carries."""
        ...

    def limits(self, most: int, left: int, seconds: float) -> dict[str, str]:
        """The headers that tell a caller its limits."""
        ...

    def refusal(self, fault: str) -> Reply:
        """How this vendor words a fault of the script, `token_expiry` included."""
        ...

    def answer(self, server: Served, call: Call, fault: str | None) -> Reply:
        """The answer to a call that is neither refused nor unauthorised; `duplicate_page` and `schema_change` spoil it."""
        ...


def bearer(call: Call) -> str:
    """The token of an `Authorization: Bearer` header."""
    return call.headers.get("Authorization", "").removeprefix("Bearer ")
