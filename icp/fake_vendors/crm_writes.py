"""A CRM that can be written to, in HubSpot's and in Salesforce's protocol, with bad rows and seeded faults.

Faults strike before a call is carried out (`429`, `500`) or after it (`lost`: it is done, but the caller hears nothing in time).
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal
from urllib.parse import parse_qs

from icp.fake_vendors.loopback import LoopbackServer, answering

Refusal = Literal["row", "batch", "unnamed"]
_HUBSPOT = re.compile(r"^/crm/(?:v3/|[a-z]+/2026-0[39]/)?(?:objects/)?companies(/batch/read|/batch/update)?$")
_SALESFORCE = re.compile(r"^/services/data/v[0-9.]+/(sobjects/Account/describe|composite/sobjects(?:/Account)?)$")


@dataclass
class WritableCrm:
    """The CRM's state and manners.

    Attributes:
        records: By account its properties; None is empty.
        properties: Names of the properties there are.
        bad: Accounts whose write is refused: alone (`row`), with the whole batch and named (`batch`), or unnamed.
        fault_rate: Share of calls that go wrong, in equal parts 429, 500 and lost answers.
        lost_seconds: How long a lost answer keeps the caller waiting.
    """

    records: dict[str, dict[str, Any]]
    properties: set[str]
    bad: Mapping[str, Refusal] = field(default_factory=dict)
    fault_rate: float = 0.0
    lost_seconds: float = 0.3
    token: str = "fake-token"
    client_secret: str = "fake-secret"
    logins: int = 0
    seed: int = 0
    faults: Mapping[int, str] = field(default_factory=dict)
    calls: int = 0
    writes: int = 0
    before_write: Callable[[int], None] = lambda number: None
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def fault(self) -> str | None:
        """What goes wrong with the call that comes in now."""
        with self.lock:
            self.calls += 1
            if self.calls in self.faults:
                return self.faults[self.calls]
            rng = random.Random(self.seed * 1_000_003 + self.calls)
            return rng.choice(("429", "500", "lost")) if rng.random() < self.fault_rate else None

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Carry a call out."""
        with self.lock:
            if "/properties/" in path or path.startswith("/crm/properties"):
                return self._properties(method, body)
            if match := _HUBSPOT.match(path.replace("/crm/v3/objects/", "/crm/objects/")):
                return self._hubspot_read(body) if match[1] == "/batch/read" else self._hubspot_write(body)
            if match := _SALESFORCE.match(path):
                kinds = {"sobjects/Account/describe": self._describe, "composite/sobjects/Account": self._retrieve}
                return kinds.get(match[1], self._collections)(body)
            return 404, {"message": f"no route {path}"}

    def log_in(self, form: str, address: str) -> tuple[int, Any]:
        """Salesforce's token for the client's key and secret; every login gives a new one, the old one has run out."""
        said = {name: values[0] for name, values in parse_qs(form).items()}
        if (said.get("grant_type"), said.get("client_secret")) != ("client_credentials", self.client_secret):
            return 400, {"error": "invalid_client", "error_description": "invalid client credentials"}
        self.logins += 1
        self.token = f"session-{self.logins}"
        return 200, {"access_token": self.token, "instance_url": address}

    # -- HubSpot -------------------------------------------------------------------------------------------------------

    def _properties(self, method: str, body: Any) -> tuple[int, Any]:
        if method == "POST":
            self.properties.add(body["name"])
            return 201, body
        return 200, {"results": [{"name": name} for name in sorted(self.properties)]}

    def _hubspot_read(self, body: Any) -> tuple[int, Any]:
        wanted = [entry["id"] for entry in body["inputs"]]
        if len(wanted) > 100:
            return 400, {"message": "a batch holds 100 ids"}
        found = [
            {"id": id_, "properties": {n: self.records[id_].get(n) for n in body["properties"]}}
            for id_ in wanted
            if id_ in self.records
        ]
        lacking = len(wanted) - len(found)
        return (207 if lacking else 200), {"status": "COMPLETE", "results": found, "numErrors": lacking}

    def _hubspot_write(self, body: Any) -> tuple[int, Any]:
        inputs = body["inputs"]
        if len(inputs) > 100 or len({entry["id"] for entry in inputs}) < len(inputs):
            return 400, {"message": "Duplicate IDs or more than 100 inputs"}
        unknown = {name for entry in inputs for name in entry["properties"]} - self.properties
        if unknown:
            return 400, {"message": f"Property values were not valid: {sorted(unknown)} PROPERTY_DOESNT_EXIST"}
        if (refusal := self._spoiled(inputs)) is not None:
            return 400, {"message": refusal}
        self._count_write()
        errors = []
        done = []
        for entry in inputs:
            if entry["id"] not in self.records or self.bad.get(entry["id"]) == "row":
                context = {"objectWriteTraceId": [entry["objectWriteTraceId"]], "ids": [entry["id"]]}
                errors.append({"status": "error", "message": "This row cannot be updated", "context": context})
                continue
            for name, value in entry["properties"].items():
                self.records[entry["id"]][name] = value or None
            done.append({"id": entry["id"]})
        return (207 if errors else 200), {
            "status": "COMPLETE",
            "results": done,
            "numErrors": len(errors),
            "errors": errors,
        }

    def _spoiled(self, inputs: list[dict[str, Any]]) -> str | None:
        for entry in inputs:
            how = self.bad.get(entry["id"])
            if how in ("batch", "unnamed"):
                return "Property values were not valid" + (f" for object {entry['id']}" if how == "batch" else "")
        return None

    # -- Salesforce ----------------------------------------------------------------------------------------------------

    def _describe(self, body: Any) -> tuple[int, Any]:
        return 200, {"fields": [{"name": n, "type": _salesforce_type(n), "updateable": True} for n in self.properties]}

    def _retrieve(self, body: Any) -> tuple[int, Any]:
        return 200, [
            {"Id": id_, **{name: self.records[id_].get(name) for name in body["fields"][1:]}}
            if id_ in self.records
            else None
            for id_ in body["ids"]
        ]

    def _collections(self, body: Any) -> tuple[int, Any]:
        if len(body["records"]) > 200:
            return 400, [{"errorCode": "EXCEEDED_ID_LIMIT", "message": "record limit reached: 200"}]
        self._count_write()
        results = []
        for record in body["records"]:
            if record["id"] not in self.records or record["id"] in self.bad:
                error = {"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Not this one", "fields": []}
                results.append({"success": False, "errors": [error]})
                continue
            self.records[record["id"]].update({n: v for n, v in record.items() if n not in ("id", "attributes")})
            results.append({"id": record["id"], "success": True, "errors": []})
        return 200, results

    def _count_write(self) -> None:
        self.writes += 1
        self.before_write(self.writes)


