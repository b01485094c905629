"""Extracts land once, in canonical shape, with what could not be read noted; files that cannot be read are refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from icp import config
from icp.errors import ConfigError
from icp.lake import Lake, StagedLoad
from icp.sources.files import pull

JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7))
REAL = Path(__file__).resolve().parents[2].parent / "shared/data/adventureworks_resellers"
ACCOUNTS = 'Id,Name,Site,Staff,Opened\n1,Acme,https://www.acme.com,"1,200",2020-01-02\n2,Beta,beta.de,n/a,2020-02-30\n'
COLUMNS = {"account_id": "Id", "account_name": "Name", "website": "Site", "employees": "Staff", "created_at": "Opened"}


class Project:
    """A project folder with one source, `crm`, whose mapping a test can change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tables: dict[str, dict[str, object]] = {"accounts": {"path": "in/accounts*.csv", "columns": dict(COLUMNS)}}

    def file(self, name: str, content: str | bytes) -> None:
        path = self.root / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    @property
    def lake(self) -> Lake:
        return Lake(self.root / "lake")

    def pull(self, at: datetime = JUNE) -> list[StagedLoad]:
        content = {
            "config_version": 1,
            "company": "C",
            "calendar": {"timezone": "America/New_York"},
            "sources": {"crm": {"kind": "files", "tables": self.tables}},
            "icps": {"main": {}},
        }
        (self.root / "icp.yml").write_text(json.dumps(content))
        return list(pull(config.load(self.root, {}), "crm", self.lake, extracted_at=at))

    def land(self, at: datetime = JUNE) -> list[str]:
        return [self.lake.accept(staged, {}).load_id for staged in self.pull(at)]

    def rows(self, table: str = "accounts") -> pd.DataFrame:
        [staged] = self.pull()
        return pq.read_table(staged.table_path(table)).to_pandas()

    def refusal(self) -> str:
        with pytest.raises(ConfigError) as caught:
            self.pull()
        assert caught.value.exit_code == 2
        assert self.lake.loads() == []
        return str(caught.value)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.file("accounts.csv", ACCOUNTS)
    return made


def values(frame: pd.DataFrame, column: str) -> list[object]:
    return [None if pd.isna(value) else value for value in frame[column]]


# -- what lands --------------------------------------------------------------------------------------------------------


def test_rows_land_in_canonical_shape_with_what_could_not_be_read(project: Project) -> None:
    frame = project.rows()
    assert values(frame, "account_id") == ["1", "2"]
    assert values(frame, "employees") == [1200.0, None]
    assert values(frame, "company_domain") == ["acme.com", "beta.de"]
    assert values(frame, "created_at") == [pd.Timestamp("2020-01-02 05:00"), None]
    assert values(frame, "_parse_errors") == [None, "created_at='2020-02-30'"]
    assert values(frame, "_row") == [1, 2] and values(frame, "_source_file") == ["in/accounts.csv"] * 2


def test_every_column_of_the_contract_lands_with_its_type(project: Project) -> None:
    [staged] = project.pull()
    schema = pq.read_schema(staged.table_path("accounts"))
    assert schema.field("is_deleted").type == pa.bool_() and schema.field("annual_revenue").type == pa.float64()
    assert schema.field("modified_at").type == pa.timestamp("us") and schema.field("city").type == pa.string()
    assert [name for name in schema.names if name.startswith("_")] == [
        "_source_file",
        "_row",
        "_parse_errors",
        "_load_id",
        "_effective_at",
        "_extracted_at",
    ]


