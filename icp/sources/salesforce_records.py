"""Salesforce's records as they land: which fields are asked for, typed alike from REST and Bulk, with what they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from icp.errors import ConfigError
from icp.sources.addresses import without_addresses
from icp.sources.mapping import TableReader
from icp.sources.past import Dated, instant, states
from icp.sources.salesforce_api import Record, SalesforceApi
from icp.sources.salesforce_login import VENDOR

ID, STAMP, CREATED, DELETED, MASTER = "Id", "SystemModstamp", "CreatedDate", "IsDeleted", "MasterRecordId"
NUMBERS = ("int", "long", "double", "currency", "percent")
COMPOUND = ("address", "location", "complexvalue", "base64")
ALWAYS_SO = ("account_id", "account_name", "created_at")
"""Columns of an account whose present value stands for its past: who it is and since when."""


@dataclass(frozen=True)
class Kind:
    """An object of Salesforce, and the object that holds its past: its name, and the field that names the record."""

    name: str
    past: str = ""
    parent: str = ""


KINDS = {
    "accounts": Kind("Account", "AccountHistory", "AccountId"),
    "opportunities": Kind("Opportunity", "OpportunityHistory", "OpportunityId"),
    "contacts": Kind("Contact"),
}


def fields_of(reader: TableReader) -> list[str]:
    """The fields a table's mapping reads: the only ones that are asked for."""
    return sorted(reader.paths | {ID, STAMP, DELETED})


def types_of(api: SalesforceApi, sobject: str, names: Sequence[str]) -> dict[str, str]:
    """The type of every field.

    Raises:
        ConfigError: Fields this user cannot read or that hold several values; all of them are named.
    """
    api.describe(sobject)  # an object that cannot be read is said once, not for every field
    found, problems = {}, []
    for name in names:
        try:
            found[name] = _type(api, sobject, name)
        except ConfigError as problem:
            problems.append(str(problem))
    if problems:
        raise ConfigError(" ".join(problems))
    return found


def _type(api: SalesforceApi, sobject: str, path: str) -> str:
    fields = api.describe(sobject)
    first, _, rest = path.partition(".")
    if not rest:
        if path not in fields:
            raise ConfigError(_unknown(sobject, path, list(fields)))
        kind = str(fields[path].get("type", "string"))
        if kind in COMPOUND:
            raise ConfigError(f"{sobject}.{path} holds several values ({kind}). Map its parts, such as BillingCity.")
        return kind
    relations = {str(f["relationshipName"]): f for f in fields.values() if f.get("relationshipName")}
    if first not in relations:
        raise ConfigError(_unknown(sobject, first, list(relations)))
    problem = ConfigError(_unknown(sobject, path, list(relations)))
    for other in relations[first].get("referenceTo") or ():  # an owner is a queue or a user: one of them has the field
        try:
            return _type(api, str(other), rest)
        except ConfigError as found:
            problem = found
    raise problem


def _unknown(sobject: str, name: str, there: Sequence[str]) -> str:
    by_lower = {candidate.lower(): candidate for candidate in there}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    meant = f" (did you mean `{by_lower[near[0]]}`?)" if near else ""
    return (
        f"{sobject} has no field `{name}` this user may read{meant}. Give its permission set read access, or correct "
        "the mapping in icp.yml."
    )


def clean(record: Record, types: Mapping[str, str], reduced: frozenset[str]) -> Record:
    """A record as it lands: numbers as numbers, times in one spelling, no address of a person, 18 letters of id."""
    typed = {name: _typed(record.get(name), kind) for name, kind in types.items()}
    return without_addresses(typed, reduced)


def _typed(value: Any, kind: str) -> Any:
    if value is None or value == "":
        return None
    if kind in NUMBERS and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    if kind == "datetime" and str(value).endswith("+0000"):
        return f"{str(value)[:-5]}Z"
    if kind in ("id", "reference"):
        return full_id(str(value))
    return value


def full_id(id_: str) -> str:
    """The 18 letters of an id; of one of 15 letters, which differ by case, the last three are added.

    Salesforce's own rule: of each five letters, the places of capitals are the bits of one of A-Z and 0-5.
    """
    if len(id_) != 15 or not id_.isalnum():
        return id_
    blocks = (id_[start : start + 5] for start in (0, 5, 10))
    bits = (sum(1 << place for place, letter in enumerate(block) if "A" <= letter <= "Z") for block in blocks)
    return id_ + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[number] for number in bits)


# -- the past ----------------------------------------------------------------------------------------------------------


def earlier(
    record: Record, history: Mapping[str, Sequence[Dated]], since: datetime | None, kept: frozenset[str]
) -> Iterator[Record]:
    """What a record was before, one per instant at which a mapped field changed, oldest first.

    Args:
        record: As it is now.
        history: By field its values with when each began.
        since: Only from here on.
        kept: Fields that are taken as they are now; others without history are empty.
    """
    last = instant(str(record[STAMP]), VENDOR, record[ID])
    for moment, state in states(history, last, since):
        told = {name: value if name in kept else None for name, value in record.items()}
        yield {**told, **state, STAMP: moment.isoformat(), DELETED: False, **({MASTER: None} if MASTER in told else {})}


def changes(rows: Sequence[Record], record: Record, begun: Mapping[str, datetime]) -> dict[str, list[Dated]]:
    """The values of an account's tracked fields, from rows of AccountHistory in order of time.

    A field that is tracked says with every change what it was before, and without one that it is what it was. Its
    history reaches back to when the org began to track it (`begun`), not further.
    """
    created = instant(str(record[CREATED]), VENDOR, record[ID]) if record.get(CREATED) else None
    history: dict[str, list[Dated]] = {}
    for name, since in begun.items():
        own = [row for row in rows if row["Field"] == name]
        first = own[0]["OldValue"] if own else record.get(name)
        start = max(since, created) if created else since
        values = [(instant(str(row["CreatedDate"]), VENDOR, record[ID]), row["NewValue"]) for row in own]
        history[name] = [(start, first), *values]
    return history


def stages(rows: Sequence[Record], outcomes: Mapping[str, tuple[bool, bool]], id_: str) -> dict[str, list[Dated]]:
    """The values of an opportunity, from rows of OpportunityHistory in order of time.

    Whether it was closed and won follows from its stage; rows with a stage that is no more are left out.
    """
    history: dict[str, list[Dated]] = {name: [] for name in ("StageName", "Amount", "CloseDate", "IsClosed", "IsWon")}
    for row in rows:
        if row["StageName"] not in outcomes:
            continue
        at = instant(str(row["CreatedDate"]), VENDOR, id_)
        closed, won = outcomes[row["StageName"]]
        told = {**row, "IsClosed": closed, "IsWon": won}
        for name, values in history.items():
            values.append((at, told[name]))
    return history
