"""Extracts in the shapes people have them, mapped by icp.yml alone: invoices, surveys, and warehouse copies of vendors."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from dbt_lake import run

from flows.gates import check_landing
from icp.config import Settings, load
from icp.lake import Lake
from icp.sources import files

SEEDS = Path(os.environ.get("ICP_TEST_DATA", Path(__file__).resolve().parents[3] / "shared/data")) / "fivetran_seeds"
NOW = datetime(2026, 10, 2, tzinfo=UTC)
ACCOUNTS = """\
  crm:
    kind: files
    tables:
      accounts:
        path: accounts.csv
        columns: {account_id: id, account_name: name}
"""


def project(folder: Path, sources: str, accounts: str = ACCOUNTS) -> Settings:
    (folder / "accounts.csv").write_text("id,name\n1,One\n", encoding="utf-8")
    (folder / "icp.yml").write_text(
        f"config_version: 1\ncompany: Acme\nsources:\n{accounts}{sources}", encoding="utf-8"
    )
    return load(folder)


def staged(settings: Settings, tmp_path: Path, *, gated: bool = True) -> dict[str, pd.DataFrame]:
    """Every source landed, through its gate, and what dbt's staging makes of each table."""
    lake = Lake(settings.lake)
    with lake.lock():
        for source in settings.sources:
            for load_ in files.pull(settings, source, lake, extracted_at=NOW):
                if gated:
                    assert check_landing(lake, load_).success, check_landing(lake, load_).summary()
                lake.accept(load_, {})
    landed = lake.landed_files()
    declared = [{"name": a.name, "kind": a.kind} for a in settings.declared_attributes]
    warehouse = tmp_path / "warehouse.duckdb"
    models = [f"stg_files__{table}" for table in landed]
    run(tmp_path, warehouse, {"landed": landed, "declared_attributes": declared}, "run", "--select", *models)
    copy = tmp_path / "copy.duckdb"  # dbt keeps its own connection for the length of the process
    for suffix in ("", ".wal"):
        if Path(f"{warehouse}{suffix}").exists():
            shutil.copy(f"{warehouse}{suffix}", f"{copy}{suffix}")
    with duckdb.connect(str(copy)) as reader:
        views = reader.sql("select table_schema, table_name from information_schema.tables").fetchall()
        schemas = {name: schema for schema, name in views if name in models}
        return {
            table: reader.sql(
                f"select * from {schemas[f'stg_files__{table}']}.stg_files__{table} order by source_row"
            ).df()
            for table in landed
        }