def test_csv_jsonl_and_parquet_land_the_same_rows(project: Project) -> None:
    csv_rows = project.rows()
    records = [
        dict(zip(["Id", "Name", "Site", "Staff", "Opened"], r, strict=True))
        for r in [[1, "Acme", "https://www.acme.com", 1200, "2020-01-02"], [2, "Beta", "beta.de", None, "2020-02-30"]]
    ]
    project.file("a.jsonl", "".join(json.dumps(r) + "\n" for r in records))
    pq.write_table(pa.Table.from_pylist(records), project.root / "in/a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        project.tables["accounts"]["path"] = f"in/{name}"
        other = project.rows()
        skipped = ["_source_file", "_load_id"]
        pd.testing.assert_frame_equal(other.drop(columns=skipped), csv_rows.drop(columns=skipped))


def test_nested_json_with_lists_and_odd_keys(project: Project) -> None:
    deals = [
        {
            "id": 7,
            "a.b": "odd",
            "properties": {"stage": "Won"},
            "associations": {"companies": {"results": [{"id": "9"}]}},
        },
        {"id": 8, "a.b": None, "properties": {"stage": "Lost"}},
    ]
    project.file("deals.jsonl", "\n".join(json.dumps(d) for d in deals))
    project.tables["opportunities"] = {
        "path": "in/deals.jsonl",
        "columns": {
            "opportunity_id": "id",
            "account_id": "associations.companies.results[0].id",
            "opportunity_name": "a.b",
            "is_won": {"from": "properties.stage", "equals": "won"},
            "is_closed": {"value": True},
            "created_at": {"value": "2026-01-01T00:00:00Z"},
        },
    }
    frame = project.rows("opportunities")
    assert values(frame, "opportunity_id") == ["7", "8"] and values(frame, "account_id") == ["9", None]
    assert values(frame, "opportunity_name") == ["odd", None]
    assert values(frame, "is_won") == [True, False] and values(frame, "is_closed") == [True, True]


def test_computed_joined_looked_up_and_optional_columns(project: Project) -> None:
    project.file(
        "lines.csv", "acc,order,line,sales,cost,day,geo\n1,S1,1,$100.5,40,1/31/2026,10\n1,S1,2,x,1,2/1/2026,99\n"
    )
    project.file("geo.csv", "key;name\n10;France\n")
    project.tables["revenue"] = {
        "path": "in/lines.csv",
        "date_format": "us",
        "columns": {
            "account_id": "acc",
            "invoice_id": {"concat": ["order", "line"]},
            "month": "day",
            "revenue": "sales",
            "gross_margin": {"from": "sales", "minus": "cost"},
            "status": {"from": "state", "optional": True},
        },
    }
    frame = project.rows("revenue")
    assert values(frame, "invoice_id") == ["S1-1", "S1-2"] and values(frame, "gross_margin") == [60.5, None]
    assert [str(day) for day in frame["month"]] == ["2026-01-31", "2026-02-01"] and values(frame, "status") == [
        None,
        None,
    ]
    assert values(frame, "_parse_errors") == [None, "revenue='x'; gross_margin='x / 1'"]


def test_lookups_turn_codes_into_values(project: Project) -> None:
    project.file("geo.csv", "key,name\n1,France\n3,Spain\n")
    columns = {**COLUMNS, "country": {"from": "Id", "lookup": {"path": "in/geo.csv", "key": "key", "value": "name"}}}
    project.tables["accounts"]["columns"] = columns
    frame = project.rows()
    assert values(frame, "country") == ["France", None] and "country='2'" in str(values(frame, "_parse_errors")[1])
    project.file("geo.csv", "key,name\n1,France\n1,Spain\n")
    assert "`key` is '1' in several rows" in project.refusal()
    project.tables["accounts"]["columns"] = json.loads(json.dumps(columns).replace("in/geo.csv", "in/gone.csv"))
    assert "the lookup file in/gone.csv does not exist" in project.refusal()


def test_declared_attributes_land_typed(project: Project) -> None:
    project.tables["accounts"]["attributes"] = {
        "size": {"from": "Staff", "kind": "numeric"},
        "first": {"from": "Id", "kind": "flag"},
        "label_of": {"from": "Name", "kind": "category"},
        "parts": {"from": "Site", "kind": "set", "delimiter": "."},
    }
    frame = project.rows()
    assert values(frame, "attr_size") == [1200.0, None] and values(frame, "attr_first") == [True, None]
    assert values(frame, "attr_label_of") == ["Acme", "Beta"] and values(frame, "attr_parts")[1] == "|beta|de|"


def test_no_email_address_lands(project: Project) -> None:
    project.file("nps.csv", "id,mail,score,at\n1,jane.doe@Acme.com,9,2026-01-01\n2,jane.doe-at-acme,3,2026-01-01\n")
    project.tables["surveys"] = {
        "path": "in/nps.csv",
        "columns": {
            "response_id": "id",
            "website": {"from": "mail", "as": "email_domain"},
            "score": "score",
            "responded_at": "at",
            "survey_kind": {"value": "nps"},
        },
    }
    frame = project.rows("surveys")
    assert values(frame, "company_domain") == ["acme.com", None] and values(frame, "survey_kind") == ["nps", "nps"]
    assert values(frame, "_parse_errors") == [None, "website='(no e-mail address)'"]
    assert "jane" not in frame.to_csv()


def test_problems_of_the_data_are_left_to_the_gate(project: Project) -> None:
    project.file(
        "accounts.csv", "Id,Name,Site,Staff,Opened\n1,A,a.com,1,2999-01-01\n1,A,a.com,1,soon\n,B,b.com,x,2020-01-01\n"
    )
    frame = project.rows()
    assert values(frame, "account_id") == ["1", "1", None]
    assert values(frame, "_parse_errors") == [None, "created_at='soon'", "employees='x'"]


def test_other_delimiters_encodings_and_quoting(project: Project) -> None:
    project.file(
        "accounts.csv",
        ACCOUNTS.replace("Acme", 'Ünï; ""co""').replace('"1,200"', "1200").replace(",", "\t").encode("utf-16"),
    )
    project.tables["accounts"]["csv"] = {"delimiter": "\t", "encoding": "utf-16"}
    assert values(project.rows(), "account_name")[0] == 'Ünï; ""co""'
    project.tables["accounts"]["csv"] = {}
    project.file("accounts.csv", b"\xef\xbb\xbf" + ACCOUNTS.replace("Acme", '"Two\nlines, one name"').encode())
    assert values(project.rows(), "account_name")[0] == "Two\nlines, one name"


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "accounts: in/accounts.csv is empty"),
        ("\n\n", "is empty"),
        ("Id,Name,Site,Staff,Opened\n", "has a header but no rows"),
        (
            ACCOUNTS.replace(",", ";"),
            "with delimiter ',' the header is one column. Set `csv: {delimiter: \";\"}`: it gives 5 columns",
        ),
        (
            ACCOUNTS.replace("Staff", "Staf"),
            "has no column `Staff` (did you mean `Staf`?). It has: Id, Name, Site, Staf, Opened.",
        ),
        (ACCOUNTS.replace("Staff,Opened", "x,y"), "has no columns `Staff`, `Opened`"),
        (ACCOUNTS.replace("Name,Site", "Site,Site"), "has no column `Name`"),
        (ACCOUNTS.replace("Id,Name", "Id,Id,Name"), "more than once"),
        (ACCOUNTS + "3,Gamma\n", "1 row(s) do not fit the header (row 4 has 2 values instead of 5)"),
        (ACCOUNTS + "3,Gamma,g.com,1,2020-01-01,extra\n", "row 4 has 6 values instead of 5"),
        (
            ACCOUNTS.replace("Beta", "Bêta").encode("cp1252"),
            "is not utf-8: byte 0xea at offset 76 (line 3) cannot be read. It may be cp1252",
        ),
        (ACCOUNTS.encode("utf-16"), "It looks like utf-16"),
        (ACCOUNTS.encode("utf-16-le"), "holds zero bytes"),
    ],
)
def test_csv_files_that_cannot_be_read(project: Project, content: str | bytes, said: str) -> None:
    project.file("accounts.csv", content)
    assert said in project.refusal()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "in/a.jsonl is empty"),
        ('{"Id": 1}\n{"Id": \n', "line 2 is not JSON"),
        ("[1]\n", "line 1 is not a JSON object"),
        (
            '{"Id": 1, "props": {"name": "x"}, "l": [{"k": 1}]}\n',
            "has no columns `Name`, `Site`, `Staff`, `Opened`. It has: Id, props.name, l[0].k.",
        ),
        (b'{"Id": "\xe9"}\n', "is not UTF-8: byte 0xe9 at offset 8 (line 1)"),
    ],
)
def test_jsonl_files_that_cannot_be_read(project: Project, content: str | bytes, said: str) -> None:
    project.file("a.jsonl", content)
    project.tables["accounts"]["path"] = "in/a.jsonl"
    assert said in project.refusal()


