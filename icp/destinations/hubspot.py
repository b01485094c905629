"""HubSpot companies: batches of 100, 207 with an error per row, 400 for a whole batch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from icp.config import secret
from icp.config_destinations import HubSpotDestination
from icp.destinations.crm import Connection, WritingManners
from icp.destinations.destination import RESUME, SHOWN, Rejected, Room, Takes, Values, Written, as_text
from icp.errors import ConfigError
from icp.sources.http_client import VendorClient
from icp.sources.hubspot_api import HubSpotManners

TAKES: Takes = "fields"

PROPERTIES: dict[str, dict[str, str]] = {
    "icp_fit_score": {"label": "ICP fit score", "type": "number", "fieldType": "number"},
    "icp_reasons": {"label": "ICP reasons", "type": "string", "fieldType": "textarea"},
    "icp_version": {"label": "ICP version", "type": "string", "fieldType": "text"},
    "icp_scored_on": {"label": "ICP scored on", "type": "date", "fieldType": "date"},
}
"""Properties of our own that are created on request; any other is made as a text."""


class _Manners(WritingManners, HubSpotManners):
    """HubSpot's, where it is written to."""


def opened(section: HubSpotDestination, room: Room) -> HubSpot:
    """The portal, ready to be asked."""
    manners = _Manners(section.calls_per_10_seconds, section.token_env)
    token = secret(section.token_env)
    client = VendorClient("HubSpot", section.base_url, section.retry, lambda fresh: token, manners=manners)
    return HubSpot(Connection(client), section.api_version)


class HubSpot:
    """A HubSpot portal."""

    batch = 100
    remedy = "apply with --create-properties, or make them there"

    def __init__(self, connection: Connection, version: str) -> None:
        self._connection = connection
        self.close = connection.close
        objects, properties = (
            ("v3/objects", "v3/properties") if version == "v3" else (f"objects/{version}", f"properties/{version}")
        )
        self._objects, self._properties = f"/crm/{objects}/companies", f"/crm/{properties}/companies"

    @property
    def calls(self) -> int:
        return self._connection.calls

    def lacking(self, columns: Sequence[str]) -> tuple[str, ...]:
        answer = self._asked("GET", self._properties)
        there = {entry["name"] for entry in answer.get("results", [])}
        return tuple(name for name in columns if name not in there)

    def create(self, columns: Sequence[str]) -> None:
        for name in columns:
            usual = {"label": name.replace("_", " "), "type": "string", "fieldType": "text"}
            body = {"name": name, "groupName": "companyinformation", **PROPERTIES.get(name, usual)}
            status, content = self._connection.send("POST", self._properties, body)
            if status >= 400:
                raise ConfigError(f"HubSpot did not create the property {name}: {_message(content)}. {RESUME}")

    def read(self, accounts: Sequence[str], columns: Sequence[str]) -> dict[str, Values]:
        body = {"properties": list(columns), "inputs": [{"id": id_} for id_ in accounts]}
        answer = self._asked("POST", f"{self._objects}/batch/read", body)
        return {
            str(record["id"]): {name: as_text(record["properties"].get(name)) for name in columns}
            for record in answer.get("results", [])
        }

    def write(self, rows: Mapping[str, Values], trace: str) -> Written | Rejected:
        inputs = [
            {
                "id": id_,
                "properties": {name: "" if value is None else value for name, value in values.items()},
                "objectWriteTraceId": f"{trace}-{id_}",
            }
            for id_, values in rows.items()
        ]
        status, content = self._connection.send("POST", f"{self._objects}/batch/update", {"inputs": inputs})
        if status >= 400:
            return Rejected(_message(content), _culprit(content, rows))
        done: dict[str, str | None] = {str(record["id"]): None for record in content.get("results", [])}
        for error in content.get("errors", []):
            done |= dict.fromkeys(_accounts(error, rows), _message(error))
        return Written(done)

    def _asked(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        status, content = self._connection.ask(method, path, body)
        if status >= 400 or not isinstance(content, dict):
            raise ConfigError(f"HubSpot refused {method} {path}: {_message(content)}. {RESUME}")
        return content


def _accounts(error: Mapping[str, Any], rows: Mapping[str, Values]) -> list[str]:
    """Whom an error is about: by trace, by id, or by the id in its words."""
    context = error.get("context") or {}
    traces = [str(trace).rpartition("-")[2] for trace in context.get("objectWriteTraceId", [])]
    named = [*traces, *map(str, context.get("ids", [])), *re.findall(r"\d+", str(error.get("message", "")))]
    return [id_ for id_ in dict.fromkeys(named) if id_ in rows]


def _culprit(content: Any, rows: Mapping[str, Values]) -> str | None:
    """The one account a refusal names; None when it names none or several."""
    if not isinstance(content, dict):
        return None
    named = {id_ for error in (content, *content.get("errors", [])) for id_ in _accounts(error, rows)}
    return named.pop() if len(named) == 1 else None


def _message(content: Any) -> str:
    return str(content.get("message", content) if isinstance(content, dict) else content)[:SHOWN]