INVOICES = [
    {"id": "in_1", "customer": "cus_1", "status": "paid", "currency": "usd", "total": 129900, "created": 1769904000,
     "customer_email": "jane.doe@one.com", "metadata": {"crm_id": "1"}},
    {"id": "in_2", "customer": "cus_2", "status": "paid", "currency": "jpy", "total": 50000, "created": 1772323200,
     "customer_email": None, "metadata": {"crm_id": "2"}},
    {"id": "in_3", "customer": "cus_1", "status": "void", "currency": "kwd", "total": -1500, "created": 1772323200,
     "customer_email": "jane.doe@one.com", "metadata": {"crm_id": "1"}},
]  # fmt: skip
QUALTRICS = """\
StartDate,EndDate,Status,IPAddress,Progress,Finished,RecordedDate,ResponseId,RecipientEmail,ExternalReference,Q1_NPS_GROUP,Q1
Start,End,Response Type,IP Address,Progress,Finished,Recorded Date,Response ID,Recipient Email,Reference,"How likely are you
to recommend us, 0 to 10? - Group","How likely are you
to recommend us, 0 to 10?"
"{""ImportId"":""startDate""}","{""ImportId"":""endDate""}","{""ImportId"":""status""}",ip,progress,finished,recorded,_recordId,mail,ref,"{""ImportId"":""QID1_NPS_GROUP""}","{""ImportId"":""QID1""}"
2026-08-01 10:00:00,2026-08-01 10:02:00,IP Address,192.0.2.1,100,True,2026-08-01 10:02:01,R_1,jane.doe@one.com,1,Promoter,10
2026-08-02 10:00:00,2026-08-02 10:00:30,IP Address,192.0.2.2,40,False,2026-08-09 10:00:30,R_2,joe.bloggs@two.com,2,,
2026-08-03 10:00:00,2026-08-03 10:02:00,IP Address,192.0.2.3,100,True,2026-08-03 10:02:01,R_3,ann.other@two.com,2,Detractor,3
"""
DELIGHTED = """\
id,score,comment,person.email,created_at
901,9,ask jane.doe@one.com,jane.doe@one.com,1782920102
902,0,,joe.bloggs@two.com,1782926751
"""
CSAT = """\
id,requester.email,satisfaction_rating.score,updated_at
77,jane.doe@one.com,good,2026-09-01T10:00:00Z
78,joe.bloggs@two.com,offered,2026-09-01T10:00:00Z
79,joe.bloggs@two.com,bad,2026-09-02T10:00:00Z
"""
BILLING_AND_SURVEYS = """\
  billing:
    kind: files
    tables:
      revenue:
        path: invoices.jsonl
        date_format: epoch_s
        columns:
          account_id: metadata.crm_id
          invoice_id: id
          month: created
          revenue: {from: total, minor_units_of: currency}
          currency: currency
          status: status
  qualtrics:
    kind: files
    tables:
      surveys:
        path: qualtrics.csv
        csv: {skip_after_header: 2}
        where: {Finished: true}
        columns:
          response_id: ResponseId
          website: {from: RecipientEmail, as: email_domain}
          account_id: ExternalReference
          survey_kind: {value: nps}
          score: Q1
          responded_at: RecordedDate
  delighted:
    kind: files
    tables:
      surveys:
        path: delighted.csv
        date_format: epoch_s
        columns:
          response_id: id
          website: {from: person.email, as: email_domain}
          survey_kind: {value: nps}
          score: score
          responded_at: created_at
  support:
    kind: files
    tables:
      surveys:
        path: csat.csv
        where: {satisfaction_rating.score: [good, bad]}
        columns:
          response_id: {concat: [id, satisfaction_rating.score]}
          website: {from: requester.email, as: email_domain}
          survey_kind: {value: csat}
          score: {from: satisfaction_rating.score, lookup: {path: csat_scores.csv, key: answer, value: score}}
          responded_at: updated_at
"""


def test_invoices_and_surveys_land_as_they_were_meant(tmp_path: Path) -> None:
    (tmp_path / "invoices.jsonl").write_text("\n".join(map(json.dumps, INVOICES)) + "\n", encoding="utf-8")
    (tmp_path / "qualtrics.csv").write_text(QUALTRICS, encoding="utf-8")
    (tmp_path / "delighted.csv").write_text(DELIGHTED, encoding="utf-8")
    (tmp_path / "csat.csv").write_text(CSAT, encoding="utf-8")
    (tmp_path / "csat_scores.csv").write_text("answer,score\ngood,100\nbad,0\n", encoding="utf-8")
    settings = project(tmp_path, BILLING_AND_SURVEYS)
    told = staged(settings, tmp_path)
    revenue = told["revenue"].set_index("invoice_id")
    assert revenue["revenue"].to_dict() == {"in_1": 1299.0, "in_2": 50000.0, "in_3": -1.5}
    assert revenue["revenue_month"].dt.strftime("%Y-%m").to_dict() == {
        "in_1": "2026-02",
        "in_2": "2026-03",
        "in_3": "2026-03",
    }
    assert revenue["invoice_status"].to_dict() == {"in_1": "paid", "in_2": "paid", "in_3": "void"}
    surveys = told["surveys"].set_index("response_id")
    assert surveys[["company_domain", "survey_kind", "score"]].T.to_dict("list") == {
        "R_1": ["one.com", "nps", 10.0],
        "R_3": ["two.com", "nps", 3.0],
        "901": ["one.com", "nps", 9.0],
        "902": ["two.com", "nps", 0.0],
        "77-good": ["one.com", "csat", 100.0],
        "79-bad": ["two.com", "csat", 0.0],
    }
    assert surveys.loc["R_3", "source_row"] == 3  # the row of the file, whatever `where` leaves out before it
    lake = "".join(f.read_bytes().decode("latin-1") for f in settings.lake.rglob("*") if f.is_file())
    lake += str(told)
    for person in ("jane.doe", "joe.bloggs", "ann.other", "192.0.2"):
        assert person not in lake


