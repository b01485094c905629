"""Files behind URLs: a real S3-compatible server, fsspec's memory, and all that can be wrong with either."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from object_store import KEY, SECRET

from flows.doctor import check
from flows.ingest import ingest, raise_if_refused
from icp.config import Settings, load
from icp.errors import ConfigError, TryLater
from icp.lake import Lake
from icp.sources import files

NOW = datetime(2026, 7, 1, tzinfo=UTC)
STORAGE = "    storage: {{endpoint_url: '{url}', key_env: STORE_KEY, secret_env: STORE_SECRET, timeout_seconds: 2}}\n"


BUCKET = "extracts"
pytestmark = pytest.mark.usefixtures("store_keys")


def project(folder: Path, path: str, storage: str = "", extra: str = "") -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "icp.yml").write_text(
        f"""\
config_version: 1
company: Acme
sources:
  crm:
    kind: files
{storage}    tables:
      accounts:
        path: {path}
        effective_at: {{from_filename: '_(\\d{{4}}-\\d{{2}}-\\d{{2}})'}}
        columns: {{account_id: id, account_name: name, employees: staff, created_at: since}}
{extra}""",
        encoding="utf-8",
    )
    return load(folder)


def land(settings: Settings) -> list[tuple[str, int]]:
    """Day and rows of every load that is new."""
    lake = Lake(settings.lake)
    with lake.lock():
        loads = [lake.accept(s, {}) for s in files.pull(settings, "crm", lake, extracted_at=NOW)]
    return [(f"{load.effective_at:%Y-%m-%d}", load.tables["accounts"].rows) for load in loads]


def rows(settings: Settings) -> list[tuple[object, ...]]:
    landed = Lake(settings.lake).landed_files()["accounts"]
    read = [row for file in landed for row in pq.read_table(file, partitioning=None).to_pylist()]
    return [(r["account_id"], r["account_name"], r["employees"], str(r["created_at"])[:10]) for r in read]


def test_every_format_lands_from_a_bucket_once(tmp_path, store) -> None:
    folder, url = store
    settings = project(tmp_path, "s3://extracts/crm/**/accounts_*", STORAGE.format(url=url))
    place = folder / "crm/2026"
    place.mkdir(parents=True)
    header = "id,name,staff,since\n"
    (place / "accounts_2026-01-31.csv").write_text(header + "1,One,10,2020-01-02\n")
    (place / "accounts_2026-02-28.csv.gz").write_bytes(gzip.compress((header + "2,Two,20,2020-01-02\n").encode()))
    (place / "accounts_2026-03-31.jsonl").write_text('{"id": 3, "name": "Three", "staff": 30, "since": "2020-01-02"}\n')
    table = pa.table({"id": ["4"], "name": ["Four"], "staff": [40], "since": ["2020-01-02"]})
    pq.write_table(table, place / "accounts_2026-04-30.parquet")
    workbook(place / "accounts_2026-05-31.xlsx", {"Companies": [[5, "Five", 50, datetime(2020, 1, 2)]]})
    assert land(settings) == [
        ("2026-01-31", 1), ("2026-02-28", 1), ("2026-03-31", 1), ("2026-04-30", 1), ("2026-05-31", 1),
    ]  # fmt: skip
    assert rows(settings) == [
        (str(n), name, 10.0 * n, "2020-01-02") for n, name in enumerate(("One", "Two", "Three", "Four", "Five"), 1)
    ]
    assert land(settings) == []
    # a copy under another name says nothing new; changed bytes under the old name do
    (place / "accounts_2026-01-31.copy.csv").write_bytes((place / "accounts_2026-01-31.csv").read_bytes())
    assert land(settings) == []
    time.sleep(1.1)  # the server tells times of change in seconds
    (place / "accounts_2026-01-31.csv").write_text(header + "1,One,11,2020-01-02\n")
    assert land(settings) == [("2026-01-31", 1)]
    load_files = [f.path for m in Lake(settings.lake).loads() for f in m.tables["accounts"].files]
    assert load_files[0].startswith("s3://extracts/crm/2026/accounts_2026-01-31")
    told = "".join(file.read_bytes().decode("latin-1") for file in tmp_path.rglob("*") if file.is_file())
    assert KEY not in told
    assert SECRET not in told


def test_unchanged_objects_are_not_fetched_again(tmp_path, store) -> None:
    folder, url = store
    (folder / "seen").mkdir()
    object_ = folder / "seen/accounts_2026-01-31.csv"
    object_.write_text("id,name,staff,since\n1,One,10,2020-01-02\n")
    settings = project(tmp_path, "s3://extracts/seen/accounts_*.csv", STORAGE.format(url=url))
    assert len(land(settings)) == 1
    state = tmp_path / "lake/source_state/crm.files.json"
    known = json.loads(state.read_text())
    [(url_of, (tag, size, digest))] = known["files"].items()
    assert (url_of, size) == ("s3://extracts/seen/accounts_2026-01-31.csv", len(object_.read_bytes()))
    known["files"][url_of] = [tag, size, "0" * 64]
    state.write_text(json.dumps(known))
    with pytest.raises(ConfigError, match="changed while it was being read"):
        land(settings)  # the remembered hash is believed until the object is fetched
    known["files"][url_of] = [tag, size, digest]
    state.write_text(json.dumps(known))
    assert land(settings) == []


def test_what_can_be_wrong_with_a_bucket_is_said_and_fails_alone(tmp_path, store, monkeypatch) -> None:
    folder, url = store
    (folder / "wrong").mkdir()
    (folder / "wrong/deals.csv").write_text("id\n1\n")
    good = STORAGE.format(url=url)
    for path, storage, error, says in (
        ("s3://nobody/accounts_*.csv", good, ConfigError, r"there is no bucket or folder .*NO_SUCH_BUCKET"),
        ("s3://extracts/wrong/accounts_*.csv", good, ConfigError, "no file matches"),
        ("s3://extracts/a_*", good.replace("STORE_KEY", "HOME"), ConfigError, "refuses the credentials"),
        ("s3://extracts/a_*", good.replace("STORE_SECRET", "HOME"), ConfigError, "refuses the credentials"),
        ("s3://extracts/a_*", good.replace("STORE_KEY", "NOT_SET"), ConfigError, "NOT_SET is not set"),
        ("s3://extracts/a_*", STORAGE.format(url="http://127.0.0.1:9"), TryLater, "cannot be reached"),
        ("nowhere://extracts/a_*", "", ConfigError, "nowhere:// cannot be read here"),
    ):
        (tmp_path / "more_2026-05-01.csv").write_text("id,name,staff,since\n7,Seven,70,2020-01-01\n", encoding="utf-8")
        other = (
            "  other:\n    kind: files\n    tables:\n      accounts:\n        path: more_*.csv\n"
            "        columns: {account_id: id, account_name: name}\n"
        )
        settings = project(tmp_path, path, storage, other)
        [said] = [finding.what for finding in check(settings) if not finding.ok]
        with pytest.raises(error, match=says):
            land(settings)
        assert KEY not in said
        assert SECRET not in said
    result = ingest(settings, source=None, extracted_at=NOW)
    assert [failed.name for failed in result.failed] == ["crm"]
    assert len(result.accepted) == 1
    with pytest.raises(ConfigError, match=r"source crm: .*nowhere://"):
        raise_if_refused(result)


def test_any_scheme_fsspec_knows(tmp_path) -> None:
    import fsspec

    with fsspec.open("memory://drop/accounts_2026-01-31.csv", "w") as file:
        file.write("id,name,staff,since\n1,One,10,2020-01-02\n")
    settings = project(tmp_path, "memory://drop/accounts_*.csv")
    assert land(settings) == [("2026-01-31", 1)]
    assert land(settings) == []


HEADER = ["id", "name", "staff", "since"]


def workbook(file: Path, sheets: dict[str, list[list[object]]], *, above: int = 0) -> None:
    with xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd"}) as book:
        for name, body in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate([HEADER, *body] if body else []):
                sheet.write_row(number + above, 0, row)


def test_a_sheet_is_found_or_asked_for(tmp_path) -> None:
    day = datetime(2021, 5, 6)
    body = [["x1", "=not a formula", 3.5, day], [], [], ["x2", "Below two blank rows", 1, day]]
    workbook(tmp_path / "a_2026-01-31.xlsx", {"Notes": [], "Data": body}, above=2)
    settings = project(tmp_path, "a_*.xlsx")
    assert land(settings) == [("2026-01-31", 2)]
    assert rows(settings)[0][0] == "x1"
    assert rows(settings)[0][2:] == (3.5, "2021-05-06")
    [file] = Lake(settings.lake).landed_files()["accounts"]
    assert pq.read_table(file, columns=["_row"], partitioning=None)["_row"].to_pylist() == [1, 4]
    two = {"Old": [["o", "Old", 1, day]], "New": [["n", "New", 2, day]]}
    workbook(tmp_path / "b_2026-01-31.xlsx", two)
    settings = project(tmp_path / "two", "../b_*.xlsx")
    with pytest.raises(ConfigError, match=r"has 2 sheets: Old, New\. Say which one holds the table"):
        land(settings)
    file = tmp_path / "two/icp.yml"
    file.write_text(file.read_text().replace("        columns:", "        sheet: New\n        columns:"))
    settings = load(file)
    assert land(settings) == [("2026-01-31", 1)]
    assert rows(settings) == [("n", "New", 2.0, "2021-05-06")]
    file.write_text(file.read_text().replace("sheet: New", "sheet: Nwe"))
    with pytest.raises(ConfigError, match=r"has no sheet 'Nwe'.*It has: Old, New"):
        land(load(file))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a_2026-01-31.xlsx", b"PK\x03\x04 cut off", "is not a readable workbook"),
        ("a_2026-01-31.xlsx", b"<html>log in</html>", "is not a readable workbook"),
        ("a_2026-01-31.xlsx", b"", "is empty"),
        ("a_2026-01-31.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "protected by a password"),
        (
            "a_2026-01-31.csv.gz",
            gzip.compress(b"id,name,staff,since\n1,One,1,2020-01-01\n")[:-9],
            "not a whole gzip file",
        ),
        ("a_2026-01-31.csv.gz", b"id,name\n1,One\n", "not a whole gzip file"),
        ("a_2026-01-31.zip", b"PK", "says no format"),
        (
            "a_2026-01-31.csv",
            b"id,name,heads,since\n1,One,1,2020-01-01\n",
            "has no column `staff`.*It has: id, name, heads",
        ),
    ],
)
def test_a_broken_file_is_refused_whole(tmp_path, name, data, says) -> None:
    (tmp_path / name).write_bytes(data)
    settings = project(tmp_path, "a_*")
    with pytest.raises(ConfigError, match=says):
        land(settings)
    assert Lake(settings.lake).loads() == []