def test_parquet_files_that_cannot_be_read(project: Project) -> None:
    project.tables["accounts"]["path"] = "in/a.parquet"
    for content, said in ((b"", "is empty"), (b"PAR1 not really PAR1", "is not a readable Parquet file")):
        project.file("a.parquet", content)
        assert said in project.refusal()
    pq.write_table(pa.table({"Id": [1], "Nam": ["x"]}), project.root / "in/a.parquet")
    assert "`Name` (did you mean `Nam`?)" in project.refusal()
    pq.write_table(
        pa.table({name: pa.array([], pa.string()) for name in COLUMNS.values()}), project.root / "in/a.parquet"
    )
    assert "has no rows" in project.refusal()


def test_missing_files_name_the_table_the_pattern_and_the_folder(project: Project) -> None:
    project.tables["accounts"]["path"] = "in/acounts.csv"
    said = project.refusal()
    assert (
        "sources.crm.tables.accounts: no file matches in/acounts.csv below" in said
        and "Did you mean accounts.csv?" in said
    )
    project.tables["accounts"]["path"] = "out/*.csv"
    assert f"the folder {project.root / 'out'} does not exist" in project.refusal()
    project.file("accounts.dat", "x")
    project.tables["accounts"]["path"] = "in/accounts.dat"
    assert "the suffix .dat says no format" in project.refusal()