HUBSPOT = """\
  crm:
    kind: files
    tables:
      accounts:
        path: hubspot/company_data.csv
        columns:
          account_id: id
          account_name: property_name
          industry: property_industry
          annual_revenue: property_annualrevenue
          city: property_city
          country: property_country
          is_deleted: is_deleted
          created_at: property_createdate
          modified_at: _fivetran_synced
        attributes:
          funky: {from: property_hs_all-funky-a9384-syntax, kind: numeric}
      opportunities:
        path: hubspot/deal_data.csv
        columns:
          opportunity_id: deal_id
          account_id: {from: deal_id, lookup: {path: hubspot/deal_company_data.csv, key: deal_id, value: company_id}}
          opportunity_name: property_dealname
          stage: deal_pipeline_stage_id
          amount: property_amount
          is_deleted: is_deleted
          is_closed: {from: property_closedate, equals: never}
          is_won: {from: deal_pipeline_stage_id, lookup: {path: hubspot/deal_pipeline_stage_data.csv, key: stage_id,
                  value: closed_won}}
          created_at: property_createdate
          closed_at: property_closedate
"""
SUPPORT = """\
  qualtrics:
    kind: files
    tables:
      surveys:
        path: qualtrics/question_response.csv
        where: {question_id: QID2}
        columns:
          response_id: response_id
          survey_kind: {value: nps}
          score: value
          responded_at: {from: response_id, lookup: {path: qualtrics/survey_response.csv, key: id, value: recorded_date}}
          website: {from: response_id, as: email_domain, lookup: {path: qualtrics/survey_response.csv, key: id,
                    value: recipient_email}}
  zendesk:
    kind: files
    tables:
      surveys:
        path: zendesk/ticket_field_history_data.csv
        where: {field_name: satisfaction_score, value: [good, bad]}
        columns:
          response_id: {concat: [ticket_id, updated]}
          account_id: {from: ticket_id, lookup: {path: zendesk/ticket_data.csv, key: id, value: organization_id}}
          survey_kind: {value: csat}
          score: {from: value, lookup: {path: csat_scores.csv, key: answer, value: score}}
          responded_at: updated
"""


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(SEEDS / name, dtype=str, keep_default_na=False)


def filled(column: pd.Series[Any]) -> list[Any]:
    return [None if pd.isna(value) or value == "" else value for value in column]


def _unchanged(ours: pd.DataFrame, theirs: pd.DataFrame, settings: Settings, table: str) -> set[str]:
    """The columns that are read from one column of the extract and say in every row what it says there."""
    mapping = settings.source("crm").tables[table]
    mapped = {**mapping.columns, **{f"attr_{name}": found for name, found in mapping.attributes.items()}}
    plain = {n: str(m.from_) for n, m in mapped.items() if m.from_ and m.lookup is None and m.equals is None}
    assert len(ours) == len(theirs)
    return {name for name, source in plain.items() if filled(_typed(theirs[source], ours[name])) == filled(ours[name])}


