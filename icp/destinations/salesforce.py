"""Salesforce accounts: sObject Collections of 200, each row with a result of its own (`allOrNone` is false).

A checkbox is never empty there: unticked counts as nothing, so that nobody is written `false` who never was anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from icp.config_destinations import SalesforceDestination
from icp.destinations.crm import Connection, WritingManners
from icp.destinations.destination import RESUME, SHOWN, Rejected, Room, Takes, Values, Written, as_text
from icp.errors import ConfigError
from icp.sources.http_client import VendorClient
from icp.sources.salesforce_api import SalesforceManners
from icp.sources.salesforce_login import VENDOR, Login

TAKES: Takes = "fields"


class _Manners(WritingManners, SalesforceManners):
    """Salesforce's, where it is written to."""

    more_rights = "Give the integration user's permission set the right to edit it."


def opened(section: SalesforceDestination, room: Room) -> Salesforce:
    """The org, logged in to when it is first asked."""
    manners, login = _Manners(section.calls_per_10_seconds, section.client_id_env), Login(section)
    client = VendorClient(VENDOR, lambda: login.instance_url, section.retry, login.token, manners=manners)
    return Salesforce(Connection(client), section.api_version)


class Salesforce:
    """A Salesforce org; the fields are custom fields of Account that an administrator has made."""

    batch = 200
    remedy = "make them as custom fields of Account in Setup (Object Manager) and let the integration user edit them"

    def __init__(self, connection: Connection, version: str) -> None:
        self._connection, self._data = connection, f"/services/data/{version}"
        self._types: dict[str, str] = {}
        self.close = connection.close

    @property
    def calls(self) -> int:
        return self._connection.calls

    def lacking(self, columns: Sequence[str]) -> tuple[str, ...]:
        status, content = self._connection.ask("GET", f"{self._data}/sobjects/Account/describe")
        if status >= 400:
            raise ConfigError(f"Salesforce did not describe Account: {_message(content)}. {RESUME}")
        writable = {field["name"]: field["type"] for field in content["fields"] if field.get("updateable", True)}
        self._types = {name: writable[name] for name in columns if name in writable}
        return tuple(name for name in columns if name not in writable)

    def create(self, columns: Sequence[str]) -> None:
        told = ", ".join(columns)
        raise ConfigError(f"Salesforce lacks {told}; fields are not created from here: {self.remedy}. {RESUME}")

    def read(self, accounts: Sequence[str], columns: Sequence[str]) -> dict[str, Values]:
        body = {"ids": list(accounts), "fields": ["Id", *columns]}
        status, content = self._connection.ask("POST", f"{self._data}/composite/sobjects/Account", body)
        if status >= 400:
            raise ConfigError(f"Salesforce did not read accounts: {_message(content)}. {RESUME}")
        return {r["Id"]: {name: self._text(name, r.get(name)) for name in columns} for r in content if r}

    def write(self, rows: Mapping[str, Values], trace: str) -> Written | Rejected:
        records = [
            {"attributes": {"type": "Account"}, "id": id_, **{n: self._typed(n, v) for n, v in values.items()}}
            for id_, values in rows.items()
        ]
        body = {"allOrNone": False, "records": records}
        status, content = self._connection.send("PATCH", f"{self._data}/composite/sobjects", body)
        if status >= 400 or not isinstance(content, list):
            return Rejected(_message(content))
        # results come in the order of the records; one that failed may carry no id
        return Written({id_: _error(result) for id_, result in zip(rows, content, strict=False)})

    def _text(self, name: str, value: Any) -> str | None:
        return None if value is False and self._types.get(name) == "boolean" else as_text(value)

    def _typed(self, name: str, value: str | None) -> Any:
        kind = self._types.get(name)
        if kind == "boolean":
            return value == "true"
        return float(value) if value is not None and kind in ("double", "int", "percent", "currency") else value


def _error(result: Mapping[str, Any]) -> str | None:
    return None if result.get("success") else _message(result.get("errors"))


def _message(content: Any) -> str:
    errors = content if isinstance(content, list) else [content]
    told = [
        f"{e.get('statusCode') or e.get('errorCode', '')} {e.get('message', '')}".strip()
        for e in errors
        if isinstance(e, dict)
    ]
    return ("; ".join(told) or str(content))[:SHOWN]
