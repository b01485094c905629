"""HubSpot's CRM protocol over a portal: what each call answers. When a fault happens is the server's business."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from icp.config_vendors import HUBSPOT_TABLES
from icp.fake_vendors.portal import Portal, Record
from icp.fake_vendors.protocol import Call, Reply, Served, bearer

OBJECTS = re.compile(r"^/crm/(?:v3/objects|objects/2026-0[39])/(companies|deals|contacts)(/search|/batch/read)?$")
ASSOCIATIONS = re.compile(r"^/crm/(?:v4/associations|associations/2026-0[39])/deals/companies/batch/read$")
PROPERTIES = re.compile(r"^/crm/(?:v3/properties|properties/2026-0[39])/(companies|deals|contacts)$")
LONGEST_SEARCH = 10_000
TABLES = {"companies": "accounts", "deals": "opportunities", "contacts": "contacts"}
STANDARD = {
    kind: frozenset(
        p.removeprefix("properties.") for p in HUBSPOT_TABLES[table].values() if p.startswith("properties.")
    )
    for kind, table in TABLES.items()
}
"""Properties every portal has, whether its records know them or not."""
REPEAT = "~"
Answer = tuple[int, dict[str, Any]]
LIMITED = {"status": "error", "errorType": "RATE_LIMIT", "message": "You have reached your limit."}
REFUSALS = {
    "429": Reply(429, {**LIMITED, "policyName": "SECONDLY"}, {"Retry-After": "0"}),
    "429_no_retry_after": Reply(429, {**LIMITED, "policyName": "SECONDLY"}),
    "daily_limit": Reply(429, {**LIMITED, "policyName": "DAILY"}),
    "500": Reply(500, {"status": "error", "message": "internal error"}),
    "missing_scope": Reply(403, {"status": "error", "message": "This app lacks a scope", "category": "MISSING_SCOPES"}),
    "token_expiry": Reply(
        401, {"status": "error", "message": "The token is expired or wrong", "category": "EXPIRED_AUTHENTICATION"}
    ),
}


class HubSpot:
    """HubSpot as the server speaks it."""

    def speaks(self, path: str) -> bool:
        return path.startswith(("/crm/", "/oauth/v1/"))

    def login(self, server: Served, call: Call) -> Reply | None:
        is_token = call.path == "/oauth/v1/token"
        return Reply(200, {"access_token": server.renew(), "expires_in": 1800}) if is_token else None

    def credentials(self, call: Call) -> str:
        return bearer(call)

    def limits(self, most: int, left: int, seconds: float) -> dict[str, str]:
        return {
            "X-HubSpot-RateLimit-Max": str(most),
            "X-HubSpot-RateLimit-Remaining": str(left),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(seconds * 1000)),
        }

    def refusal(self, fault: str) -> Reply:
        return REFUSALS[fault]

    def answer(self, server: Served, call: Call, fault: str | None) -> Reply:
        twice = fault == "duplicate_page"
        status, content = answer(server.portal, call.path, call.query, call.body, twice=twice)
        if fault == "schema_change":
            content = {"items": content.pop("results", []), **content}
        return Reply(status, content)


def answer(
    portal: Portal, path: str, query: Mapping[str, str], body: Mapping[str, Any], *, twice: bool = False
) -> Answer:
    """Status and JSON of one call; `twice` makes a list send the same page again as its next one."""
    if match := PROPERTIES.match(path):
        there = STANDARD[match[1]].union(portal.property_names(match[1]))
        return 200, {"results": [{"name": name} for name in sorted(there)]}
    if ASSOCIATIONS.match(path):
        return _associations(portal, body)
    if match := OBJECTS.match(path):
        kinds: dict[str, Callable[[], Answer]] = {
            "": lambda: _list(portal, match[1], query, twice),
            "/search": lambda: _search(portal, match[1], body),
            "/batch/read": lambda: _batch(portal, match[1], query, body),
        }
        return kinds[match[2] or ""]()
    return 404, {"status": "error", "message": f"no route {path}", "category": "OBJECT_NOT_FOUND"}


def _list(portal: Portal, kind: str, query: Mapping[str, str], twice: bool) -> Answer:
    limit, start = int(query.get("limit", "10")), query.get("after", "0")
    if limit > 100:
        return _bad(f"limit {limit} is above 100")
    records = portal.records(kind, archived=query.get("archived") == "true")
    begin = bisect_left(records, int(start.rstrip(REPEAT)), key=lambda record: int(record["id"]))
    rest = records[begin : begin + limit + 1]
    names = [name for name in query.get("properties", "").split(",") if name]
    page: dict[str, Any] = {"results": [_shown(kind, record, names) for record in rest[:limit]]}
    if twice and not start.endswith(REPEAT):
        page["paging"] = {"next": {"after": start + REPEAT}}
    elif len(rest) > limit:
        page["paging"] = {"next": {"after": rest[limit]["id"]}}
    return 200, page


def _search(portal: Portal, kind: str, body: Mapping[str, Any]) -> Answer:
    limit, start = int(body.get("limit", 10)), int(body.get("after", 0))
    if limit > 200 or start + limit > LONGEST_SEARCH:
        return _bad("a search answers 200 rows a page and 10,000 in all")
    found = portal.records(kind, archived=False)
    for group in body.get("filterGroups", [])[:1]:
        for rule in group["filters"]:
            found = [record for record in found if _holds(record, rule)]
    page: dict[str, Any] = {
        "total": len(found),
        "results": [_shown(kind, record, body.get("properties", [])) for record in found[start : start + limit]],
    }
    if len(found) > start + limit:
        page["paging"] = {"next": {"after": str(start + limit)}}
    return 200, page


def _batch(portal: Portal, kind: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
    wanted = {str(entry["id"]) for entry in body.get("inputs", [])}
    past = body.get("propertiesWithHistory", [])
    most = 50 if past else 100
    if len(wanted) > most:
        return _bad(f"a batch holds {most} ids")
    records = portal.some(kind, wanted, archived=query.get("archived") == "true")
    found = [_shown(kind, record, body.get("properties", [])) for record in records]
    if past:
        found = [{**r, "propertiesWithHistory": {n: portal.history(kind, r["id"], n) for n in past}} for r in found]
    return 200, {"status": "COMPLETE", "results": found}


def _associations(portal: Portal, body: Mapping[str, Any]) -> Answer:
    wanted = {str(entry["id"]) for entry in body.get("inputs", [])}
    deals = [*portal.records("deals", archived=False), *portal.records("deals", archived=True)]
    results = []
    for deal in deals:
        linked = ((deal.get("associations") or {}).get("companies") or {}).get("results") or []
        if deal["id"] in wanted and linked:
            results.append({"from": {"id": deal["id"]}, "to": [_link(i, entry) for i, entry in enumerate(linked)]})
    lacking = len(wanted) - len(results)
    return (207 if lacking else 200), {"status": "COMPLETE", "results": results, "numErrors": lacking}


def _link(index: int, entry: Mapping[str, Any]) -> dict[str, Any]:
    type_id = 5 if index == 0 else 341
    return {
        "toObjectId": int(entry["id"]),
        "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": type_id, "label": None}],
    }


def _shown(kind: str, record: Record, names: list[str]) -> Record:
    """Only the properties asked for; a property the portal does not have is left out, as HubSpot does."""
    held = record["properties"]
    shown = {name: held.get(name) for name in names if name in held or name in STANDARD[kind]}
    extra = {"archivedAt": record["archivedAt"]} if record.get("archivedAt") else {}
    return {"id": record["id"], "properties": shown, "archived": bool(record.get("archived")), **extra}


def _holds(record: Record, rule: Mapping[str, Any]) -> bool:
    if rule["propertyName"] == "hs_object_id":
        left, right = int(record["id"]), int(rule["value"])
    else:
        text = record["properties"].get(rule["propertyName"])
        left = int(datetime.fromisoformat(text).timestamp() * 1000) if text else 0
        right = int(rule["value"])
    return {"GTE": left >= right, "GT": left > right, "LT": left < right, "LTE": left <= right}[rule["operator"]]


def _bad(message: str) -> Answer:
    return 400, {"status": "error", "message": message, "category": "VALIDATION_ERROR"}
