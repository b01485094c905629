"""HubSpot's CRM endpoints: which URL in which API version, how pages follow each other, what an answer looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from icp.config import secret
from icp.config_vendors import HubSpotSettings
from icp.errors import ConfigError, TryLater
from icp.sources.http_client import VendorClient
from icp.sources.manners import Manners, Refusal, number
from icp.sources.oauth import TokenRefused, ask_for_token

Record = dict[str, Any]
VENDOR = "HubSpot"
SEARCH_PAGE = 200
HISTORY_PAGE = 50
"""Most records of one call that asks for the history of properties."""
URL_CHARACTERS = 4000
"""Longest list of property names in a URL; what does not fit is read by `batch/read`, whose names are in the body."""
PRIMARY = 5
"""HubSpot's type of the association of a deal with its primary company."""


class HubSpotManners(Manners):
    """HubSpot's limits: so many calls in ten seconds and a day, told in headers of its own."""

    renewed = "midnight in the portal's time zone"

    def refusal(self, content: Any) -> Refusal:
        if not isinstance(content, dict):
            return Refusal()
        message, code, limit = (str(content.get(name, "")) for name in ("message", "category", "policyName"))
        return Refusal(message, code, limit)

    def is_used_up(self, status: int, refusal: Refusal) -> bool:
        return status == 429 and refusal.limit == "DAILY"

    def is_expired(self, status: int, refusal: Refusal) -> bool:
        return status in (401, 530)

    def pause(self, headers: Mapping[str, str]) -> float | None:
        remaining = number(headers.get("x-hubspot-ratelimit-remaining"))
        interval = number(headers.get("x-hubspot-ratelimit-interval-milliseconds"))
        return None if remaining is None or remaining >= 1 or interval is None else interval / 1000

    def none_left(self, headers: Mapping[str, str]) -> bool:
        return number(headers.get("x-hubspot-ratelimit-daily-remaining")) == 0


