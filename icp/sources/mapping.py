"""One extract under its column mapping -> rows in canonical shape; what could not be read is noted beside each row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from icp.config_schema import AttributeMapping, ColumnMapping, Lookup, TableMapping
from icp.contract import Table
from icp.domains import registrable_domains
from icp.errors import ConfigError
from icp.minor_units import units_of
from icp.sources import parsing, raw
from icp.sources.addresses import ADDRESS
from icp.sources.dates import Clock, parse_date, parse_instant
from icp.sources.jsonl_file import Columns
from icp.sources.lookups import LookupTable, lookup_hash, read_lookup
from icp.sources.parsing import Parsed
from icp.sources.raw import RawColumn, WantedColumn
from icp.sources.reading import read_rows

PARSER_VERSION = 1  # raise it when the same extract would land differently: every extract is then landed again
LONGEST_NOTE = 200
ATTRIBUTE_PREFIX = "attr_"
ONLY_DESCRIBES = {"path", "label", "family", "unit", "cuts", "description"}
ADDED_LATER: dict[str, Any] = {"sheet": None, "where": {}, "minor_units_of": None, "skip_after_header": 0}
"""Keys that say nothing at these values: a mapping without them has the hash it had before there were such keys."""
TYPES = {
    "varchar": pa.string(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}
ATTRIBUTE_TYPES = {"numeric": "double", "flag": "boolean", "category": "varchar", "set": "varchar"}


@dataclass(frozen=True)
class TableReader:
    """Reads the extracts of one table: its mapping, its contract and the company's time zone."""

    root: Path
    mapping: TableMapping
    table: Table
    timezone: str

    def read(self, file: Path, data: bytes, source_file: str) -> pa.Table:
        """The rows of one extract in canonical shape, as they arrived: no row is dropped, joined or added up.

        Args:
            file: The extract, for its suffix.
            data: Its bytes.
            source_file: Its path as kept in every row.

        Raises:
            ConfigError: The file as a whole cannot be read as the mapping says.
        """
        place = f"{self.table.name}: {source_file}"
        columns, numbers = read_rows(
            place,
            file,
            data,
            self._wanted(place),
            csv=self.mapping.csv,
            file_format=self.mapping.format,
            sheet=self.mapping.sheet,
        )
        return self.shaped(columns, source_file, numbers)

    def columns(self, source_file: str) -> Columns:
        """Where records of one extract are gathered as they arrive, for `shaped`."""
        place = f"{self.table.name}: {source_file}"
        return Columns(place, self._wanted(place))

    def shaped(
        self, columns: Mapping[str, RawColumn], source_file: str, rows_of: Sequence[int] | None = None
    ) -> pa.Table:
        """Rows in canonical shape of the columns of an extract; `rows_of` numbers them where they do not count from 1."""
        place = f"{self.table.name}: {source_file}"
        count = len(next(iter(columns.values())))
        numbers = np.array(range(1, count + 1) if rows_of is None else rows_of, dtype=np.int64)
        if self.mapping.where:
            columns, numbers = self._chosen(place, columns, numbers)
        rows = len(numbers)
        parsed = {name: self._parse(name, mapped, columns, rows) for name, mapped in self._mapped()}
        shape = self._shaped(parsed, rows)
        shape["_source_file"] = pa.repeat(pa.scalar(source_file), rows)
        shape["_row"] = pa.array(numbers)
        shape["_parse_errors"] = self._notes(parsed, columns, rows)
        return pa.table(shape)

    def empty(self) -> pa.Table:
        """No rows, in the shape `read` answers."""
        shape = {c.name: pa.array([], TYPES[c.data_type]) for c in self.table.columns}
        attributes = {ATTRIBUTE_PREFIX + n: TYPES[ATTRIBUTE_TYPES[a.kind]] for n, a in self.mapping.attributes.items()}
        shape |= {name: pa.array([], attributes[name]) for name in sorted(attributes)}
        shape |= {"_source_file": pa.array([], pa.string()), "_row": pa.array([], pa.int64())}
        return pa.table({**shape, "_parse_errors": pa.array([], pa.string())})

    @property
    def paths(self) -> frozenset[str]:
        """Every column or path of the source that some landed column is made from."""
        return frozenset(name for _, mapped in self._mapped() for name in mapped.source_columns)

    @property
    def address_paths(self) -> frozenset[str]:
        """Columns or paths that hold e-mail addresses and are only ever read for their domain."""
        return frozenset(str(mapped.from_) for _, mapped in self._mapped() if mapped.as_ == "email_domain")

    @cached_property
    def mapping_hash(self) -> str:
        """A hash of everything but the extract that decides what lands; under a new one the extract is landed again."""
        lookups = sorted({mapped.lookup.path for _, mapped in self._mapped() if mapped.lookup is not None})
        not_companies = resources.files("icp").joinpath("not_company_domains.txt").read_bytes()
        parts = {
            "parser": PARSER_VERSION,
            "table": _told(self.mapping.model_dump(mode="json", exclude={"columns", "attributes", *ONLY_DESCRIBES})),
            "columns": {
                n: _told(m.model_dump(mode="json", exclude=ONLY_DESCRIBES - {"path"})) for n, m in self._mapped()
            },
            "contract": [[c.name, c.data_type, c.derived] for c in self.table.columns],
            "timezone": self.timezone,
            "lookups": {path: lookup_hash(self.table.name, self.root, path) for path in lookups},
            "domains": hashlib.sha256(not_companies).hexdigest(),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _mapped(self) -> Iterator[tuple[str, ColumnMapping]]:
        yield from self.mapping.columns.items()
        for name, attribute in self.mapping.attributes.items():
            yield ATTRIBUTE_PREFIX + name, attribute

    def _wanted(self, place: str) -> list[WantedColumn]:
        optional: dict[str, bool] = dict.fromkeys(self.mapping.where, False)
        for _, mapped in self._mapped():
            for name in mapped.source_columns:
                optional[name] = optional.get(name, True) and mapped.optional
        if not optional:
            raise ConfigError(f"{place}: the mapping names no column of the file, only constants. Map at least one.")
        return [WantedColumn(name, allowed) for name, allowed in optional.items()]

    def _chosen(self, place: str, columns: Mapping[str, RawColumn], numbers: Any) -> tuple[dict[str, RawColumn], Any]:
        """The rows `where` asks for; what it leaves out is not of this table."""
        where = self.mapping.where
        keep = np.ones(len(numbers), dtype=bool)
        for name, values in where.items():
            wanted = [raw.as_text(value) or "" for value in values]
            truth = parsing.parse_equals(parsing.clean(columns[name].text), wanted).values
            keep &= pc.fill_null(truth, False).to_numpy(zero_copy_only=False)
        mask = pa.array(keep)
        if not keep.any():
            asked = " and ".join(f"{name} in {[raw.as_text(v) for v in values]}" for name, values in where.items())
            raise ConfigError(
                f"{place}: none of its {len(numbers)} rows has {asked}. Correct `where`, or delete the file."
            )
        kept = {
            name: RawColumn(c.text.filter(mask), None if c.native is None else c.native.filter(mask))
            for name, c in columns.items()
        }
        return kept, numbers[keep]

    # -- one column ----------------------------------------------------------------------------------------------------

    def _parse(self, name: str, mapped: ColumnMapping, columns: Mapping[str, RawColumn], rows: int) -> Parsed:
        if mapped.value is not None:
            column = raw.constant(mapped.value, rows)
            fixed = mapped.model_copy(update={"number_format": "us", "date_format": "iso"})
            return self._typed(name, fixed, column, parsing.clean(column.text))
        if mapped.concat is not None:
            column = RawColumn(self._joined(mapped, columns))
            return self._typed(name, mapped, column, column.text)
        column = columns[str(mapped.from_)]
        text = self._clean(mapped, column)
        if mapped.lookup is not None:
            found = self._lookups[mapped.lookup].find(text)
            return parsing.parsed(self._typed(name, mapped, RawColumn(found), found).values, text)
        if mapped.minor_units_of is not None:
            return self._major(mapped, column, text, columns[mapped.minor_units_of])
        if mapped.minus is not None:
            return self._difference(mapped, column, text, columns[mapped.minus])
        return self._typed(name, mapped, column, text)

    def _typed(self, name: str, mapped: ColumnMapping, column: RawColumn, text: pa.Array) -> Parsed:
        if mapped.as_ == "email_domain":
            return parsing.parse_email_domain(text)
        if mapped.equals is not None:
            truth = parsing.parse_equals(text, [raw.as_text(value) or "" for value in mapped.equals])
            return Parsed(truth.values.cast(TYPES[self._type_of(name)]), truth.failed)
        if isinstance(mapped, AttributeMapping) and mapped.kind == "set":
            return parsing.parse_set(text, mapped.delimiter)
        return self._by_type(self._type_of(name), mapped, column, text)

    def _by_type(self, data_type: str, mapped: ColumnMapping, column: RawColumn, text: pa.Array) -> Parsed:
        dates = mapped.date_format or self.mapping.date_format
        match data_type:
            case "double":
                return parsing.parse_number(column, text, mapped.number_format or self.mapping.number_format)
            case "boolean":
                return parsing.parse_boolean(text)
            case "timestamp":
                return parse_instant(column, text, dates, self._clock(mapped))
            case "date":
                return parse_date(column, text, dates, self._clock(mapped))
        return parsing.parse_text(text)

    def _type_of(self, name: str) -> str:
        column = self.table.column(name)
        if column is not None:
            return column.data_type
        return ATTRIBUTE_TYPES[self.mapping.attributes[name.removeprefix(ATTRIBUTE_PREFIX)].kind]

    def _clock(self, mapped: ColumnMapping) -> Clock:
        zone = mapped.timezone or self.mapping.timezone
        return Clock(times=ZoneInfo(zone or "UTC"), days=ZoneInfo(zone or self.timezone))

    def _clean(self, mapped: ColumnMapping, column: RawColumn) -> pa.Array:
        return parsing.clean(column.text, (*self.mapping.missing, *mapped.missing))

    def _joined(self, mapped: ColumnMapping, columns: Mapping[str, RawColumn]) -> pa.Array:
        parts = [self._clean(mapped, columns[name]) for name in mapped.concat or ()]
        return pc.binary_join_element_wise(*parts, mapped.separator)

    def _difference(self, mapped: ColumnMapping, column: RawColumn, text: pa.Array, minus: RawColumn) -> Parsed:
        numbers = mapped.number_format or self.mapping.number_format
        first = parsing.parse_number(column, text, numbers)
        second = parsing.parse_number(minus, self._clean(mapped, minus), numbers)
        return Parsed(pc.subtract(first.values, second.values), pc.or_(first.failed, second.failed))

    def _major(self, mapped: ColumnMapping, column: RawColumn, text: pa.Array, currency: RawColumn) -> Parsed:
        """An amount that counts the smallest units of its currency, in whole ones."""
        numbers = mapped.number_format or self.mapping.number_format
        amount = parsing.parse_number(column, text, numbers)
        codes = self._clean(mapped, currency).to_pylist()
        units = pa.array([float(units_of(code)) for code in codes], pa.float64())
        return Parsed(pc.divide(amount.values, units), amount.failed)

    @cached_property
    def _lookups(self) -> dict[Lookup, LookupTable]:
        lookups = {mapped.lookup for _, mapped in self._mapped() if mapped.lookup is not None}
        return {lookup: read_lookup(self.table.name, self.root, lookup, self.mapping.csv) for lookup in lookups}

    # -- the table -----------------------------------------------------------------------------------------------------

    def _shaped(self, parsed: Mapping[str, Parsed], rows: int) -> dict[str, pa.Array]:
        shape = {}
        for column in self.table.columns:
            kind = TYPES[column.data_type]
            known = parsed.get(column.name)
            shape[column.name] = pa.nulls(rows, kind) if known is None else known.values.cast(kind)
        for column in self.table.columns:
            if column.derived == "registrable_domain":
                shape[column.name] = _domains(shape["website"])
        attributes = sorted(name for name in parsed if name.startswith(ATTRIBUTE_PREFIX))
        return {**shape, **{name: parsed[name].values for name in attributes}}

    def _notes(self, parsed: Mapping[str, Parsed], columns: Mapping[str, RawColumn], rows: int) -> pa.Array:
        notes: dict[int, list[str]] = {}
        mapped = dict(self._mapped())
        for name, result in parsed.items():
            for row in np.flatnonzero(result.failed.to_numpy(zero_copy_only=False)).tolist():
                notes.setdefault(row, []).append(f"{name}={_shown(mapped[name], columns, row)}")
        texts: list[str | None] = [None] * rows
        for row, parts in notes.items():
            texts[row] = "; ".join(parts)
        return pa.array(texts, pa.string())


def _told(mapping: dict[str, Any]) -> dict[str, Any]:
    told = {name: _told(value) if isinstance(value, dict) else value for name, value in mapping.items()}
    return {name: value for name, value in told.items() if name not in ADDED_LATER or value != ADDED_LATER[name]}


def _domains(websites: pa.Array) -> pa.Array:
    encoded = websites.dictionary_encode()
    domains = pa.array(registrable_domains(encoded.dictionary.to_pylist()), pa.string())
    return domains.take(encoded.indices)


def _shown(mapped: ColumnMapping, columns: Mapping[str, RawColumn], row: int) -> str:
    """What the file says there, in quotes; an e-mail address is not repeated, because none may land."""
    if mapped.as_ == "email_domain":
        return "'(no e-mail address)'"
    texts: Iterable[str | None] = (columns[name].text[row].as_py() for name in mapped.source_columns)
    text = " / ".join(text or "" for text in texts) or str(mapped.value)
    text = ADDRESS.sub("", text)
    return repr(text if len(text) <= LONGEST_NOTE else text[:LONGEST_NOTE] + "…")
