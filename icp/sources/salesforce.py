"""The Salesforce source: accounts, opportunities and contacts, landed in the canonical tables through icp.yml's mapping.

Only mapped fields are asked for, so nothing else of the org ever reaches this machine. Deleted and merged records come
with the others (`queryAll`). Every pull asks for what changed since Salesforce's clock said the last accepted one began,
ties included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from icp.config import Settings
from icp.config_salesforce import SalesforceSettings
from icp.errors import ConfigError, IcpError
from icp.lake import Lake, StagedLoad
from icp.sources.http_client import Refused
from icp.sources.known import Known
from icp.sources.mapping import TableReader
from icp.sources.past import Dated, instant
from icp.sources.pulling import readers_of, stage_pull
from icp.sources.salesforce_api import NOT_THERE, Record, SalesforceApi
from icp.sources.salesforce_login import VENDOR
from icp.sources.salesforce_records import (
    ALWAYS_SO,
    ID,
    KINDS,
    NUMBERS,
    STAMP,
    Kind,
    changes,
    clean,
    earlier,
    fields_of,
    stages,
    types_of,
)
from icp.sources.sections import section_of

CHECKED = "credentials, objects and fields"
PERSON = "IsPersonAccount"
IDS_A_QUERY = 200
HISTORY = ("Field", "OldValue", "NewValue", "CreatedDate")
SNAPSHOT = ("StageName", "Amount", "CloseDate", "CreatedDate")


def pull(settings: Settings, source_name: str, lake: Lake, *, extracted_at: datetime) -> Iterator[StagedLoad]:
    """Stage one load with everything that is new in Salesforce; none when nothing is.

    Raises:
        TryLater: Salesforce cannot serve now; nothing is staged and the next pull starts at the same cursor.
        ConfigError: The login, a permission or a mapped field is wrong.
    """
    api = _api(settings, source_name)
    yield from stage_pull(
        settings,
        source_name,
        lake,
        api.client,
        lambda reader, held: _Table(api, reader, held).pages(),
        extracted_at=extracted_at,
        overlap=timedelta(minutes=api.settings.overlap_minutes),
        place=lambda table: f"salesforce:{KINDS[table].name}",
    )


def missing(settings: Settings, source_name: str) -> list[str]:
    """What stands between this source and a pull, in words: the login, objects and fields the user may not read."""
    api = _api(settings, source_name)
    found = []
    try:
        for table, reader in readers_of(settings, source_name).items():
            kind = KINDS[table]
            try:
                _require_stamp(reader)
                types_of(api, kind.name, fields_of(reader))
                if api.settings.field_history and kind.past:
                    _require_past(api, kind)
            except IcpError as problem:
                found.append(f"{kind.name}: {problem}")
    finally:
        api.client.close()
    return list(dict.fromkeys(found))


def _require_past(api: SalesforceApi, kind: Kind) -> None:
    try:
        api.describe(kind.past)
    except Refused as refusal:
        if refusal.code not in NOT_THERE:
            raise
        raise ConfigError(
            f"the org keeps no {kind.past}. Set history tracking for fields of {kind.name}, or remove `field_history`."
        ) from None


def _api(settings: Settings, source_name: str) -> SalesforceApi:
    return SalesforceApi(section_of(settings, source_name, SalesforceSettings))


def _require_stamp(reader: TableReader) -> None:
    mapped = reader.mapping.columns.get("modified_at")
    if mapped is None or mapped.from_ != STAMP:
        raise ConfigError(f"{reader.table.name}: `modified_at` is the cursor of the pull; leave it mapped to {STAMP}.")


class _Table:
    """The records of one table that are new, with what they were before where that is wanted and there."""

    def __init__(self, api: SalesforceApi, reader: TableReader, held: Known) -> None:
        self._api, self._reader, self._held = api, reader, held
        self._kind = KINDS[reader.table.name]

    def pages(self) -> Iterator[list[Record]]:
        _require_stamp(self._reader)
        names, since = fields_of(self._reader), self._held.since
        types = types_of(self._api, self._kind.name, names)
        wanted = [f"{STAMP} >= {_literal(since)}"] if since is not None else []
        if PERSON in self._api.describe(self._kind.name):
            wanted.append(f"{PERSON} = false")  # an account that is a person is no company
        where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
        for page in self._api.records(self._kind.name, names, where):
            records = [clean(record, types, self._reader.address_paths) for record in page]
            yield [*self._before(records, types), *records]

    # -- the past ------------------------------------------------------------------------------------------------------

    def _before(self, records: list[Record], types: Mapping[str, str]) -> Iterator[Record]:
        if not self._has_past:
            return
        is_account = self._reader.table.name == "accounts"
        kept = self._kept(types) if is_account else frozenset(types)
        for start in range(0, len(records), IDS_A_QUERY):
            some = records[start : start + IDS_A_QUERY]
            rows = self._rows([record[ID] for record in some], HISTORY if is_account else SNAPSHOT)
            for record in some:
                own = rows.get(record[ID], [])
                past = changes(own, record, self._tracked) if is_account else stages(own, self._outcomes, record[ID])
                mapped = {name: _alike(values, types[name]) for name, values in past.items() if name in types}
                for version in earlier(record, mapped, self._held.since, kept):
                    yield clean(version, types, self._reader.address_paths)

    @cached_property
    def _has_past(self) -> bool:
        """Whether the past is wanted, and the org keeps it."""
        if not (self._api.settings.field_history and self._kind.past):
            return False
        try:
            self._api.describe(self._kind.past)
        except Refused as refusal:
            if refusal.code in NOT_THERE:
                return False  # the org does not track fields of this object; `icp doctor` says so
            raise
        return True

    def _kept(self, types: Mapping[str, str]) -> frozenset[str]:
        """Fields an earlier version takes from the present one.

        Between two pulls that is all of them: what is not tracked changed days before at most. Before the first pull
        nobody knows what it was.
        """
        if self._held.since is not None:
            return frozenset(types)
        columns = self._reader.mapping.columns
        named = {path for column in ALWAYS_SO if column in columns for path in columns[column].source_columns}
        return frozenset({ID, *named})

    @cached_property
    def _tracked(self) -> dict[str, datetime]:
        """Since when the org tracks which field: since the first change of it there is."""
        soql = f"SELECT Field, MIN(CreatedDate) begun FROM {self._kind.past} GROUP BY Field"
        rows = self._api.query(soql, self._kind.past, ("Field", "begun"))
        return {str(row["Field"]): instant(str(row["begun"]), VENDOR, "of AccountHistory") for row in rows}

    @cached_property
    def _outcomes(self) -> dict[str, tuple[bool, bool]]:
        """By stage whether it is closed and won."""
        names = ("ApiName", "MasterLabel", "IsClosed", "IsWon")
        found: dict[str, tuple[bool, bool]] = {}
        for row in self._api.query(f"SELECT {', '.join(names)} FROM OpportunityStage", "OpportunityStage", names):
            found |= dict.fromkeys((row["ApiName"], row["MasterLabel"]), (bool(row["IsClosed"]), bool(row["IsWon"])))
        return found

    def _rows(self, ids: list[str], names: tuple[str, ...]) -> dict[str, list[Record]]:
        """By record its history, oldest first."""
        parent, past = self._kind.parent, self._kind.past
        listed = ", ".join(f"'{id_}'" for id_ in ids)
        chosen = (parent, *names)
        soql = f"SELECT {', '.join(chosen)} FROM {past} WHERE {parent} IN ({listed}) ORDER BY CreatedDate, Id"
        found: dict[str, list[Record]] = defaultdict(list)
        for row in self._api.query(soql, past, chosen):
            found[str(row[parent])].append(row)
        return found


def _alike(values: list[Dated], kind: str) -> list[Dated]:
    """Values of the past typed as those of the present."""
    return [(at, float(value) if kind in NUMBERS and _is_number(value) else value) for at, value in values]


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _literal(moment: datetime) -> str:
    """An instant as SOQL writes it; cut to the millisecond Salesforce keeps, so that no tie is lost."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
