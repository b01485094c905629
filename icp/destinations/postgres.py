"""A table in PostgreSQL that holds the list. One transaction makes it so: readers see the list before or the one after.

Which list it is stands in the table's comment, set by the same transaction. Rows that are the same are not touched; columns
the list does not have are left alone. asyncpg comes with Prefect.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from icp.config import secret
from icp.config_destinations import PostgresDestination
from icp.destinations.destination import FOREIGN, RESUME, SHOWN, Rejected, Room, Takes, Values, Written, perhaps_done
from icp.destinations.shelf import KEY
from icp.errors import ConfigError, TryLater

if TYPE_CHECKING:
    import pyarrow as pa

TAKES: Takes = "list"
T = TypeVar("T")
OURS = "icp-refresh: "
PATIENCE = 10
"""A list may take so many times as long as a small statement."""
BUSY = ("08", "53", "55P03", "57")
"""Classes of errors that pass: connection, resources, a lock that is held, the server going down."""


def opened(section: PostgresDestination, room: Room) -> Postgres:
    """The table, ready to be looked at."""
    return Postgres(section, room)


class Postgres:
    """A table with one list in it."""

    batch = 1
    remedy = ""

    def __init__(self, section: PostgresDestination, room: Room) -> None:
        self._section, self._shelf, self.calls = section, room.shelf, 0
        self._dsn, self._table = secret(section.dsn_env), ".".join(_quoted(p) for p in section.table.split("."))

    def lacking(self, columns: Sequence[str]) -> tuple[str, ...]:
        return ()

    def create(self, columns: Sequence[str]) -> None:
        """The table is made with the first list."""

    def read(self, accounts: Sequence[str], columns: Sequence[str]) -> dict[str, Values]:
        return {self._section.list: {"list": asyncio.run(self._speaking(self._found))}}

    def write(self, rows: Mapping[str, Values], trace: str) -> Written | Rejected:
        [(account, values)] = rows.items()
        name = values["list"]
        file = None if name is None else self._shelf.path(name)

        async def deliver(connection: Any) -> None:
            async with connection.transaction():
                await self._replace(connection, name, file)

        with perhaps_done():  # the transaction may have been committed
            asyncio.run(self._speaking(deliver))
        return Written({account: None})

    def close(self) -> None:
        """Nothing is held open."""

    # -- parts ---------------------------------------------------------------------------------------------------------

    async def _found(self, connection: Any) -> str | None:
        """The list the table holds; None where it is empty or not there, FOREIGN where its rows are none of ours."""
        there = await connection.fetchval("select to_regclass($1)::oid", self._table)
        if there is None:
            return None
        comment = await connection.fetchval("select obj_description($1, 'pg_class')", there)
        if comment and comment.startswith(OURS):
            return str(comment.removeprefix(OURS))
        return FOREIGN if await connection.fetchval(f"select exists (select 1 from {self._table})") else None

    async def _replace(self, connection: Any, name: str | None, file: Path | None) -> None:
        table, limit = self._table, PATIENCE * self._section.retry.timeout_seconds
        if file is None:
            await connection.execute(f"delete from {table}", timeout=limit)
            await connection.execute(f"comment on table {table} is null")
            return
        import pyarrow.parquet as pq

        schema = pq.read_schema(file)
        columns, key = [_quoted(field.name) for field in schema], _quoted(KEY)
        typed = [f"{column} {_type(field)}" for column, field in zip(columns, schema, strict=True)]
        await connection.execute(f"create table if not exists {table} ({', '.join(typed)}, primary key ({key}))")
        await self._require_shape(connection, schema)
        await connection.execute(f"create temporary table icp_incoming ({', '.join(typed)}) on commit drop")
        await connection.copy_records_to_table(
            "icp_incoming", records=_records(file), columns=schema.names, timeout=limit
        )
        told = ", ".join(columns)
        others = [column for column in columns if column != key]
        now, new = (", ".join(f"{of}.{column}" for column in others) for of in ("listed", "excluded"))
        await connection.execute(
            f"delete from {table} as listed where not exists "
            f"(select 1 from icp_incoming as incoming where incoming.{key} = listed.{key})",
            timeout=limit,
        )
        await connection.execute(
            f"insert into {table} as listed ({told}) select {told} from icp_incoming on conflict ({key}) do update "
            f"set {', '.join(f'{column} = excluded.{column}' for column in others or columns)} "
            f"where ({now or 'true'}) is distinct from ({new or 'true'})",
            timeout=limit,
        )
        await connection.execute(f"comment on table {table} is '{OURS}{name}'")

    async def _require_shape(self, connection: Any, schema: pa.Schema) -> None:
        rows = await connection.fetch(
            "select attname from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped",
            self._table,
        )
        there = {row["attname"] for row in rows}
        if lacking := [name for name in schema.names if name not in there]:
            raise ConfigError(
                f"The table {self._section.table} has another shape: it lacks {', '.join(lacking)}. Add them, or name a "
                f"table that does not exist: it is made. Nothing was changed in it. {RESUME}"
            )

    async def _speaking(self, talk: Callable[[Any], Awaitable[T]]) -> T:
        """What comes of a conversation with the database; what goes wrong with it, in words without its password."""
        import asyncpg

        self.calls += 1
        limit = self._section.retry.timeout_seconds
        settings = {"application_name": "icp-refresh", "lock_timeout": f"{int(limit * 1000)}ms"}
        try:
            connection = await asyncpg.connect(
                self._dsn, timeout=limit, command_timeout=limit, server_settings=settings
            )
            try:
                return await talk(connection)
            finally:
                await connection.close(timeout=limit)
        except asyncpg.PostgresError as problem:
            raise self._explained(problem) from None
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError) as problem:
            if isinstance(problem, asyncpg.ClientConfigurationError):
                raise ConfigError(
                    f"{self._section.dsn_env} holds no postgresql://user:password@host/database."
                ) from None
            if isinstance(problem, ValueError):  # a value that cannot be what its column is, such as a list
                raise self._unfit(str(problem)) from None
            raise TryLater(f"PostgreSQL does not answer ({type(problem).__name__}). {RESUME}") from None

    def _explained(self, problem: Any) -> ConfigError | TryLater:
        state, said = str(problem.sqlstate or ""), " ".join(str(problem).split())[:SHOWN]
        if state.startswith(BUSY):
            return TryLater(f"PostgreSQL cannot do it now ({state}, {said}). {RESUME}")
        if state.startswith("28") or state == "3D000":
            return ConfigError(f"PostgreSQL refuses the login ({said}). Check {self._section.dsn_env}. {RESUME}")
        if state == "42P10":
            said = f"{KEY} is neither its primary key nor unique"
        return self._unfit(f"{state}, {said}")

    def _unfit(self, said: str) -> ConfigError:
        return ConfigError(
            f"The list does not fit the table {self._section.table} ({said[:SHOWN]}). Nothing was changed in it. Mend the "
            f"table, or name one that does not exist: it is made. {RESUME}"
        )


def _records(file: Path) -> Iterator[tuple[Any, ...]]:
    """The rows of a list as PostgreSQL takes them: it has no character of code 0."""
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(file).iter_batches():
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield tuple(_plain(value) for value in row)


def _plain(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value
    return text.replace("\x00", "") if isinstance(text, str) else text


def _type(field: pa.Field) -> str:
    import pyarrow as pa

    kinds = (
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "bigint"),
        (pa.types.is_floating, "double precision"),
        (pa.types.is_decimal, "numeric"),
        (pa.types.is_date, "date"),
        (pa.types.is_timestamp, "timestamptz" if getattr(field.type, "tz", None) else "timestamp"),
    )
    return next((name for is_one, name in kinds if is_one(field.type)), "text")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
