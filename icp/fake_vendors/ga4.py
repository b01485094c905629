"""GA4's Data API over the visits of a portal, and Google's login of service accounts."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from icp.fake_vendors.protocol import Call, Reply, Served, bearer
from icp.fake_vendors.visits import by_page

REPORT = re.compile(r"^/v1beta/properties/(\d+)(:runReport|/metadata)$")
DIMENSIONS = {
    "date": "day",
    "customEvent:company_domain": "company",
    "sessionDefaultChannelGroup": "channel",
    "pagePath": "path",
}
METRICS = {"sessions": "sessions", "screenPageViews": "views", "keyEvents": "key_events"}
TOKENS_A_DAY = 200_000
LONGEST_SKEW = 600


def _error(code: int, status: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(code, {"error": {"code": code, "message": message, "status": status}}, headers or {})


BUSY = "Exhausted concurrent requests quota. Please wait for the current requests to finish."
SPENT = "Exhausted property tokens per day. These quota tokens will return in under 24 hours."
REFUSALS = {
    "429": _error(429, "RESOURCE_EXHAUSTED", BUSY, {"Retry-After": "0"}),
    "429_no_retry_after": _error(429, "RESOURCE_EXHAUSTED", BUSY),
    "daily_limit": _error(429, "RESOURCE_EXHAUSTED", SPENT),
    "500": _error(500, "INTERNAL", "Internal error encountered."),
    "missing_scope": _error(403, "PERMISSION_DENIED", "User does not have sufficient permissions for this property."),
    "token_expiry": _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
}


class Ga4:
    """GA4 as the server speaks it."""

    def speaks(self, path: str) -> bool:
        return path.startswith("/v1beta/") or path == "/google/token"

    def login(self, server: Served, call: Call) -> Reply | None:
        if call.path != "/google/token":
            return None
        if call.method != "POST":
            return Reply(404, {"error": "not found"})
        why = _wrong(server, str(call.body.get("assertion", "")))
        if why:
            return Reply(400, {"error": "invalid_grant", "error_description": why})
        # the other vendors' keys are the same token: it is renewed only when it has run out
        return Reply(200, {"access_token": server.token or server.renew(), "expires_in": 3599, "token_type": "Bearer"})

    def credentials(self, call: Call) -> str:
        return bearer(call)

    def limits(self, most: int, left: int, seconds: float) -> dict[str, str]:
        return {}

    def refusal(self, fault: str) -> Reply:
        return REFUSALS[fault]

    def answer(self, server: Served, call: Call, fault: str | None) -> Reply:
        match = REPORT.match(call.path)
        if match is None:
            return _error(404, "NOT_FOUND", f"no route {call.path}")
        if match[2] == "/metadata":
            names = {"dimensions": DIMENSIONS, "metrics": METRICS}
            return Reply(200, {part: [{"apiName": name} for name in held] for part, held in names.items()})
        if fault == "shrinking_list":
            server.portal.visits.forget_one(server.portal.now)
        reply = _report(server, call.body, twice=fault == "duplicate_page")
        if fault == "schema_change" and reply.status == 200:
            return Reply(200, {**reply.content, "metricHeaders": reply.content["metricHeaders"][1:]})
        return reply


def service_account(url: str) -> dict[str, str]:
    """A service account's key that this server accepts, in the shape of Google's key files."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = _private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "type": "service_account",
        "client_email": "icp@fake-project.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": pem,
        "token_uri": f"{url}/google/token",
    }


@cache
def _private_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _wrong(server: Served, assertion: str) -> str:
    """Why a signed statement is refused; empty when it is good."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    head, _, signature = assertion.rpartition(".")
    try:
        _private_key().public_key().verify(_decoded(signature), head.encode(), PKCS1v15(), hashes.SHA256())
        claims = json.loads(_decoded(head.partition(".")[2]))
    except (InvalidSignature, ValueError):
        return "Invalid JWT Signature."
    if claims.get("aud") != f"{server.url}/google/token" or "analytics.readonly" not in claims.get("scope", ""):
        return "Invalid audience or scope."
    if abs(claims["iat"] - server.portal.now.timestamp()) > LONGEST_SKEW or claims["exp"] - claims["iat"] > 3600:
        return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
    return ""


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _report(server: Served, body: Mapping[str, Any], *, twice: bool) -> Reply:
    dimensions = [entry["name"] for entry in body.get("dimensions", [])]
    metrics = [entry["name"] for entry in body.get("metrics", [])]
    for kind, names, there in (("dimension", dimensions, DIMENSIONS), ("metric", metrics, METRICS)):
        for name in names:
            if name not in there:
                return _error(400, "INVALID_ARGUMENT", f"Field {name} is not a valid {kind}.")
    rows = _counted(server, body, dimensions, metrics)
    limit, offset = int(body.get("limit", 10_000)), int(body.get("offset", 0))
    begin = max(offset - limit, 0) if twice else offset
    page = rows.iloc[begin : begin + limit]
    content: dict[str, Any] = {
        "dimensionHeaders": [{"name": name} for name in dimensions],
        "metricHeaders": [{"name": name, "type": "TYPE_INTEGER"} for name in metrics],
        "metadata": {"currencyCode": "USD", "timeZone": server.portal.visits.zone},
        "propertyQuota": {"tokensPerDay": {"consumed": 10, "remaining": TOKENS_A_DAY - 10}},
        "kind": "analyticsData#runReport",
    }
    if len(page):  # an empty report has no `rows` at all
        content["rowCount"] = len(rows)
        content["rows"] = [_row(values, len(dimensions)) for values in page.itertuples(index=False, name=None)]
    return Reply(200, content)


def _counted(server: Served, body: Mapping[str, Any], dimensions: list[str], metrics: list[str]) -> pd.DataFrame:
    rows = server.portal.visits.at(server.portal.now)
    yesterday = server.portal.now.astimezone(ZoneInfo(server.portal.visits.zone)).date() - pd.Timedelta(days=1)
    (window,) = body["dateRanges"]
    first, last = (
        yesterday if text == "yesterday" else pd.Timestamp(text).date()
        for text in (window["startDate"], window["endDate"])
    )
    rows = rows.loc[pd.Series([first <= day <= last for day in rows["day"]], rows.index, dtype=bool)]
    rule = (body.get("dimensionFilter") or {}).get("filter")
    if rule or "pagePath" in dimensions:
        rows = by_page(rows)
    if rule:
        rows = rows[rows["path"].str.fullmatch(rule["stringFilter"]["value"], case=False)]
    columns, sums = [DIMENSIONS[name] for name in dimensions], [METRICS[name] for name in metrics]
    if not columns:
        return rows[sums].sum().to_frame().T if len(rows) else rows[sums]
    counted = rows.groupby(columns, as_index=False)[sums].sum()
    if "day" in counted:
        counted["day"] = [day.strftime("%Y%m%d") for day in counted["day"]]
    return counted[[*columns, *sums]].sort_values(columns, ignore_index=True)


def _row(values: tuple[Any, ...], dimensions: int) -> dict[str, Any]:
    told = [{"value": str(value)} for value in values]
    return {"dimensionValues": told[:dimensions], "metricValues": told[dimensions:]}