def _salesforce_type(name: str) -> str:
    return "boolean" if "is_target" in name else "double" if "score__c" in name else "string"


class CrmServer(LoopbackServer):
    """A WritableCrm on a port of this machine."""

    def __init__(self, crm: WritableCrm) -> None:
        super().__init__(_Handler)
        self.crm = crm

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed or gave up is part of the play."""


def serving_crm(crm: WritableCrm) -> AbstractContextManager[CrmServer]:
    """The server on a free port while the block runs."""
    return answering(CrmServer(crm))


class _Handler(BaseHTTPRequestHandler):
    server: CrmServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the CRM counts calls."""

    def _serve(self) -> None:
        crm = self.server.crm
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/services/oauth2/token":
            return self._say(*crm.log_in(sent.decode(), f"http://{self.headers.get('Host')}"))
        body = json.loads(sent or b"{}")
        fault = crm.fault()
        if self.headers.get("Authorization") != f"Bearer {crm.token}":
            return self._say(401, {"message": f"wrong key {self.headers.get('Authorization')}"})
        if fault == "429":
            return self._say(429, {"policyName": "SECONDLY"}, {"Retry-After": "0.01"})
        if fault == "500":
            return self._say(500, {"message": "internal error"})
        status, content = crm.answer(self.command, self.path, body)
        if fault == "lost":
            time.sleep(crm.lost_seconds)
            self.close_connection = True
            return None
        return self._say(status, content)

    def _say(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(content).encode()
        try:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
