"""The portal's records as Salesforce's objects: fields, types, relations, history, and the little SOQL a pull speaks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from icp.fake_vendors.portal import Portal, Record

ORG_ZONE = ZoneInfo("America/New_York")
KINDS = {"Account": ("companies", "001"), "Opportunity": ("deals", "006"), "Contact": ("contacts", "003")}
OWN = ("hs_object_id", "hs_merged_object_ids", "merged_into_id", "parent_company_id", "hs_lastmodifieddate")
SYSTEM = {"Id": ("", "id"), "IsDeleted": ("", "boolean"), "SystemModstamp": ("", "datetime")}
CREATED = {"CreatedDate": ("createdate", "datetime"), "External_Id__c": ("hs_object_id", "string")}
STANDARD: dict[str, dict[str, tuple[str, str]]] = {
    "Account": {
        **SYSTEM,
        **CREATED,
        "Name": ("name", "string"),
        "Website": ("domain", "url"),
        "Industry": ("industry", "picklist"),
        "NumberOfEmployees": ("numberofemployees", "int"),
        "AnnualRevenue": ("annualrevenue", "currency"),
        "BillingAddress": ("", "address"),
        "BillingCountry": ("country", "string"),
        "BillingState": ("state", "string"),
        "BillingCity": ("city", "string"),
        "Type": ("lifecyclestage", "picklist"),
        "IsPersonAccount": ("is_person", "boolean"),
        "ParentId": ("parent_company_id", "reference"),
        "MasterRecordId": ("merged_into_id", "reference"),
    },
    "Opportunity": {
        **SYSTEM,
        **CREATED,
        "AccountId": ("", "reference"),
        "Name": ("dealname", "string"),
        "StageName": ("dealstage", "picklist"),
        "Type": ("dealtype", "picklist"),
        "IsClosed": ("hs_is_closed", "boolean"),
        "IsWon": ("hs_is_closed_won", "boolean"),
        "Amount": ("amount", "currency"),
        "CloseDate": ("closedate", "date"),
        "CurrencyIsoCode": ("deal_currency_code", "picklist"),
    },
    "Contact": {
        **SYSTEM,
        **CREATED,
        "AccountId": ("associatedcompanyid", "reference"),
        "Department": ("hs_role", "string"),
        "Email": ("email", "email"),
        "LastName": ("firstname", "string"),
    },
}
REFERENCES = {"AccountId": ("Account", "Account"), "ParentId": ("Parent", "Account")} | {
    "MasterRecordId": ("MasterRecord", "Account")
}
PAST = {
    "AccountHistory": ("Account", "AccountId", ("Field", "OldValue", "NewValue")),
    "OpportunityHistory": ("Opportunity", "OpportunityId", ("StageName", "Amount", "CloseDate")),
}
STAGES = {"closedwon": (True, True), "closedlost": (True, False)}
OPEN_STAGES = ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "contractsent", "open")
SOQL = re.compile(
    r"^SELECT (?P<fields>.+?) FROM (?P<object>\w+)(?: WHERE (?P<where>.+?))?(?: GROUP BY Field)?(?: ORDER BY [\w, ]+)?$"
)
SINCE = re.compile(r"\bSystemModstamp >= (\S+)")
NO_PERSONS = "IsPersonAccount = false"
AMONG = re.compile(r"^(\w+) IN \((.*)\)$")


class Wrong(Exception):
    """A query Salesforce would refuse: its code and its words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Org:
    """One org over a portal; fields in `hidden` (`Account.Website`) the user may not read, those in `tracked` have history."""

    portal: Portal
    hidden: frozenset[str] = frozenset()
    tracked: frozenset[str] = frozenset({"NumberOfEmployees", "BillingCity", "Industry"})
    _fields: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict, repr=False)

    def fields(self, sobject: str) -> dict[str, tuple[str, str]]:
        """By field the property it shows and its type; of an object that is not there, nothing.

        Properties Salesforce has no field for are custom fields of text.
        """
        if sobject not in self._fields:
            self._fields[sobject] = self._known(sobject)
        return self._fields[sobject]

    def _known(self, sobject: str) -> dict[str, tuple[str, str]]:
        if sobject in PAST and not (sobject == "AccountHistory" and not self.tracked):
            return dict.fromkeys((PAST[sobject][1], *PAST[sobject][2], "CreatedDate"), ("", "string"))
        if sobject not in KINDS:
            return {}
        shown, there = {name for name, _ in STANDARD[sobject].values()}, self.portal.property_names(KINDS[sobject][0])
        custom = {custom_name(p): (p, "string") for p in there if p not in {*shown, *OWN}}
        lacking = {"IsPersonAccount"} if "is_person" not in there else set()
        known = {name: of for name, of in {**STANDARD[sobject], **custom}.items() if name not in lacking}
        return {name: of for name, of in known.items() if f"{sobject}.{name}" not in self.hidden}

    def rows(self, soql: str, *, bulk: bool) -> tuple[str, list[str], list[Record]]:
        """Object, selected paths and rows of a query, as REST shows them (`bulk`: every value as text)."""
        parts = SOQL.match(soql)
        if parts is None:
            raise Wrong("MALFORMED_QUERY", f"unexpected token in {soql[:60]}")
        sobject, names = parts["object"], [name.strip() for name in parts["fields"].split(",")]
        if sobject == "OpportunityStage":
            return sobject, names, [*_stages()]
        known = self.fields(sobject)
        if not known:
            raise Wrong("INVALID_TYPE", f"sObject type '{sobject}' is not supported.")
        if sobject in PAST:
            return sobject, names, self._past(sobject, names, parts["where"] or "")
        self._check(sobject, names, bulk=bulk)
        records = [record for record in self._records(sobject) if _holds(record, parts["where"])]
        return sobject, names, [{name: self._value(sobject, r, name, bulk=bulk) for name in names} for r in records]

    def _check(self, sobject: str, names: list[str], *, bulk: bool) -> None:
        for path in names:
            here, *steps = path.split(".")
            owner = sobject
            while steps:
                reference = next((to for name, to in REFERENCES.values() if name == here), None)
                if reference is None:
                    raise Wrong("INVALID_FIELD", f"Didn't understand relationship '{here}' in field path.")
                owner, (here, *steps) = reference, steps
            if here not in self.fields(owner):
                raise Wrong("INVALID_FIELD", f"No such column '{here}' on entity '{owner}'.")
            if bulk and self.fields(owner)[here][1] == "address":
                raise Wrong("FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk Query")

    def _records(self, sobject: str) -> list[Record]:
        kind = KINDS[sobject][0]
        every = [*self.portal.records(kind, archived=False), *self.portal.records(kind, archived=True)]
        return sorted(every, key=lambda record: int(record["id"]))

    def _value(self, sobject: str, record: Record, path: str, *, bulk: bool) -> Any:
        first, _, rest = path.partition(".")
        if rest:
            name, to = next((n, to) for n, (relation, to) in REFERENCES.items() if relation == first)
            [*linked] = self.portal.some(KINDS[to][0], [_linked(record, name) or "0"], archived=False) or [
                *self.portal.some(KINDS[to][0], [_linked(record, name) or "0"], archived=True)
            ]
            return self._value(to, linked[0], rest, bulk=bulk) if linked else None
        prop, kind = self.fields(sobject)[path]
        match path:
            case "Id":
                return sf_id(sobject, record["id"])
            case "IsDeleted":
                value: Any = bool(record.get("archived"))
            case "SystemModstamp":
                value = _stamp(record)
            case "AccountId" | "ParentId" | "MasterRecordId":
                linked_id = _linked(record, path)
                return sf_id("Account", linked_id) if linked_id else None
            case _:
                value = record["properties"].get(prop)
        return shown(value, kind, bulk=bulk)

    def _past(self, sobject: str, names: list[str], where: str) -> list[Record]:
        of, parent, _ = PAST[sobject]
        rows = [*(self._changes() if of == "Account" else self._snapshots())]
        if "MIN(CreatedDate)" in names[-1]:
            first: dict[str, str] = {}
            for row in sorted(rows, key=lambda row: str(row["CreatedDate"])):
                first.setdefault(str(row["Field"]), str(row["CreatedDate"]))
            return [{"Field": name, "begun": at} for name, at in first.items()]
        among = AMONG.match(where)
        ids = {id_.strip().strip("'") for id_ in among[2].split(",")} if among else set()
        return sorted((row for row in rows if row[parent] in ids), key=lambda row: str(row["CreatedDate"]))

    def _versions(self, sobject: str) -> Iterator[tuple[str, list[Record]]]:
        for number, versions in sorted(self.portal.versions.get(KINDS[sobject][0], {}).items()):
            yield str(number), [record for since, record in versions if since <= self.portal.now]

    def _changes(self) -> Iterator[Record]:
        known = self.fields("Account")
        for id_, versions in self._versions("Account"):
            for before, after in pairwise(versions):
                for name in sorted(self.tracked & set(known)):
                    old, new = (self._value("Account", record, name, bulk=False) for record in (before, after))
                    if old != new:
                        at = shown(_stamp(after), "datetime", bulk=False)
                        change = {"Field": name, "OldValue": old, "NewValue": new, "CreatedDate": at}
                        yield {"AccountId": sf_id("Account", id_), **change}

    def _snapshots(self) -> Iterator[Record]:
        for id_, versions in self._versions("Opportunity"):
            for record in versions:
                told = {n: self._value("Opportunity", record, n, bulk=False) for n in PAST["OpportunityHistory"][2]}
                at = shown(_stamp(record), "datetime", bulk=False)
                yield {"OpportunityId": sf_id("Opportunity", id_), **told, "CreatedDate": at}


