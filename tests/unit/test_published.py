"""A revision is published whole, never changes, and is not made again when nothing changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dying import killed_at

from icp import atomic
from icp.errors import ConfigError
from icp.published import Commit, PublishedStore

AT = datetime(2026, 10, 6, tzinfo=UTC)


def store_in(tmp_path: Path) -> PublishedStore:
    return PublishedStore(tmp_path / "lake", "main")


def publish(store: PublishedStore, quarter: str = "2026Q3", verdict: str = "no change", run_key: str = "k1") -> Commit:
    working = store.open_working(quarter)
    (working / "lists").mkdir()
    (working / "lists" / "a.csv").write_text("account_id\n1\n")
    (working / "diff.md").write_text(verdict)
    return store.commit(working, quarter, {"run_key": run_key})


def approve(store: PublishedStore, quarter: str, revision: int = 1, decision: str = "approved") -> bool:
    return store.record_decision(quarter, revision, decision, by="auto", reason="first", at=AT)  # type: ignore[arg-type]


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_publishing_makes_a_sealed_revision(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    commit = publish(store)
    assert (commit.is_new, commit.revision, commit.path.name) == (True, 1, "r1")
    manifest = store.manifest(commit.path)
    assert set(manifest["files"]) == {"diff.md", "lists/a.csv"}
    assert manifest["files"]["diff.md"]["sha256"] == atomic.sha256_of(commit.path / "diff.md")
    assert (manifest["icp"], manifest["quarter"], manifest["revision"], manifest["run_key"]) == (
        "main",
        "2026Q3",
        1,
        "k1",
    )
    assert (commit.path / "diff.md").stat().st_mode & 0o222 == 0
    assert (store.quarters(), store.revisions("2026Q3"), store.latest("2026Q3")) == (["2026Q3"], [1], commit.path)
    assert store.latest("2026Q2") is None


def test_the_same_again_publishes_nothing(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    first = publish(store)
    before = bytes_below(store.root)
    again = publish(store)
    assert (again.is_new, again.path) == (False, first.path)
    assert bytes_below(store.root) == before
    assert [p.name for p in (store.root / "2026Q3").iterdir()] == ["r1"]


def test_anything_else_is_a_new_revision(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    publish(store)
    assert publish(store, run_key="k2").revision == 2
    surprise = publish(store, run_key="k2", verdict="not the same")
    assert (surprise.revision, surprise.unexpected) == (3, ("diff.md",))
    assert store.revisions("2026Q3") == [1, 2, 3]


def test_tampering_is_found(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    path = publish(store).path
    assert store.verify("2026Q3", 1) == ()
    (path / "diff.md").chmod(0o644)
    (path / "diff.md").write_text("all is well")
    (path / "lists" / "a.csv").unlink()
    (path / "extra.txt").write_text("")
    assert store.verify("2026Q3", 1) == ("diff.md was changed", "extra.txt was added", "lists/a.csv is missing")
    with pytest.raises(ConfigError, match="has no revision r7; it has r1"):
        store.verify("2026Q3", 7)


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    one, two = store_in(tmp_path / "one"), store_in(tmp_path / "two")
    assert one.fingerprint(publish(one).path) == two.fingerprint(publish(two, run_key="other").path)
    assert one.fingerprint(publish(one, verdict="x", run_key="k2").path) != two.fingerprint(two.root / "2026Q3/r1")


def test_killed_while_publishing(tmp_path: Path) -> None:
    def prepare(store: PublishedStore) -> Callable[[], object]:
        return lambda: publish(store, run_key="k2", verdict="new")

    for write in range(100):
        store = store_in(tmp_path / str(write))
        publish(store)
        died = killed_at(write, store.root, prepare(store))
        assert store.revisions("2026Q3") in ([1], [1, 2])
        assert all(store.verify("2026Q3", n) == () for n in store.revisions("2026Q3"))
        prepare(store)()
        assert store.revisions("2026Q3") == [1, 2]
        assert sorted(p.name for p in (store.root / "2026Q3").iterdir()) == ["r1", "r2"]
        if not died:
            assert write > 5
            return
    raise AssertionError("publishing never ended")


def test_killed_while_deciding(tmp_path: Path) -> None:
    for write in range(50):
        store = store_in(tmp_path / str(write))
        publish(store, "2026Q2")
        publish(store, "2026Q3")
        approve(store, "2026Q2")
        died = killed_at(write, store.root, lambda store=store: approve(store, "2026Q3"))  # type: ignore[misc]
        assert store.current()["quarter"] in ("2026Q2", "2026Q3")  # type: ignore[index]
        approve(store, "2026Q3")
        assert store.current()["quarter"] == "2026Q3"  # type: ignore[index]
        assert json.loads((store.root / "current.json").read_text())["path"] == "2026Q3/r1"
        if not died:
            return
    raise AssertionError("deciding never ended")


# -- decisions ---------------------------------------------------------------------------------------------------------


def test_nothing_is_in_force_before_an_approval(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    publish(store)
    assert store.current() is None and store.incumbent("2026Q4") is None
    approve(store, "2026Q3", decision="held")
    assert store.current() is None and not (store.root / "current.json").exists()
    assert approve(store, "2026Q3")
    assert store.current()["revision"] == 1  # type: ignore[index]


def test_the_incumbent_is_the_approved_revision_of_the_newest_earlier_quarter(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for quarter in ("2026Q1", "2026Q2", "2026Q3"):
        publish(store, quarter)
    approve(store, "2026Q1")
    approve(store, "2026Q2")
    assert store.incumbent("2026Q3") == store.path("2026Q2", 1)
    assert store.incumbent("2026Q2") == store.path("2026Q1", 1)
    assert store.incumbent("2026Q1") is None
    approve(store, "2026Q2", decision="rejected")
    assert store.incumbent("2026Q3") == store.path("2026Q1", 1)


def test_a_backfill_does_not_replace_the_present(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    publish(store, "2026Q3")
    publish(store, "2025Q1")
    approve(store, "2026Q3")
    approve(store, "2025Q1")
    assert store.current()["quarter"] == "2026Q3"  # type: ignore[index]


def test_a_rollback_returns_to_what_was_approved_before(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    publish(store)
    publish(store, run_key="k2", verdict="new")
    approve(store, "2026Q3", 1)
    approve(store, "2026Q3", 2)
    approve(store, "2026Q3", 2, "rolled_back")
    assert store.current()["revision"] == 1  # type: ignore[index]
    assert store.decision_on("2026Q3", 2).decision == "rolled_back"  # type: ignore[union-attr]
    assert approve(store, "2026Q3", 2) and store.current()["revision"] == 2  # type: ignore[index]
    assert approve(store, "2026Q3", 1) and store.current()["revision"] == 1  # type: ignore[index]


def test_a_decision_that_stands_is_not_written_again(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    publish(store)
    approve(store, "2026Q3")
    before = bytes_below(store.root)
    assert approve(store, "2026Q3") is False
    assert bytes_below(store.root) == before


def test_decisions_about_nothing_are_refused(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with pytest.raises(ConfigError, match="no revision r1; it has no revision"):
        approve(store, "2026Q3")
    publish(store)
    with pytest.raises(ValueError, match="'maybe' is not a decision"):
        approve(store, "2026Q3", decision="maybe")


def test_a_look_back_knows_only_what_had_been_decided_by_then(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for quarter in ("2026Q2", "2026Q3"):
        publish(store, quarter)
    for quarter, decision, day in (
        ("2026Q2", "approved", 5),
        ("2026Q3", "approved", 10),
        ("2026Q3", "rolled_back", 20),
    ):
        at = datetime(2026, 10, day, tzinfo=UTC)
        store.record_decision(quarter, 1, decision, by="ann", reason="said so", at=at)  # type: ignore[arg-type]
    in_force = [store.incumbent("2026Q4", decided_by=datetime(2026, 10, day, tzinfo=UTC)) for day in (4, 7, 15, 25)]
    second, third = store.path("2026Q2", 1), store.path("2026Q3", 1)
    assert in_force == [None, second, third, second]
    assert [store.has_decided_by(datetime(2026, 10, day, tzinfo=UTC)) for day in (4, 5)] == [False, True]