class HubSpotApi:
    """The calls a pull needs. Records come as HubSpot wrote them, page by page, each page merged from its parts."""

    def __init__(self, settings: HubSpotSettings) -> None:
        self.settings = settings
        self.client = VendorClient(
            VENDOR, settings.base_url, settings.retry, _tokens(settings), manners=HubSpotManners()
        )

    def listed(self, kind: str, properties: Sequence[str], *, archived: bool = False) -> Iterator[list[Record]]:
        """Every record there is (or every archived one), in pages."""
        in_url, in_body = split_names(properties)
        after: str | None = None
        used: set[str] = set()
        while True:
            params = {"limit": str(self.settings.page_size), "properties": ",".join(in_url)}
            params |= {"archived": "true"} if archived else {}
            params |= {"after": after} if after else {}
            answer = self.client.call("GET", self._objects(kind), params=params)
            records = _results(answer)
            yield self._completed(kind, records, in_body, archived=archived) if in_body and records else records
            after = ((answer.get("paging") or {}).get("next") or {}).get("after")
            if not after:
                return
            if after in used:
                raise TryLater(f"HubSpot's list of {kind} runs in a circle. Nothing is kept; run `icp ingest` again.")
            used.add(after)

    def changed(self, kind: str, properties: Sequence[str], stamp: str, since_ms: int) -> Iterator[list[Record]]:
        """Records changed at or after an instant, in pages of ascending id.

        Every page starts behind the last id instead of at an offset: no search returns more than 10,000 rows, and a
        record that leaves the result meanwhile moves no other one past us.
        """
        behind = 0
        while True:
            filters = [
                {"propertyName": stamp, "operator": "GTE", "value": str(since_ms)},
                {"propertyName": "hs_object_id", "operator": "GT", "value": str(behind)},
            ]
            body = {
                "filterGroups": [{"filters": filters}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": list(properties),
                "limit": SEARCH_PAGE,
            }
            records = _results(self.client.call("POST", f"{self._objects(kind)}/search", body=body))
            if not records:
                return
            yield records
            last = max(int(record["id"]) for record in records)
            if last <= behind:
                raise TryLater(f"HubSpot's search of {kind} does not move on. Run `icp ingest` again.")
            behind = last

    def companies_of_deals(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """For each deal the ids of its companies, the primary one first; deals without a company are absent."""
        path = f"{self._associations()}/deals/companies/batch/read"
        answer = self.client.call("POST", path, body={"inputs": [{"id": id_} for id_ in ids]})
        found: dict[str, list[str]] = {}
        for result in _results(answer, needs="from"):
            ranked = sorted(result.get("to") or [], key=_rank)
            found[str(result["from"]["id"])] = [str(to["toObjectId"]) for to in ranked]
        return found

    def histories(
        self, kind: str, ids: Sequence[str], names: Sequence[str], *, archived: bool
    ) -> dict[str, dict[str, list[Record]]]:
        """By record and property the values it had: `value` and `timestamp`, as far back as HubSpot keeps them.

        Asked by id, not in the list: the names are in the body, which may be long, and changed records ask the same way.
        """
        found: dict[str, dict[str, list[Record]]] = {}
        params = {"archived": "true"} if archived else {}
        for start in range(0, len(ids), HISTORY_PAGE):
            inputs = [{"id": id_} for id_ in ids[start : start + HISTORY_PAGE]]
            body = {"properties": [], "propertiesWithHistory": list(names), "inputs": inputs}
            answer = self.client.call("POST", f"{self._objects(kind)}/batch/read", params=params, body=body)
            found |= {str(record["id"]): record.get("propertiesWithHistory") or {} for record in _results(answer)}
        return found

    def property_names(self, kind: str) -> set[str]:
        """Names of all properties of an object in this portal: one cheap call that also proves key and scope."""
        version = self.settings.api_version
        path = f"/crm/v3/properties/{kind}" if version == "v3" else f"/crm/properties/{version}/{kind}"
        return {str(entry["name"]) for entry in _results(self.client.call("GET", path), needs="name")}

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _completed(self, kind: str, page: list[Record], names: Sequence[str], *, archived: bool) -> list[Record]:
        """The page with the properties whose names did not fit into the URL."""
        body = {"properties": list(names), "inputs": [{"id": record["id"]} for record in page]}
        params = {"archived": "true"} if archived else {}
        answer = self.client.call("POST", f"{self._objects(kind)}/batch/read", params=params, body=body)
        more = {record["id"]: record["properties"] for record in _results(answer)}
        # A record deleted between the two calls is gone; the archived list has it.
        return [{**r, "properties": {**r["properties"], **more[r["id"]]}} for r in page if r["id"] in more]

    def _objects(self, kind: str) -> str:
        version = self.settings.api_version
        return f"/crm/v3/objects/{kind}" if version == "v3" else f"/crm/objects/{version}/{kind}"

    def _associations(self) -> str:
        version = self.settings.api_version
        return "/crm/v4/associations" if version == "v3" else f"/crm/associations/{version}"


def split_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names that fit into a URL, and the rest."""
    length = 0
    for index, name in enumerate(names):
        length += len(name) + 3  # a comma is written %2C
        if length > URL_CHARACTERS:
            return list(names[:index]), list(names[index:])
    return list(names), []


def _rank(to: Mapping[str, Any]) -> tuple[bool, int]:
    types = {entry.get("typeId") for entry in to.get("associationTypes") or []}
    return (PRIMARY not in types, int(to["toObjectId"]))


def _results(answer: Mapping[str, Any], needs: str = "id") -> list[Record]:
    """The `results` of an answer.

    Raises:
        TryLater: The answer has another shape; it is said which, without a value.
    """
    results = answer.get("results")
    if not isinstance(results, list) or not all(isinstance(entry, dict) and needs in entry for entry in results):
        keys = ", ".join(sorted(answer)) or "nothing"
        raise TryLater(f"HubSpot answered in another shape than documented (it has {keys}). Check `api_version`.")
    return results


def _tokens(settings: HubSpotSettings) -> Callable[[bool], str]:
    """Where the access token comes from: the environment, or HubSpot against the app's refresh token."""
    oauth = settings.oauth
    if oauth is None:
        return lambda fresh: secret(settings.token_env)
    held: list[str] = []

    def token(fresh: bool) -> str:
        if fresh or not held:
            held[:] = [_refreshed(settings)]
        return held[0]

    return token


def _refreshed(settings: HubSpotSettings) -> str:
    oauth = settings.oauth
    assert oauth is not None
    form = {
        "grant_type": "refresh_token",
        "client_id": secret(oauth.client_id_env),
        "client_secret": secret(oauth.client_secret_env),
        "refresh_token": secret(oauth.refresh_token_env),
    }
    answer = ask_for_token(VENDOR, f"{settings.base_url}/oauth/v1/token", form, settings.retry.timeout_seconds)
    if isinstance(answer, TokenRefused):
        raise ConfigError(f"HubSpot refused the app's refresh token ({answer.status}). Authorise the app again.")
    return str(answer["access_token"])