def custom_name(prop: str) -> str:
    """The custom field a property becomes: `sales_region` is Sales_Region__c."""
    return "_".join(part.capitalize() for part in prop.split("_")) + "__c"


def sf_id(sobject: str, id_: str) -> str:
    """An id as Salesforce makes one: the object's three letters, the record's twelve, three to check their case."""
    return f"{KINDS[sobject][1]}{int(id_):012d}AAA"


def shown(value: Any, kind: str, *, bulk: bool) -> Any:
    """A value as REST (JSON) or Bulk (text) shows it."""
    if value is None or value == "":
        return None
    match kind:
        case "boolean":
            truth = value if isinstance(value, bool) else value == "true"
            return str(truth).lower() if bulk else truth
        case "datetime":
            at = datetime.fromisoformat(value).astimezone(UTC).isoformat(timespec="milliseconds")
            return at.replace("+00:00", "Z" if bulk else "+0000")
        case "date":
            return datetime.fromisoformat(value).astimezone(ORG_ZONE).date().isoformat()
        case "int" | "currency":
            try:
                number = float(str(value).replace(",", ""))
            except ValueError:
                return None  # a number field of an org cannot hold what a text of another CRM can
            return str(number) if bulk else int(number) if kind == "int" else number
    return str(value) if bulk else value


