"""Salesforce's endpoints: REST queries, Bulk API 2.0 query jobs, descriptions of objects."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from icp.config_salesforce import SalesforceSettings
from icp.errors import TryLater
from icp.sources.http_client import Refused, VendorClient
from icp.sources.manners import Manners, Refusal
from icp.sources.salesforce_csv import read_page
from icp.sources.salesforce_login import VENDOR, Login

Record = dict[str, Any]
LONGEST_URL = 12_000
"""Longest query sent in an address; Salesforce takes 16,384 bytes of address and header lines."""
LONGEST_POLL = 30.0
NO_BULK = {"API_DISABLED_FOR_ORG", "FEATURENOTENABLED", "INVALIDENTITY", "API_NOT_ENABLED", "INSUFFICIENT_ACCESS"}
"""Codes that say a job cannot be had, not that the query is wrong."""
NOT_THERE = {"NOT_FOUND", "INVALID_TYPE"}
USAGE = re.compile(r"\bapi-usage=(\d+)/(\d+)")


class SalesforceManners(Manners):
    """Salesforce's refusals are lists of messages with codes; its daily limit is a 403."""

    new_key = "Check the credentials, and that the user of the connected app may use the API."
    more_rights = "Give the user's permission set read access to it."
    renewed = "it counts the last 24 hours"

    def refusal(self, content: Any) -> Refusal:
        first = content[0] if isinstance(content, list) and content else content
        if not isinstance(first, dict):
            return Refusal()
        return Refusal(str(first.get("message", "")), str(first.get("errorCode", "")))

    def is_used_up(self, status: int, refusal: Refusal) -> bool:
        if refusal.code == "REQUEST_LIMIT_EXCEEDED":
            return not _too_many_at_once(refusal)
        return refusal.code in ("EXCEEDED_QUOTA", "EXCEEDEDQUOTA")

    def passes(self, status: int, refusal: Refusal) -> bool:
        too_many = refusal.code == "REQUEST_LIMIT_EXCEEDED" and _too_many_at_once(refusal)
        return too_many or refusal.code in ("SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION", "QUERY_TIMEOUT")

    def none_left(self, headers: Mapping[str, str]) -> bool:
        used = USAGE.search(headers.get("sforce-limit-info", ""))
        return used is not None and int(used[1]) >= int(used[2])


def _too_many_at_once(refusal: Refusal) -> bool:
    return "concurrent" in refusal.message.lower()