def _typed(texts: pd.Series[Any], like: pd.Series[Any]) -> pd.Series[Any]:
    """The texts of an extract as the type of a staged column says."""
    if pd.api.types.is_datetime64_any_dtype(like):
        return pd.to_datetime(texts.replace("", None), format="ISO8601")
    if pd.api.types.is_numeric_dtype(like) and not pd.api.types.is_bool_dtype(like):
        return pd.to_numeric(texts)
    flags = like.dropna().map(type).eq(bool).all() and len(like.dropna())
    return texts.str.lower().map({"true": True, "false": False}) if flags else texts


@pytest.mark.realdata
@pytest.mark.skipif(not SEEDS.is_dir(), reason="development data are not here")
def test_warehouse_copies_of_vendors_keep_their_meaning_through_staging(tmp_path: Path) -> None:
    for vendor in ("hubspot", "qualtrics", "zendesk"):
        shutil.copytree(SEEDS / vendor, tmp_path / vendor)
    (tmp_path / "csat_scores.csv").write_text("answer,score\ngood,100\nbad,0\n", encoding="utf-8")
    history = tmp_path / "zendesk/ticket_field_history_data.csv"  # the seed has no rated ticket: two in its shape
    ticket = read("zendesk/ticket_data.csv").iloc[0]
    with history.open("a", encoding="utf-8") as rows:
        rows.write("\n")
        for answer, hour in (("offered", 1), ("bad", 2), ("good", 3)):
            rows.write(f"satisfaction_score,{ticket['id']},2020-11-16 0{hour}:00:00,2020-11-17 00:00:00,,{answer}\n")
    settings = project(tmp_path, SUPPORT, HUBSPOT)
    told = staged(settings, tmp_path, gated=False)

    companies, accounts = read("hubspot/company_data.csv"), told["accounts"]
    same = {
        "accounts": _unchanged(accounts, companies, settings, "accounts"),
        "opportunities": _unchanged(told["opportunities"], read("hubspot/deal_data.csv"), settings, "opportunities"),
    }
    assert accounts["attr_funky"].notna().any()
    assert same == {
        "accounts": {"attr_funky", *settings.source("crm").tables["accounts"].columns},
        "opportunities": {
            name
            for name in settings.source("crm").tables["opportunities"].columns
            if name not in ("account_id", "is_closed", "is_won")
        },
    }
    deals, opportunities = read("hubspot/deal_data.csv"), told["opportunities"]
    of_deal = dict(read("hubspot/deal_company_data.csv")[["deal_id", "company_id"]].to_numpy().tolist())
    assert filled(opportunities["account_id"]) == [of_deal.get(deal) for deal in deals["deal_id"]]
    won = dict(read("hubspot/deal_pipeline_stage_data.csv")[["stage_id", "closed_won"]].to_numpy().tolist())
    assert list(opportunities["is_won"]) == [won.get(stage) == "TRUE" for stage in deals["deal_pipeline_stage_id"]]

    answers = read("qualtrics/question_response.csv")
    answers = answers[answers["question_id"] == "QID2"]
    surveys = told["surveys"]
    nps, csat = (surveys[surveys["survey_kind"] == kind] for kind in ("nps", "csat"))
    assert dict(zip(nps["response_id"], nps["score"], strict=True)) == dict(
        zip(answers["response_id"], pd.to_numeric(answers["value"]), strict=True)
    )
    responses = read("qualtrics/survey_response.csv").set_index("id")
    for said in nps[nps["response_id"].isin(responses.index)].itertuples():
        assert said.responded_at == pd.Timestamp(responses.loc[said.response_id, "recorded_date"])
        assert said.company_domain == responses.loc[said.response_id, "recipient_email"].partition("@")[2]
    assert list(csat["score"]) == [0.0, 100.0]
    assert set(csat["account_id"]) == {ticket["organization_id"]}
    assert list(csat["responded_at"]) == [pd.Timestamp("2020-11-16 02:00"), pd.Timestamp("2020-11-16 03:00")]
