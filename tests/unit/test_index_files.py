"""The index page read from a real store: it follows every decision and look, and what is published stays as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_index_page import look
from test_publication import write_revision

from flows.compared import write_comparisons
from flows.index_page import index_data, write_index
from icp import config
from icp.config import Settings
from icp.published import PublishedStore
from icp.serialize import to_json

AT = datetime(2026, 10, 6, 4, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    tables = "{accounts: {path: a.csv, columns: {account_id: id}}}"
    text = f"config_version: 1\ncompany: Acme\nlake: lake\nsources:\n  crm: {{kind: files, tables: {tables}}}\n"
    (tmp_path / "icp.yml").write_text(text, encoding="utf-8")
    return config.load(tmp_path / "icp.yml", {})


def publish(store: PublishedStore, quarter: str, key: str) -> int:
    working = store.open_working(quarter)
    write_revision(working)
    return store.commit(working, quarter, {"run_key": key, "as_of": AT.isoformat()}).revision


def decide(store: PublishedStore, quarter: str, number: int, decision: str) -> None:
    store.record_decision(quarter, number, decision, by="ann", reason="seen", at=AT)  # type: ignore[arg-type]


def standings(settings: Settings) -> dict[str, str]:
    return {revision.path: revision.standing for revision in index_data(settings, "main").revisions}


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "index.html"}


def test_states_follow_the_decisions(settings: Settings) -> None:
    store = PublishedStore(settings.lake, "main")
    publish(store, "2026Q2", "a")
    publish(store, "2026Q3", "b")
    publish(store, "2026Q3", "c")
    decide(store, "2026Q2", 1, "approved")
    decide(store, "2026Q3", 1, "held")
    assert standings(settings) == {"2026Q2/r1": "in force", "2026Q3/r1": "held", "2026Q3/r2": "undecided"}
    decide(store, "2026Q3", 2, "held")
    assert standings(settings) == {"2026Q2/r1": "in force", "2026Q3/r1": "replaced", "2026Q3/r2": "held"}
    published = content(settings.lake / "published")
    page = write_index(settings, "main")
    first = page.read_bytes()
    assert content(settings.lake / "published") == published
    assert store.quarters() == ["2026Q2", "2026Q3"] and store.verify("2026Q3", 1) == ()
    decide(store, "2026Q3", 1, "approved")
    decide(store, "2026Q3", 2, "rejected")
    assert standings(settings) == {"2026Q2/r1": "was in force", "2026Q3/r1": "in force", "2026Q3/r2": "rejected"}
    write_index(settings, "main")
    assert page.read_bytes() != first
    decide(store, "2026Q3", 2, "approved")
    assert standings(settings)["2026Q3/r1"] == "approved"
    decide(store, "2026Q3", 2, "rolled_back")
    assert standings(settings)["2026Q3/r2"] == "rolled back"


def test_the_page_is_written_only_when_it_says_something_else(settings: Settings) -> None:
    decide(store := PublishedStore(settings.lake, "main"), "2026Q3", publish(store, "2026Q3", "a"), "approved")
    page = write_index(settings, "main")
    before = page.stat().st_ino
    assert write_index(settings, "main").stat().st_ino == before
    watched = settings.lake / "monitor/main"
    watched.mkdir(parents=True)
    (watched / "2026-11-16.json").write_text(to_json(look("2026-11-16")), encoding="utf-8")
    (watched / "state.json").write_text("{}", encoding="utf-8")
    assert "2026-11-16" in write_index(settings, "main").read_text(encoding="utf-8")
    assert page.stat().st_ino != before


def test_damaged_files_are_named_and_the_rest_is_shown(settings: Settings) -> None:
    decide(store := PublishedStore(settings.lake, "main"), "2026Q2", publish(store, "2026Q2", "a"), "approved")
    publish(store, "2026Q3", "b")
    for name in ("profile.yml", "backtest.json"):
        damaged = store.path("2026Q3", 1) / name
        damaged.chmod(0o644)
        damaged.write_bytes(b"\xff{")
    watched = settings.lake / "monitor/main"
    watched.mkdir(parents=True)
    (watched / "2026-11-16.json").write_text('{"schema_version": 1}', encoding="utf-8")
    html = write_index(settings, "main").read_text(encoding="utf-8")
    assert "cannot be read by this version" in html and "monitor/main/2026-11-16.json" in html
    assert "The ICP in force is that of 2026Q2" in html


def test_two_icps_are_held_together_while_both_are_in_force(tmp_path: Path) -> None:
    tables = "{accounts: {path: a.csv, columns: {account_id: id}}}"
    text = f"config_version: 1\ncompany: Acme\nsources:\n  crm: {{kind: files, tables: {tables}}}\n"
    (tmp_path / "icp.yml").write_text(text + "icps: {main: {}, north: {}}\n", encoding="utf-8")
    settings = config.load(tmp_path / "icp.yml", {})
    main, north = (PublishedStore(settings.lake, name) for name in settings.icps)
    kept, beside = settings.lake / "compared/main~north.json", north.root / "beside-main.html"
    (kept.parent / "gone~main.json").parent.mkdir(parents=True)
    (kept.parent / "gone~main.json").write_text("{}")
    for store in (main, north):
        publish(store, "2026Q2", "a")
        decide(store, "2026Q2", 1, "approved")
        write_index(settings, store.icp)
    told = kept.read_bytes()
    assert b"acc-0000" in told and beside.exists()
    kept.write_text("{}")  # as if the ICP in force had been another
    publish(main, "2026Q3", "b")
    decide(main, "2026Q3", 1, "approved")
    write_index(settings, "main")
    assert kept.read_bytes() == told
    for quarter in ("2026Q3", "2026Q2"):
        decide(main, quarter, 1, "rolled_back")
    write_index(settings, "main")
    assert not kept.exists() and not beside.exists()
    assert "beside-main.html" not in (north.root / "index.html").read_text(encoding="utf-8")
    assert write_comparisons(settings) == [] and not list(kept.parent.iterdir())