class SalesforceApi:
    """The calls a pull needs. Records come flat: each selected field or path under its own name."""

    def __init__(self, settings: SalesforceSettings) -> None:
        self.settings = settings
        login = Login(settings)
        self.client = VendorClient(
            VENDOR, lambda: login.instance_url, settings.retry, login.token, manners=SalesforceManners()
        )
        self._data = f"/services/data/{settings.api_version}"
        self._describe = cache(self._described)

    def describe(self, sobject: str) -> dict[str, Record]:
        """The fields of an object this user may read, by name: one cheap call that also proves the login.

        Raises:
            ConfigError: The object is not there for this user.
        """
        return self._describe(sobject)

    def records(self, sobject: str, names: Sequence[str], where: str = "") -> Iterator[list[Record]]:
        """Every record, deleted ones too, each once, in pages: by REST up to `bulk_above` rows, else by a Bulk job.

        Raises:
            TryLater: Fewer came than Salesforce says there are.
        """
        soql = f"SELECT {', '.join(names)} FROM {sobject}{where}"
        if len(soql) > LONGEST_URL:
            yield from self._complete(self._bulk(soql, sobject, names))
            return
        first = self.client.call("GET", f"{self._data}/queryAll", params={"q": soql})
        if int(first.get("totalSize") or 0) > self.settings.bulk_above:
            try:
                job = self._job(soql)
            except Refused as refusal:
                if refusal.code not in NO_BULK:
                    raise
            else:
                yield from self._complete(self._results(job, sobject, names))
                return
        yield from self._complete(self._rest(first, sobject, names))

    def query(self, soql: str, sobject: str, names: Sequence[str]) -> Iterator[Record]:
        """Records of a small query by REST, deleted ones too."""
        answer = self.client.call("GET", f"{self._data}/queryAll", params={"q": soql})
        for _, page in self._rest(answer, sobject, names):
            yield from page

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _described(self, sobject: str) -> dict[str, Record]:
        try:
            answer = self.client.call("GET", f"{self._data}/sobjects/{sobject}/describe")
        except Refused as refusal:
            if refusal.code not in NOT_THERE:
                raise
            said = f"Salesforce has no object {sobject} this user may read. {SalesforceManners.more_rights}"
            raise Refused(said, refusal.code) from None
        return {str(field["name"]): field for field in _list(answer, "fields", "name", f"the description of {sobject}")}

    def _complete(self, pages: Iterator[tuple[int | None, list[Record]]]) -> Iterator[list[Record]]:
        """Pages without records that came before; all of them must have come."""
        seen: set[str] = set()
        expected: int | None = None
        for total, page in pages:
            expected = total if expected is None else expected
            fresh = {record["Id"]: record for record in page if record["Id"] not in seen}
            seen.update(fresh)
            if fresh:
                yield list(fresh.values())
        if expected is not None and len(seen) < expected:
            raise TryLater(
                f"Salesforce says there are {expected:,} rows and sent {len(seen):,}. Nothing is kept; run `icp ingest` "
                "again."
            )

    def _rest(
        self, answer: Mapping[str, Any], sobject: str, names: Sequence[str]
    ) -> Iterator[tuple[int | None, list[Record]]]:
        """Pages of a REST query with how many rows there are in all."""
        total, used = answer.get("totalSize"), set[str]()
        while True:
            records = _list(answer, "records", None, f"a query of {sobject}")
            yield total, [_flat(record, names, sobject) for record in records]
            if answer.get("done", True):
                return
            after = str(answer.get("nextRecordsUrl"))
            if not after.startswith("/services/data/") or after in used:
                raise TryLater(f"Salesforce's query of {sobject} does not move on. Run `icp ingest` again.")
            used.add(after)
            answer = self.client.call("GET", after)

    def _bulk(self, soql: str, sobject: str, names: Sequence[str]) -> Iterator[tuple[int | None, list[Record]]]:
        yield from self._results(self._job(soql), sobject, names)

    def _job(self, soql: str) -> str:
        body = {"operation": "queryAll", "query": soql, "contentType": "CSV", "columnDelimiter": "COMMA"}
        answer = self.client.call("POST", f"{self._data}/jobs/query", body={**body, "lineEnding": "LF"})
        if "id" not in answer:
            raise TryLater(f"Salesforce answered a new job in another shape (it has {', '.join(sorted(answer))}).")
        return str(answer["id"])

    def _results(self, job: str, sobject: str, names: Sequence[str]) -> Iterator[tuple[int | None, list[Record]]]:
        """Pages of a job's result, once it is there. The locator `null` ends them: that word, not its absence."""
        path, total = f"{self._data}/jobs/query/{job}", self._finished(job, sobject)
        locator, used = "", set[str]()
        while True:
            params = {"maxRecords": str(self.settings.bulk_page_rows)} | ({"locator": locator} if locator else {})
            page, locator = self.client.call(
                "GET", f"{path}/results", params=params, read=lambda answer: read_page(answer, names, sobject)
            )
            yield total, page
            if locator in ("null", ""):
                return
            if locator in used:
                raise TryLater(f"Salesforce's result of {sobject} runs in a circle. Run `icp ingest` again.")
            used.add(locator)

    def _finished(self, job: str, sobject: str) -> int | None:
        """Wait for a job; how many rows it found."""
        wait, path = self.settings.poll_seconds, f"{self._data}/jobs/query/{job}"
        until = time.monotonic() + 60 * self.settings.job_minutes
        while True:
            answer = self.client.call("GET", path)
            state = answer.get("state")
            if not state:
                raise TryLater(f"Salesforce told no state of a job (it told {', '.join(sorted(answer)) or 'nothing'}).")
            if state == "JobComplete":
                found = answer.get("numberRecordsProcessed")
                return None if found is None else int(found)
            if state in ("Failed", "Aborted"):
                said = self.client.redacted(str(answer.get("errorMessage") or ""))[:300]
                raise TryLater(
                    f"Salesforce's job for {sobject} ended as {state}{f', {said!r}' if said else ''}. Nothing of this "
                    "pull is kept; the next `icp ingest` starts another job."
                )
            if time.monotonic() > until:
                raise TryLater(
                    f"Salesforce has not finished its job for {sobject} within {self.settings.job_minutes:g} minutes "
                    f"(state {state}). Raise `job_minutes`, or run `icp ingest` later."
                )
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_POLL)


def _list(answer: Mapping[str, Any], name: str, needs: str | None, what: str) -> list[Record]:
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(e, dict) and (needs is None or needs in e) for e in found):
        keys = ", ".join(sorted(answer)) or "nothing"
        raise TryLater(f"Salesforce answered {what} in another shape than documented (it has {keys}).")
    return found


def _flat(record: Mapping[str, Any], names: Sequence[str], sobject: str) -> Record:
    """The selected paths of a record; a relation that leads nowhere has none of its fields.

    Raises:
        TryLater: A selected field is not in the record.
    """
    flat: Record = {}
    for name in names:
        node: Any = record
        for step in name.split("."):
            if node is None:
                break
            if step not in node:
                raise TryLater(f"Salesforce left {name} out of a record of {sobject}. Run `icp ingest` again.")
            node = node[step]
        flat[name] = node
    return flat