def _stamp(record: Record) -> str:
    properties = record["properties"]
    stamp = str(properties.get("hs_lastmodifieddate") or properties.get("lastmodifieddate") or properties["createdate"])
    return max(stamp, str(record.get("archivedAt") or ""), key=lambda t: datetime.fromisoformat(t) if t else _LONG_AGO)


_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def _linked(record: Record, name: str) -> str | None:
    properties: Mapping[str, Any] = record["properties"]
    if name == "AccountId" and "associatedcompanyid" not in properties:
        linked = ((record.get("associations") or {}).get("companies") or {}).get("results") or []
        return str(linked[0]["id"]) if linked else None
    return properties.get(
        {"AccountId": "associatedcompanyid", "ParentId": "parent_company_id"}.get(name, "merged_into_id")
    )


def _holds(record: Record, where: str | None) -> bool:
    since = SINCE.search(where or "")
    if NO_PERSONS in (where or "") and record["properties"].get("is_person") == "true":
        return False
    return since is None or datetime.fromisoformat(_stamp(record)) >= datetime.fromisoformat(since[1])


def _stages() -> Iterator[Record]:
    for name in (*STAGES, *OPEN_STAGES):
        closed, won = STAGES.get(name, (False, False))
        yield {"ApiName": name, "MasterLabel": name, "IsClosed": closed, "IsWon": won}
