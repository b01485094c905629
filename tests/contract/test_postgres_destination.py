"""The list as a table of a real PostgreSQL: one transaction, equal rows untouched, clear about what does not fit."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from published_lists import accounts, apply, last_plan, plan, project, publish, taken_back, told

from benchmarks.postgres_server import PASSWORD, PostgresServer, is_installed, postgres_server
from icp.config import Settings
from icp.errors import ConfigError, TryLater

pytestmark = pytest.mark.skipif(not is_installed(), reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        server.psql("-c", "create schema icp")
        yield server


def there(
    folder: Path, server: PostgresServer, table: str, monkeypatch: pytest.MonkeyPatch, more: str = ""
) -> Settings:
    monkeypatch.setenv("PG_DSN", server.dsn())
    return project(folder, f"kind: postgres, dsn_env: PG_DSN, table: {table}{more}")


def rows(server: PostgresServer, table: str) -> list[str]:
    return server.psql("-c", f"select account_id, fit_score, is_icp_qualified, known_at from {table} order by 1").split(
        "\n"
    )[:-1]


def test_a_list_becomes_a_table_once_changes_with_the_list_and_is_taken_back(tmp_path, postgres, monkeypatch) -> None:
    settings = there(tmp_path, postgres, "icp.accounts", monkeypatch)
    publish(settings, "2026Q2", accounts(a=80, b=None, c=30))
    assert told(settings)["rows"] == {"ok": 1}
    first = rows(postgres, "icp.accounts")
    assert first == ["a\t80\tt\t2026-09-30 00:00:00", "b\t\t\t2026-09-30 00:00:00", "c\t30\tf\t2026-09-30 00:00:00"]
    assert postgres.psql("-c", "select account_name from icp.accounts where account_id = 'a'") == "=CMD(a) \u202e \n"
    first_plan = last_plan(settings)
    untouched = postgres.psql("-c", "select xmin from icp.accounts where account_id = 'c'")
    assert told(settings) is None
    publish(settings, "2026Q3", accounts(a=81, c=30, d=5))
    told(settings)
    second_plan = last_plan(settings)
    assert [row.split("\t")[:2] for row in rows(postgres, "icp.accounts")] == [["a", "81"], ["c", "30"], ["d", "5"]]
    assert postgres.psql("-c", "select xmin from icp.accounts where account_id = 'c'") == untouched
    taken_back(settings, second_plan)
    assert rows(postgres, "icp.accounts") == first
    taken_back(settings, first_plan)
    assert rows(postgres, "icp.accounts") == []


def test_a_table_of_another_shape_is_left_as_it_is_and_the_plan_goes_on_once_it_is_mended(
    tmp_path, postgres, monkeypatch
) -> None:
    settings = there(tmp_path, postgres, "icp.shaped", monkeypatch)
    publish(settings, "2026Q2", accounts(a=80))
    columns = "account_id text, account_name varchar, fit_score smallint, win_probability numeric, known_at timestamp"
    postgres.psql("-c", f"create table icp.shaped ({columns}, note text default 'ours')")
    name = plan(settings)["plan"]
    for mend, says in (
        ("alter table icp.shaped add is_icp_qualified date", r"has another shape: it lacks is_icp_qualified"),
        ("alter table icp.shaped drop is_icp_qualified, add is_icp_qualified boolean", r"is_icp_qualified.* is of type date"),
        ("alter table icp.shaped add primary key (account_id)", r"account_id is neither its primary key nor unique"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=says) as said:
            apply(settings, name)
        assert PASSWORD not in str(said.value) and "Nothing was changed" in str(said.value)
        assert postgres.psql("-c", "select count(*) from icp.shaped") == "0\n"
        postgres.psql("-c", mend)
    assert apply(settings, name)["rows"] == {"ok": 1}
    assert postgres.psql("-c", "select account_id, fit_score, note from icp.shaped") == "a\t80\tours\n"


def test_a_column_of_lists_arrives_as_json(tmp_path, postgres, monkeypatch) -> None:
    settings = there(tmp_path, postgres, "icp.listed", monkeypatch)
    publish(settings, "2026Q2", accounts(a=80).assign(account_name=[["x", "y"]]))
    told(settings)
    assert postgres.psql("-c", "select account_name from icp.listed") == '["x", "y"]\n'


def test_rows_of_somebody_else_are_left_alone_until_they_are_taken_over(tmp_path, postgres, monkeypatch) -> None:
    postgres.psql("-c", "create table public.mine (account_id text primary key, account_name text, fit_score bigint, "
                  "win_probability float8, is_icp_qualified boolean, known_at timestamp)",
                  "-c", "insert into mine values ('z', 'Mine')")  # fmt: skip
    settings = there(tmp_path, postgres, "mine", monkeypatch)
    publish(settings, "2026Q2", accounts(a=80))
    assert plan(settings)["plan"] is None
    told(there(tmp_path, postgres, "mine", monkeypatch, ", existing: replace"))
    assert [row.split("\t")[0] for row in rows(postgres, "mine")] == ["a"]


def test_a_login_or_a_database_that_is_wrong_is_said_without_the_password(tmp_path, postgres, monkeypatch) -> None:
    settings = there(tmp_path, postgres, "icp.accounts", monkeypatch)
    publish(settings, "2026Q2", accounts(a=80))
    for dsn, error, says in (
        (postgres.dsn(password="wrong-secret"), ConfigError, "refuses the login.*password authentication failed.*PG_DSN"),
        (postgres.dsn("nowhere"), ConfigError, 'refuses the login.*"nowhere" does not exist'),
        ("host=here", ConfigError, "PG_DSN holds no postgresql://"),
        ("postgresql://icp:wrong-secret@/postgres?host=/tmp/nowhere", TryLater, "does not answer.*icp sync apply"),
    ):  # fmt: skip
        monkeypatch.setenv("PG_DSN", dsn)
        with pytest.raises(error, match=says) as said:
            plan(settings)
        assert "wrong-secret" not in str(said.value) and PASSWORD not in str(said.value)


def test_a_server_that_goes_down_in_between_loses_nothing(tmp_path, postgres, monkeypatch) -> None:
    settings = there(tmp_path, postgres, "icp.waits", monkeypatch)
    publish(settings, "2026Q2", accounts(a=80))
    told(settings)
    publish(settings, "2026Q3", accounts(a=81))
    name = plan(settings)["plan"]
    lock = subprocess.Popen(
        ["psql", postgres.dsn(), "-q", "-c", "begin; lock table icp.waits; select pg_sleep(30)"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while "AccessExclusive" not in postgres.psql("-c", "select mode from pg_locks"):
        time.sleep(0.05)
    stopping = threading.Timer(0.5, postgres.stop)  # while our transaction waits for the lock
    stopping.start()
    with pytest.raises(TryLater, match="goes on where this one stopped"):
        apply(settings, name)
    stopping.join()
    lock.wait()
    postgres.start()
    assert rows(postgres, "icp.waits")[0].startswith("a\t80")
    assert apply(settings, name)["rows"] == {"ok": 1}
    assert rows(postgres, "icp.waits")[0].startswith("a\t81")


def test_a_commit_whose_answer_was_lost_is_not_done_again(tmp_path, postgres, monkeypatch) -> None:
    settings = there(tmp_path, postgres, "icp.lost", monkeypatch)
    publish(settings, "2026Q2", accounts(a=80))
    name = told(settings)["plan"]
    before = postgres.psql("-c", "select xmin from icp.lost")
    from published_lists import at_desk

    with at_desk(settings) as desk:  # killed between the commit and the ledger
        desk.ledger._db.execute("update rows set state = 'sent'")
    assert apply(settings, name)["rows"] == {"ok": 1}
    assert postgres.psql("-c", "select xmin from icp.lost") == before