def test_a_date_that_is_not_in_the_name(project: Project) -> None:
    project.tables["accounts"]["effective_at"] = {"from_filename": r"accounts_(\d+-\d+-\d+)"}
    assert "does not match accounts.csv" in project.refusal()
    project.tables["accounts"]["path"] = "in/accounts_*.csv"
    project.file("accounts_2026-02-30.csv", ACCOUNTS)
    assert "'2026-02-30' in accounts_2026-02-30.csv is not a date" in project.refusal()


# -- when it lands -----------------------------------------------------------------------------------------------------


def test_what_has_landed_is_not_landed_again(project: Project) -> None:
    assert len(project.land()) == 1
    assert project.land(JULY) == []
    project.file("accounts.csv", ACCOUNTS.replace("Beta", "Better"))
    assert len(project.land(JULY)) == 1
    assert len(project.lake.accepted_loads(JUNE)) == 1 and len(project.lake.accepted_loads(JULY)) == 2


def test_dated_files_become_one_load_per_date_oldest_first(project: Project) -> None:
    for table, columns in (
        ("accounts", COLUMNS),
        ("technologies", {"website": "Site", "technology": "Name", "first_detected_at": "Opened"}),
    ):
        project.tables[table] = {
            "path": f"in/{table}_*.csv",
            "columns": columns,
            "effective_at": {"from_filename": r"_(\d{4}-\d{2}-\d{2})"},
        }
        for day in ("2026-03-31", "2025-12-31"):
            project.file(f"{table}_{day}.csv", ACCOUNTS)
    loads = project.pull()
    assert [staged.manifest.effective_at.isoformat() for staged in loads] == [
        "2025-12-31T05:00:00+00:00",
        "2026-03-31T04:00:00+00:00",
    ]
    assert [set(staged.tables) for staged in loads] == [{"accounts", "technologies"}] * 2


def test_a_changed_mapping_reads_again_and_replaces(project: Project) -> None:
    [old] = project.land(JUNE)
    project.tables["accounts"]["columns"]["employees"] = {"from": "Staff", "number_format": "eu"}  # type: ignore[index]
    [new] = project.land(JULY)
    [load] = project.lake.accepted_loads(JUNE)
    assert (load.load_id, load.supersedes, load.effective_at) == (new, (old,), JUNE)
    project.tables["accounts"]["columns"]["employees"] = "Staff"  # type: ignore[index]
    [back] = project.land(JULY)
    assert [m.load_id for m in project.lake.accepted_loads(JUNE)] == [back] and back not in (old, new)


def test_words_that_only_describe_do_not_land_anything_again(project: Project) -> None:
    project.tables["accounts"]["attributes"] = {"size": {"from": "Staff", "kind": "numeric"}}
    project.land()
    project.tables["accounts"]["attributes"] = {
        "size": {"from": "Staff", "kind": "numeric", "label": "Size", "cuts": [5, 10]}
    }
    project.tables["accounts"]["path"] = "in/acc*.csv"
    assert project.land() == []


