"""Salesforce's REST and Bulk API 2.0 over a portal: logins, queries, jobs. When a fault happens is the server's business."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from icp.fake_vendors.org import Org, Wrong
from icp.fake_vendors.portal import Record
from icp.fake_vendors.protocol import Call, Reply, Served, bearer

DATA = re.compile(r"^/services/data/v\d\d\.0(/.*)$")
LONGEST_ASSERTION = 300
FAULTS = ("concurrent_limit", "job_failed", "job_aborted")
"""Faults only Salesforce knows; `job_failed` and `job_aborted` end the job that call asks about."""
REPEAT = "~"


def _said(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, [{"message": message, "errorCode": code}], headers or {})


REFUSALS = {
    "429": _said(429, "TOO_MANY_REQUESTS", "Slow down.", {"Retry-After": "0"}),
    "429_no_retry_after": _said(429, "TOO_MANY_REQUESTS", "Slow down."),
    "500": _said(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    "daily_limit": _said(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    "concurrent_limit": _said(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded."),
    "missing_scope": _said(403, "INSUFFICIENT_ACCESS", "insufficient access rights on cross-reference id"),
    "token_expiry": _said(401, "INVALID_SESSION_ID", "Session expired or invalid"),
}


@dataclass
class OrgRules:
    """What is particular about an org.

    Attributes:
        client_id, client_secret: The connected app.
        username, public_key: Whose signed assertions (`jwt`) are accepted; a key in PEM.
        rest_page: Records of a page of a REST query.
        bulk: Whether the org may use Bulk jobs.
        polls: How often a job says that it is not ready yet.
        hidden, tracked: Fields the user may not read, and those with history.
        daily_calls: Calls the org may make a day; None for as many as it likes.
    """

    client_id: str = "fake-client"
    client_secret: str = "fake-secret"
    username: str = ""
    public_key: bytes = b""
    rest_page: int = 2000
    bulk: bool = True
    polls: int = 1
    hidden: frozenset[str] = frozenset()
    tracked: frozenset[str] = frozenset({"NumberOfEmployees", "BillingCity", "Industry"})
    daily_calls: int | None = None


@dataclass
class _Job:
    names: list[str]
    rows: list[Record]
    polled: int = 0


@dataclass
class Salesforce:
    """Salesforce as the server speaks it. A query keeps the rows it had when it was asked first, as the vendor's does."""

    rules: OrgRules
    jobs: dict[str, _Job] = field(default_factory=dict)
    cursors: dict[str, _Job] = field(default_factory=dict)
    used: int = 0

    def speaks(self, path: str) -> bool:
        return path.startswith("/services/")

    def login(self, server: Served, call: Call) -> Reply | None:
        if call.path != "/services/oauth2/token":
            return None
        problem = (
            self._assertion(server, call.body)
            if call.body.get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            else self._client(call.body)
        )
        if problem:
            return Reply(400, {"error": problem[0], "error_description": problem[1]})
        return Reply(200, {"access_token": server.renew(), "instance_url": server.url, "token_type": "Bearer"})

    def credentials(self, call: Call) -> str:
        return bearer(call)

    def limits(self, most: int, left: int, seconds: float) -> dict[str, str]:
        self.used += 1
        return {"Sforce-Limit-Info": f"api-usage={self.used}/{self.rules.daily_calls or 100_000}"}

    def refusal(self, fault: str) -> Reply:
        return REFUSALS[fault]

    def answer(self, server: Served, call: Call, fault: str | None) -> Reply:
        if fault == "concurrent_limit":
            return REFUSALS[fault]
        org = Org(server.portal, self.rules.hidden, self.rules.tracked)
        match = DATA.match(call.path)
        try:
            reply = self._answer(org, match[1] if match else "", call, fault)
        except Wrong as problem:
            return _said(400, problem.code, str(problem))
        return _changed(reply) if fault == "schema_change" else reply

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _answer(self, org: Org, path: str, call: Call, fault: str | None) -> Reply:
        if match := re.match(r"^/sobjects/(\w+)/describe$", path):
            return _described(org, match[1])
        if path in ("/query", "/queryAll"):
            return self._query(org, call, twice=fault == "duplicate_page")
        if match := re.match(r"^/query/(\w+)-(\d+)(~?)$", path):
            twice = fault == "duplicate_page" and not match[3]
            return self._page(call.path, match[1], int(match[2]), twice=twice)
        if path == "/jobs/query" and call.method == "POST":
            return self._start(org, call.body)
        if match := re.match(r"^/jobs/query/(\w+)(/results)?$", path):
            job = self.jobs[match[1]]
            return _results(job, call.query, twice=fault == "duplicate_page") if match[2] else self._state(job, fault)
        return _said(404, "NOT_FOUND", "The requested resource does not exist")

    def _query(self, org: Org, call: Call, *, twice: bool) -> Reply:
        sobject, names, rows = org.rows(call.query["q"], bulk=False)
        nested = [_nested(sobject, row) for row in rows]
        number = f"01g{len(self.cursors):015d}"
        self.cursors[number] = _Job(names, nested)
        return self._page(call.path, number, 0, twice=twice)

    def _page(self, path: str, number: str, start: int, *, twice: bool) -> Reply:
        rows, end = self.cursors[number].rows, start + self.rules.rest_page
        page: dict[str, Any] = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        root = path[: path.index("/query")]
        if twice:
            page |= {"done": False, "nextRecordsUrl": f"{root}/query/{number}-{start}{REPEAT}"}
        elif end < len(rows):
            page["nextRecordsUrl"] = f"{root}/query/{number}-{end}"
        return Reply(200, page)

    def _start(self, org: Org, body: Mapping[str, Any]) -> Reply:
        if not self.rules.bulk:
            return _said(403, "API_DISABLED_FOR_ORG", "The Bulk API is disabled for this organization or user.")
        sobject, names, rows = org.rows(str(body["query"]), bulk=True)
        number = f"750{len(self.jobs):015d}"
        self.jobs[number] = _Job(names, rows)
        return Reply(200, {"id": number, "object": sobject, "operation": body["operation"], "state": "UploadComplete"})

    def _state(self, job: _Job, fault: str | None) -> Reply:
        job.polled += 1
        if fault in ("job_failed", "job_aborted"):
            ended = {"job_failed": "Failed", "job_aborted": "Aborted"}[fault]
            return Reply(200, {"state": ended, "errorMessage": "InternalServerError : Retried more than 20 times"})
        if job.polled <= self.rules.polls:
            return Reply(200, {"state": "InProgress"})
        return Reply(200, {"state": "JobComplete", "numberRecordsProcessed": len(job.rows)})

    def _client(self, form: Mapping[str, Any]) -> tuple[str, str] | None:
        if form.get("client_id") != self.rules.client_id:
            return "invalid_client_id", "client identifier invalid"
        return None if form.get("client_secret") == self.rules.client_secret else ("invalid_client", "invalid secret")

    def _assertion(self, server: Served, form: Mapping[str, Any]) -> tuple[str, str] | None:
        said, _, signature = str(form.get("assertion", "")).rpartition(".")
        claims = json.loads(_decoded(said.partition(".")[2]))
        if not _is_signed(self.rules.public_key, said.encode(), _decoded(signature)):
            return "invalid_grant", "invalid assertion"
        left = claims["exp"] - server.portal.now.timestamp()
        if not 0 < left <= LONGEST_ASSERTION:
            return "invalid_grant", "assertion is expired or too far in the future"
        who = (claims["iss"], claims["sub"])
        return None if who == (self.rules.client_id, self.rules.username) else ("invalid_grant", "user hasn't approved")


