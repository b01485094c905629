"""The list in a bucket of a real S3-compatible server, and in a folder: put, put again, taken back, never over another's."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from object_store import SECRET
from published_lists import accounts, apply, last_plan, plan, project, publish, taken_back, told

from icp.errors import ConfigError, TryLater

BUCKET = "lists"
pytestmark = pytest.mark.usefixtures("store_keys")


def bucket(url: str, path: str = "lists/icp", **other: str) -> str:
    names = {"key_env": "STORE_KEY", "secret_env": "STORE_SECRET"} | other
    how = f"endpoint_url: '{url}', key_env: {names['key_env']}, secret_env: {names['secret_env']}, timeout_seconds: 20"
    return f"kind: storage, url: 's3://{path}', storage: {{{how}}}"


@pytest.fixture(params=["bucket", "folder"])
def place(request, tmp_path: Path, store) -> tuple[Path, str]:
    """Where the files come to lie, and the destination that puts them there."""
    if request.param == "folder":
        return tmp_path / "there", f"kind: storage, url: 'file://{tmp_path}/there'"
    return store[0] / "icp", bucket(store[1]) + ", formats: [parquet]"


def test_a_list_is_put_once_again_when_it_changed_and_taken_back(tmp_path: Path, place) -> None:
    there, destination = place
    settings = project(tmp_path / "p", destination)
    publish(settings, "2026Q2", accounts(a=80, b=None))
    assert told(settings)["rows"] == {"ok": 1}
    first = {file.name: file.read_bytes() for file in there.iterdir()}
    kinds = ["json", "parquet"] if "formats" in destination else ["csv", "json", "parquet"]
    assert sorted(first) == [f"accounts.{kind}" for kind in kinds]
    note = json.loads(first["accounts.json"])
    assert note["rows"] == 2 and note["list"].startswith("2026Q2 r1 ")
    assert {name: told["bytes"] for name, told in note["files"].items()} == {
        name: len(data) for name, data in first.items() if name != "accounts.json"
    }
    read = pd.read_parquet(io.BytesIO(first["accounts.parquet"]))
    assert read["account_id"].tolist() == ["a", "b"] and read["fit_score"].tolist()[0] == 80
    if "csv" in kinds:
        assert b"'=CMD(a)" in first["accounts.csv"] and b"\x00" not in first["accounts.csv"]
    first_plan = last_plan(settings)
    assert told(settings) is None
    publish(settings, "2026Q3", accounts(a=81, b=None))
    name = plan(settings)["plan"]
    assert {file.name: file.read_bytes() for file in there.iterdir()} == first  # planning sends nothing
    apply(settings, name)
    assert json.loads((there / "accounts.json").read_text())["list"].startswith("2026Q3 r1 ")
    taken_back(settings, name)
    assert {file.name: file.read_bytes() for file in there.iterdir()} == first
    taken_back(settings, first_plan)
    assert not there.is_dir() or not list(there.iterdir())  # Arrow leaves an empty object for the folder


def test_what_is_another_s_is_left_alone_until_it_is_taken_over(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "accounts.csv").write_text("mine\n")
    destination = f"kind: storage, url: 'file://{there}'"
    settings = project(tmp_path / "p", destination)
    publish(settings, "2026Q2", accounts(a=80))
    found = plan(settings)
    assert found["plan"] is None and found["kept"][0][2] == "something that is not as we left it"
    settings = project(tmp_path / "p", destination + ", existing: replace")
    told(settings)
    assert json.loads((there / "accounts.json").read_text())["rows"] == 1
    (there / "accounts.csv").write_text("account_id\nedited by somebody\n")
    publish(settings, "2026Q3", accounts(a=82))
    assert plan(project(tmp_path / "p", destination))["plan"] is None
    told(project(tmp_path / "p", destination + ", existing: replace"))
    assert "'=CMD(a)" in (there / "accounts.csv").read_text()
    (there / "accounts.csv").unlink()
    (there / "accounts.json").unlink()
    (there / "accounts.parquet").unlink()
    told(project(tmp_path / "p", destination))  # what was removed may be put again
    assert json.loads((there / "accounts.json").read_text())["list"].startswith("2026Q3 r1 ")


def test_a_put_that_broke_off_between_the_files_goes_on(tmp_path: Path) -> None:
    there = tmp_path / "there"
    settings = project(tmp_path / "p", f"kind: storage, url: 'file://{there}'")
    publish(settings, "2026Q2", accounts(a=80))
    told(settings)
    publish(settings, "2026Q3", accounts(a=81, b=20))
    name = plan(settings)["plan"]
    (there / "accounts.csv.part").mkdir()  # Parquet goes through, CSV does not
    with pytest.raises(TryLater, match=r"does not answer.*goes on where this one stopped"):
        apply(settings, name)
    note = json.loads((there / "accounts.json").read_text())
    assert note["list"].startswith("2026Q2 r1 ") and note["coming"].startswith("2026Q3 r1 ")
    (there / "accounts.csv.part").rmdir()
    assert apply(settings, name)["rows"] == {"ok": 1}
    assert "coming" not in json.loads((there / "accounts.json").read_text())
    assert (there / "accounts.csv").read_text().count("\n") == 3
    taken_back(settings, name)
    assert (there / "accounts.csv").read_text().count("\n") == 2


def test_what_can_be_wrong_with_a_bucket_is_said_before_anything_is_planned(tmp_path: Path, store, monkeypatch) -> None:
    _, url = store
    monkeypatch.setenv("WRONG", "wrong-secret")
    for number, (destination, error, says) in enumerate((
        (bucket(url, "nobody/icp"), ConfigError, r"there is no bucket or folder s3://nobody/icp.*Correct `url`"),
        (bucket(url, secret_env="WRONG"), ConfigError, "refuses the credentials"),
        (bucket("http://127.0.0.1:9"), TryLater, "cannot be reached.*icp sync apply"),
        ("kind: storage, url: 'nowhere://icp'", ConfigError, "nowhere://"),
    )):  # fmt: skip
        settings = project(tmp_path / str(number), destination)
        publish(settings, "2026Q2", accounts(a=80))
        with pytest.raises(error, match=says) as said:
            plan(settings)
        assert SECRET not in str(said.value) and "wrong-secret" not in str(said.value)