def test_one_table_read_again_leaves_the_other_in_force(project: Project) -> None:
    project.file("tech.csv", ACCOUNTS)
    technologies = {
        "path": "in/tech.csv",
        "columns": {"website": "Site", "technology": "Name", "first_detected_at": "Opened"},
    }
    project.tables["technologies"] = technologies
    project.land()
    project.tables["accounts"]["missing"] = ["Acme"]
    project.land(JULY)
    files = project.lake.landed_files(JULY)
    assert (len(files["accounts"]), len(files["technologies"])) == (1, 1)


def test_an_extract_that_is_gone_keeps_its_earlier_reading(project: Project) -> None:
    project.file("accounts_old.csv", ACCOUNTS.replace("1,", "8,").replace("2,", "9,"))
    project.land(JUNE)
    (project.root / "in/accounts_old.csv").unlink()
    project.tables["accounts"]["missing"] = ["Acme"]
    project.land(JULY)
    assert len(project.lake.landed_files(JULY)["accounts"]) == 2


def test_a_refused_load_waits_until_something_changes(project: Project) -> None:
    project.file("tech.csv", ACCOUNTS)
    project.tables["technologies"] = {
        "path": "in/tech.csv",
        "columns": {"website": "Site", "technology": "Name", "first_detected_at": "Opened"},
    }
    [staged] = project.pull()
    project.lake.quarantine(staged, {"failures": ["duplicate keys"]})
    assert project.pull(JULY) == []
    project.file("accounts.csv", ACCOUNTS.replace("Beta", "Better"))
    [again] = project.pull(JULY)
    assert set(again.tables) == {"accounts", "technologies"}
    project.lake.accept(again, {})
    assert project.pull(JULY) == []


def test_a_dropped_load_is_tried_again(project: Project) -> None:
    [staged] = project.pull()
    held = project.lake.quarantine(staged, {})
    project.lake.drop(held.manifest.load_id)
    assert len(project.pull(JULY)) == 1


def test_equal_extracts_give_equal_inputs_in_another_place_on_another_day(tmp_path: Path) -> None:
    hashes = set()
    for name, at in (("a", JUNE), ("b", JULY)):
        (tmp_path / name).mkdir()
        project = Project(tmp_path / name)
        project.file("accounts.csv", ACCOUNTS)
        project.tables["accounts"]["effective_at"] = "2026-03-31"
        project.land(at)
        hashes.add(project.lake.inputs_hash(JULY))
    assert len(hashes) == 1


# -- real extracts -----------------------------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.skipif(not REAL.is_dir(), reason="development data are not here")
def test_adventureworks_lands_whole(project: Project) -> None:
    geography: Mapping[str, str] = {
        "path": f"{REAL}/DimGeography.csv",
        "key": "GeographyKey",
        "value": "CountryRegionCode",
    }
    project.tables = {
        "accounts": {
            "path": f"{REAL}/DimReseller.csv",
            "columns": {
                "account_id": "ResellerKey",
                "employees": "NumberEmployees",
                "country": {"from": "GeographyKey", "lookup": geography},
            },
        },
        "revenue": {
            "path": f"{REAL}/FactResellerSales.parquet",
            "columns": {
                "account_id": "ResellerKey",
                "invoice_id": {"concat": ["SalesOrderNumber", "SalesOrderLineNumber"]},
                "month": "OrderDate",
                "revenue": "SalesAmount",
                "gross_margin": {"from": "SalesAmount", "minus": "TotalProductCost"},
            },
        },
    }
    [staged] = project.pull()
    accounts, lines = (pq.read_table(staged.table_path(name)).to_pandas() for name in ("accounts", "revenue"))
    assert (len(accounts), len(lines)) == (701, 60_855)
    assert accounts["_parse_errors"].isna().all() and lines["_parse_errors"].isna().all()
    assert set(accounts["country"]) == {"AU", "CA", "DE", "FR", "GB", "US"}
    assert not lines.duplicated(["account_id", "month", "invoice_id"]).any()
    assert set(lines["account_id"]) < set(accounts["account_id"])
    assert lines["revenue"].sum() == pytest.approx(80_450_596.98, abs=0.01)