def _described(org: Org, sobject: str) -> Reply:
    from icp.fake_vendors.org import REFERENCES

    known = org.fields(sobject)
    if not known:
        return _said(404, "NOT_FOUND", "The requested resource does not exist")
    fields = []
    for name, (_, kind) in sorted(known.items()):
        relation, to = REFERENCES.get(name, (None, None))
        fields.append({"name": name, "type": kind, "relationshipName": relation, "referenceTo": [to] if to else []})
    return Reply(200, {"name": sobject, "fields": fields})


def _results(job: _Job, query: Mapping[str, str], *, twice: bool) -> Reply:
    locator = query.get("locator", "")
    start, most = int(locator.rstrip(REPEAT) or 0), int(query.get("maxRecords", "50000"))
    rows = job.rows[start : start + most]
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(job.names)
    writer.writerows(["" if row[name] is None else row[name] for name in job.names] for row in rows)
    after = str(start + most) if start + most < len(job.rows) else "null"
    if twice and not locator.endswith(REPEAT):
        after = f"{start}{REPEAT}"
    headers = {"Sforce-Locator": after, "Sforce-NumberOfRecords": str(len(rows))}
    return Reply(200, out.getvalue(), headers, kind="text/csv")


def _nested(sobject: str, row: Record) -> Record:
    """A row with its relations as objects of their own, as REST writes them."""
    record: Record = {"attributes": {"type": sobject}}
    for path, value in row.items():
        first, _, rest = path.partition(".")
        if not rest:
            record[path] = value
        elif value is None and not isinstance(record.get(first), dict):
            record[first] = None
        else:
            record[first] = {**(record.get(first) or {}), rest: value}
    return record


def _changed(reply: Reply) -> Reply:
    """The answer in another shape: a list under another name, a column that is gone."""
    if isinstance(reply.content, str):
        rows = list(csv.reader(io.StringIO(reply.content)))
        out = io.StringIO()
        csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(row[:-1] for row in rows)
        return Reply(reply.status, out.getvalue(), reply.headers, reply.kind)
    if not isinstance(reply.content, dict):
        return reply
    renamed = {"records": "items", "fields": "columns", "id": "number", "state": "status"}
    return Reply(reply.status, {renamed.get(n, n): v for n, v in reply.content.items()}, reply.headers, reply.kind)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _is_signed(public_key: bytes, said: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = serialization.load_pem_public_key(public_key)
    assert isinstance(key, rsa.RSAPublicKey)
    try:
        key.verify(signature, said, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
