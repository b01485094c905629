"""A load is there whole or not at all, however the process ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dying import killed_at

from icp import atomic
from icp.errors import ConfigError, LockHeld
from icp.lake import Lake, Manifest, SourceFile, StagedLoad, TableToLand

JUNE, JULY, AUGUST = (datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7, 8))
PASSED: Mapping[str, object] = {"results": []}


def rows(*names: str, file: str = "a.csv", sha: str = "f1", mapping: str = "m1") -> TableToLand:
    data = pa.table({"account_id": pa.array(names), "_row": pa.array(range(1, len(names) + 1))})
    return TableToLand(data, (SourceFile(file, sha, 10),), mapping)


def stage(
    lake: Lake,
    *,
    at: datetime = JUNE,
    extracted: datetime = AUGUST,
    supersedes: tuple[str, ...] = (),
    **tables: TableToLand,
) -> StagedLoad:
    return lake.stage_load(
        source="crm",
        effective_at=at,
        extracted_at=extracted,
        tables=tables or {"accounts": rows("x", "y")},
        supersedes=supersedes,
    )


def land(lake: Lake, **how: object) -> Manifest:
    return lake.accept(stage(lake, **how), PASSED)  # type: ignore[arg-type]


def whole_loads(lake: Lake) -> list[str]:
    """Ids of loads, after checking that every file each of them names is there with the recorded bytes."""
    for load in lake.loads():
        for table in load.tables.values():
            assert atomic.sha256_of(lake.root / table.path) == table.sha256
    return [load.load_id for load in lake.loads()]


# -- landing -----------------------------------------------------------------------------------------------------------


def test_a_load_exists_when_it_is_accepted(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    staged = stage(lake)
    assert lake.landed_files(AUGUST) == {} and staged.rows == 2
    assert pq.read_table(staged.table_path("accounts")).num_rows == 2
    manifest = lake.accept(staged, {"results": ["all good"]})
    assert manifest.load_id.startswith("20260601T000000Z-")
    [file] = lake.landed_files(AUGUST)["accounts"]
    assert file == str(tmp_path / f"landing/crm/accounts/load_id={manifest.load_id}/part-0.parquet")
    landed = pq.read_table(file, partitioning=None)
    assert landed.schema.field("_effective_at").type == pa.timestamp("us")
    assert landed["_load_id"].to_pylist() == [manifest.load_id] * 2
    assert landed["_extracted_at"][0].as_py() == datetime(2026, 8, 1)
    assert manifest.gate == {"results": ["all good"], "status": "accepted"}
    assert not staged.folder.exists()


def test_the_manifest_on_disk_has_the_documented_shape(tmp_path: Path) -> None:
    manifest = land(Lake(tmp_path))
    written = atomic.read_json(tmp_path / f"landing/_loads/crm/{manifest.load_id}.json")
    assert set(written) == {
        "schema_version",
        "load_id",
        "source",
        "extracted_at",
        "effective_at",
        "supersedes",
        "tables",
        "gate",
    }
    assert set(written["tables"]["accounts"]) == {
        "rows",
        "files",
        "mapping_hash",
        "sha256",
        "content_hash",
        "schema_hash",
        "path",
    }
    assert written["effective_at"] == "2026-06-01T00:00:00Z"
    assert Manifest.from_json(written) == manifest


def test_only_what_was_true_by_then_counts(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    july, june = land(lake, at=JULY), land(lake, at=JUNE)
    assert [load.load_id for load in lake.accepted_loads(AUGUST)] == [june.load_id, july.load_id]
    assert [load.load_id for load in lake.accepted_loads(JUNE)] == [june.load_id]
    assert lake.accepted_loads(datetime(2026, 5, 1, tzinfo=UTC)) == []


def test_a_superseded_table_is_gone_and_its_neighbour_stays(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    old = land(lake, accounts=rows("x"), revenue=rows("r"))
    new = land(lake, accounts=rows("x", mapping="m2"), supersedes=(old.load_id,))
    first, second = sorted(lake.accepted_loads(AUGUST), key=lambda load: load.load_id != old.load_id)
    assert (set(first.tables), set(second.tables)) == ({"revenue"}, {"accounts"})
    last = land(lake, revenue=rows("r", mapping="m2"), supersedes=(old.load_id,))
    assert {load.load_id for load in lake.accepted_loads(AUGUST)} == {new.load_id, last.load_id}
    assert len(lake.loads()) == 3


def test_the_inputs_hash_ignores_the_day_of_landing(tmp_path: Path) -> None:
    first, second = Lake(tmp_path / "a"), Lake(tmp_path / "b")
    for lake, extracted in ((first, JULY), (second, AUGUST)):
        land(lake, extracted=extracted)
    assert first.inputs_hash(AUGUST) == second.inputs_hash(AUGUST)
    before = second.inputs_hash(JUNE)
    land(second, at=JULY, accounts=rows("z"))
    assert second.inputs_hash(JUNE) == before != second.inputs_hash(AUGUST)
    third = Lake(tmp_path / "c")
    land(third, accounts=rows("x", "other"))
    assert third.inputs_hash(AUGUST) != first.inputs_hash(AUGUST)


def test_accepting_twice_lands_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first = land(lake)
    assert land(lake, extracted=JULY) == first
    assert whole_loads(lake) == [first.load_id]


def test_the_lake_can_be_moved(tmp_path: Path) -> None:
    land(Lake(tmp_path / "here"))
    (tmp_path / "here").rename(tmp_path / "there")
    [file] = Lake(tmp_path / "there").landed_files(AUGUST)["accounts"]
    assert Path(file).is_file()


# -- quarantine --------------------------------------------------------------------------------------------------------


def test_a_refused_load_is_kept_whole_and_not_read(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    held = lake.quarantine(stage(lake), {"failures": [{"rule": "unique", "rows": [1]}]})
    assert lake.landed_files(AUGUST) == {} and list((tmp_path / "landing/_incoming").iterdir()) == []
    [load] = lake.quarantined()
    assert load.report == {"failures": [{"rule": "unique", "rows": [1]}]}
    assert load.manifest.gate["status"] == "rejected" and load.folder == held.folder
    assert (load.folder / load.manifest.tables["accounts"].path).is_file()


def test_release_accepts_after_all_and_says_who(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    load_id = lake.quarantine(stage(lake), {}).manifest.load_id
    manifest = lake.release(load_id, by="Ada", reason="known duplicate", at=AUGUST)
    assert lake.quarantined() == [] and whole_loads(lake) == [load_id]
    assert manifest.gate["released"]["by"] == "Ada"
    assert atomic.read_json(tmp_path / "quarantine/log.json")[0]["reason"] == "known duplicate"


def test_drop_forgets_the_load(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    load_id = lake.quarantine(stage(lake), {}).manifest.load_id
    lake.drop(load_id, by="Ada", reason="fetched again", at=AUGUST)
    assert lake.quarantined() == [] and lake.loads() == []
    with pytest.raises(ConfigError, match="it holds no load"):
        lake.drop(load_id)


# -- killed at every write ---------------------------------------------------------------------------------------------


def check_every_kill(tmp_path: Path, prepare: Callable[[Lake], Callable[[], object]], outcomes: list[int]) -> int:
    """Kill at the first change, the second ...; after each the lake holds an allowed number of loads, all whole."""
    for write in range(200):
        lake = Lake(tmp_path / str(write))
        action = prepare(lake)
        died = killed_at(write, lake.root, action)
        assert len(whole_loads(lake)) in outcomes
        with lake.lock():
            pass
        assert len(whole_loads(lake)) in outcomes
        assert [p for p in lake.root.rglob(".*") if p.name not in (".lock",)] == []
        if not died:
            assert len(whole_loads(lake)) == outcomes[-1]
            return write
        assert killed_at(10_000, lake.root, prepare(lake)) is False  # the same again, to the end
        assert len(whole_loads(lake)) == outcomes[-1] and lake.quarantined() == []
    raise AssertionError("the action never ended")


def test_killed_while_accepting(tmp_path: Path) -> None:
    def prepare(lake: Lake) -> Callable[[], object]:
        staged = stage(lake, accounts=rows("x"), revenue=rows("r"))
        return lambda: lake.accept(staged, PASSED)

    assert check_every_kill(tmp_path, prepare, [0, 1]) > 5


def test_killed_while_releasing(tmp_path: Path) -> None:
    def prepare(lake: Lake) -> Callable[[], object]:
        if not lake.loads() and not lake.quarantined():
            lake.quarantine(stage(lake), {})
        held = [load.manifest.load_id for load in lake.quarantined()]
        return lambda: [lake.release(load_id, by="Ada", reason="", at=AUGUST) for load_id in held]

    assert check_every_kill(tmp_path, prepare, [0, 1]) > 8


def test_killed_while_refusing_keeps_the_load_out(tmp_path: Path) -> None:
    for write in range(50):
        lake = Lake(tmp_path / str(write))
        staged = stage(lake)
        died = killed_at(write, lake.root, lambda lake=lake, staged=staged: lake.quarantine(staged, {"rule": "x"}))  # type: ignore[misc]
        assert lake.loads() == [] and len(lake.quarantined()) in (0, 1)
        if not died:
            assert len(lake.quarantined()) == 1
            return
    raise AssertionError("quarantine never ended")


def test_what_a_dead_process_staged_is_swept(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    mine = stage(lake)
    dead = not killed_at(0, tmp_path / "nowhere", lambda: (lake.incoming / atomic.claim("left-behind")).mkdir())
    orphan = tmp_path / "landing/crm/accounts/load_id=never-finished"
    orphan.mkdir(parents=True)
    assert dead and len(list(lake.incoming.iterdir())) == 2
    with lake.lock():
        assert list(lake.incoming.iterdir()) == [mine.folder]
    assert not orphan.exists()


# -- lock and ledger ---------------------------------------------------------------------------------------------------


def test_one_writer(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with (
        lake.lock(),
        pytest.raises(LockHeld, match=rf"process {os.getpid()} on .*, since \d{{4}}-") as caught,
        Lake(tmp_path).lock(),
    ):
        raise AssertionError("two writers")
    assert caught.value.exit_code == 5
    with lake.lock():
        assert (tmp_path / ".lock.json").exists()
    assert not (tmp_path / ".lock.json").exists()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with Lake(tmp_path).lock():
            os.write(writer, b"x")
            time.sleep(60)
        os._exit(0)
    os.read(reader, 1)
    with pytest.raises(LockHeld, match=f"process {pid} "), Lake(tmp_path).lock():
        raise AssertionError("two writers")
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    with Lake(tmp_path).lock():
        pass


def test_runs_are_kept(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write_run("2026-08-01-a", {"verdict": "no change"})
    assert lake.runs() == [{"schema_version": 1, "run_id": "2026-08-01-a", "verdict": "no change"}]
