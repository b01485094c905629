"""icp.yml is checked whole, before anything runs; every complaint names its line and what to write instead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from icp import config
from icp.config_analytics import Ga4Settings, PostHogSettings
from icp.config_destinations import HubSpotDestination, SalesforceDestination
from icp.config_salesforce import SalesforceSettings
from icp.config_storage import StorageSettings
from icp.config_technographics import BuiltWithSettings, WappalyzerSettings
from icp.config_vendors import HubSpotSettings
from icp.errors import ConfigError

GOOD = r"""config_version: 1
company: Lumenworks
calendar: {timezone: America/New_York, fiscal_year_start_month: 2, settle_days: 5}
sources:
  crm:
    kind: files
    tables:
      accounts:
        path: extracts/companies_*.jsonl
        effective_at: {from_filename: 'companies_(\d{4}-\d{2}-\d{2})'}
        columns:
          account_id: id
          website: properties.domain
          employees: {from: properties.numberofemployees, number_format: eu}
        attributes:
          business_model: {from: model, kind: category, label: Business model}
          annual_sales: {from: AnnualSales, kind: numeric, unit: USD, cuts: [500000, 1000000]}
      opportunities:
        path: extracts/deals.csv
        effective_at: 2010-12-31
        csv: {delimiter: "\t"}
        columns:
          opportunity_id: id
          created_at: created
          is_closed: {from: Stage, equals: [Won, Lost]}
          is_won: {from: Stage, equals: Won}
icps:
  main:
    label: {kind: won}
    tiers: {A: 0.05, B: 0.15, C: 0.30}
"""


def write(folder: Path, text: str = GOOD) -> Path:
    file = folder / "icp.yml"
    file.write_text(text, encoding="utf-8")
    return file


def complaint(folder: Path, old: str, new: str) -> str:
    """What is said about the good file with one thing wrong."""
    assert GOOD.count(old) >= 1, old
    with pytest.raises(ConfigError) as caught:
        config.load(write(folder, GOOD.replace(old, new, 1)), {})
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_good_file_becomes_settings(tmp_path: Path) -> None:
    settings = config.load(write(tmp_path), {})
    assert (settings.root, settings.lake) == (tmp_path, tmp_path / "lake")
    assert settings.calendar.quarter("2026Q1").start.isoformat() == "2025-02-01T05:00:00+00:00"
    accounts = settings.source("crm").tables["accounts"]
    assert accounts.columns["account_id"].from_ == "id"
    assert accounts.columns["employees"].number_format == "eu"
    assert settings.source("crm").tables["opportunities"].csv.delimiter == "\t"
    assert settings.icp("main").minimum.wins == 20
    assert settings.dbt_project.name == "dbt_project"
    assert config.load(tmp_path, {}).config_hash == settings.config_hash


def test_declared_attributes_become_candidates(tmp_path: Path) -> None:
    sales, model = config.load(write(tmp_path), {}).declared_attributes
    assert (sales.name, sales.kind, sales.cuts, sales.label) == (
        "attr_annual_sales",
        "numeric",
        (5e5, 1e6),
        "Annual sales",
    )
    assert (model.name, model.family, model.label) == ("attr_business_model", "firmographic", "Business model")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("company: L", "compny: L", "line 2: compny: unknown key. Did you mean `company`?"),
        (
            "number_format: eu",
            "numbr_format: eu",
            "tables.accounts.columns.employees.numbr_format: unknown key. Did you mean `number_format`?",
        ),
        (
            "kind: category",
            "kynd: category",
            "line 16: sources.crm.tables.accounts.attributes.business_model.kind: is required",
        ),
        (
            "  main:",
            "  a-b: {}\n  main:",
            "line 28: icps.a-b: is not a name. Use small letters, digits and underscores",
        ),
        ("label: {kind", "labl: {kind", "line 29: icps.main.labl: unknown key. Did you mean `label`?"),
        (
            "employees:",
            "employes:",
            "tables.accounts.columns.employes: unknown column of accounts. Did you mean `employees`?",
        ),
        (
            "opportunities:",
            "deals:",
            "line 18: sources.crm.tables.deals: unknown table. Known here: account_links, accounts,",
        ),
        (
            "website:",
            "company_domain:",
            "line 13: sources.crm.tables.accounts.columns.company_domain: is filled by landing",
        ),
        ("          created_at: created\n", "", "opportunities needs a mapping for created_at."),
        ("America/New_York", "America/NewYork", "line 3: calendar.timezone: 'America/NewYork' is not a time zone"),
        ("month: 2", "month: 13", "line 3: calendar.fiscal_year_start_month: Input should be less than or equal to 12"),
        (
            "{from: Stage, equals: Won}",
            "{from: Stage, value: 1}",
            "line 26: sources.crm.tables.opportunities.columns.is_won: give exactly one of",
        ),
        ("cuts: [500000, 1000000]", "cuts: [5, 1]", "`cuts` must ascend"),
        ("kind: category,", "kind: category, cuts: [1],", "`cuts` are for numeric attributes"),
        ("C: 0.30", "C: 0.90", "line 30: icps.main.tiers: the tiers' shares add up to 1.1"),
        ("C: 0.30", "E: 0.30", "name the tiers A, B and C"),
        (
            "extracts/deals.csv",
            "s3://key:word@bucket/deals.csv",
            "line 19: sources.crm.tables.opportunities.path: the URL may hold no user or password",
        ),
        ("company: L", "lake: s3://x\ncompany: L", "line 2: lake: s3://x is a URL"),
        ("2010-12-31", "yesterday", "line 20: sources.crm.tables.opportunities.effective_at"),
        ("2010-12-31", "20101231", "20101231 is not a date"),
        ("'companies_(\\d{4}-\\d{2}-\\d{2})'", "'companies_'", "`from_filename` needs one group"),
        ("'companies_(\\d{4}-\\d{2}-\\d{2})'", "'companies_('", "is not a regular expression"),
        ('delimiter: "\\t"', "encoding: utf-9", "'utf-9' is not a text encoding"),
        ("  crm:", "  CRM:", "line 5: sources.CRM"),
        ("company: L", "company: A\ncompany: L", "line 3: `company` is written twice"),
        ("company: L", "company: [L", "not valid YAML"),
        ("      opportunities:\n", "      surveys:\n", "surveys needs a mapping for response_id, score, responded_at"),
    ],
)
def test_one_thing_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in complaint(tmp_path, old, new)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    bad = GOOD.replace("company:", "compny:").replace("settle_days: 5", "settle_days: -5")
    with pytest.raises(ConfigError) as caught:
        config.load(write(tmp_path, bad), {})
    assert len(str(caught.value).splitlines()) == 3  # unknown key, the key it should be, the number out of range


def test_attributes_belong_to_accounts(tmp_path: Path) -> None:
    bad = GOOD.replace("icps:\n", "icps:\n", 1).replace(
        "          is_won: {from: Stage, equals: Won}\n",
        "          is_won: {from: Stage, equals: Won}\n        attributes: {size: {from: s, kind: flag}}\n",
    )
    with pytest.raises(ConfigError, match="attributes can be declared on `accounts` only"):
        config.load(write(tmp_path, bad), {})


def test_accounts_are_required(tmp_path: Path) -> None:
    bad = GOOD[: GOOD.index("      accounts:")] + GOOD[GOOD.index("      opportunities:") :]
    with pytest.raises(ConfigError, match="no source maps `accounts`"):
        config.load(write(tmp_path, bad), {})


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), ("- a\n", "not a mapping")])
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config.load(write(tmp_path, text), {})


def test_a_missing_file_and_a_binary_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist. Run `icp init`"):
        config.load(tmp_path / "icp.yml", {})
    (tmp_path / "icp.yml").write_bytes(b"company: \xff")
    with pytest.raises(ConfigError, match=r"not UTF-8 text \(byte 9\)"):
        config.load(tmp_path, {})


def test_unknown_names_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    settings = config.load(write(tmp_path), {})
    with pytest.raises(ConfigError, match=r"no source 'erp' in icp.yml; it has crm"):
        settings.source("erp")
    with pytest.raises(ConfigError, match=r"no ICP 'other' in icp.yml: unknown ICP. Known here: main"):
        settings.icp("other")


def test_the_environment_overrides_and_changes_the_hash(tmp_path: Path) -> None:
    plain = config.load(write(tmp_path), {})
    changed = config.load(tmp_path, {"ICP__LAKE": "/data/lake", "ICP__CALENDAR__SETTLE_DAYS": "7", "ICP_OTHER": "x"})
    assert changed.lake == Path("/data/lake")
    assert changed.calendar.settle_days == 7
    assert changed.config_hash != plain.config_hash
    with pytest.raises(ConfigError, match="`company` is not a section"):
        config.load(tmp_path, {"ICP__COMPANY__NAME": "x"})


def test_comments_and_order_do_not_change_the_hash(tmp_path: Path) -> None:
    plain = config.load(write(tmp_path), {})
    moved = GOOD.replace("company: Lumenworks\n", "") + "company: Lumenworks  # the name in the report\n"
    assert config.load(write(tmp_path, moved), {}).config_hash == plain.config_hash


def test_a_project_may_bring_its_own_dbt_project(tmp_path: Path) -> None:
    (tmp_path / "dbt_project").mkdir()
    with pytest.raises(ConfigError, match="is missing: it holds the landing contract"):
        config.load(write(tmp_path), {})


def test_the_schema_describes_the_file() -> None:
    schema = config.json_schema()
    assert {"config_version", "company", "sources", "icps"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    [column] = schema["$defs"]["TableMapping"]["properties"]["columns"]["patternProperties"].values()
    assert {"type": "string"} in column["anyOf"]


def test_reading_the_configuration_imports_nothing_heavy() -> None:
    code = "import sys, icp.config; print(*{'pandas', 'pyarrow', 'numpy', 'tldextract'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("{kind: good_customer}", "give it with `kind: good_customer`, and only then"),
        ("{kind: won, require: [{not_churned: true}]}", "give it with `kind: good_customer`, and only then"),
        ("{kind: good_customer, require: [{}]}", "names a rule"),
        ("{kind: good_customer, require: [{not_churned: false}]}", "not_churned"),
        ("{kind: good_customer, horizon_quarters: 1, require: [{min_expansion: 1.1}]}", "2 or more"),
        ("{kind: good_customer, horizon_quarters: 2, require: [{min_tenure_months: 12}]}", "a horizon of 6 months"),
    ],
)
def test_labels_that_cannot_be_meant(tmp_path: Path, label: str, problem: str) -> None:
    assert problem in complaint(tmp_path, "{kind: won}", label)


def test_a_good_customer_is_judged_after_a_year_unless_said_otherwise(tmp_path: Path) -> None:
    label = "{kind: good_customer, require: [{min_gross_margin: 10000}, {not_churned: true, min_nps: 7}]}"
    section = config.load(write(tmp_path, GOOD.replace("{kind: won}", label)), {}).icp("main").label
    assert section.horizon == 4
    assert [rule.model_dump(exclude_none=True) for rule in section.require] == [
        {"min_gross_margin": 10000.0},
        {"not_churned": True, "min_nps": 7.0},
    ]
    best = config.load(write(tmp_path, GOOD.replace("{kind: won}", "{kind: best_customer}")), {})
    assert best.icp("main").label.horizon == 1


ALERTS = """alerts:
  cool_down_hours: 48
  channels:
    team: {kind: slack, url: "${ENV:ICP_SLACK_URL}"}
    post: {kind: email, host: smtp.example.com, from: icp@example.com, to: [a@example.com]}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "${ENV:ICP_SLACK_URL}",
            "https://hooks.slack.com/services/T/B/x",
            "line 34: alerts.channels.team: the address",
        ),
        ("kind: slack", "kind: teams, secrets: x", "alerts.channels.team.secrets: unknown key. Did you mean `secret`?"),
        ('url: "${ENV:ICP_SLACK_URL}"', "severity: info", "a channel of kind slack needs `url`"),
        ("host: smtp.example.com, ", "", "line 35: alerts.channels.post: a channel of kind email needs `host`"),
        ("from: icp@example.com", 'from: "a@b.c, x"', "is not an e-mail address"),
        ("cool_down_hours: 48", "cool_down_hours: -1", "line 32: alerts.cool_down_hours"),
        ("kind: slack", "kind: webhook", "a channel of kind webhook needs `secret`"),
        ("kind: slack", "kind: webhook, secret: abc", "secrets are not written into icp.yml"),
        ("cool_down_hours: 48", "report_url: ftp://x", "must begin with https://"),
    ],
)
def test_what_is_wrong_with_alerts_is_said_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert ALERTS.count(old) == 1
    with pytest.raises(ConfigError) as caught:
        config.load(write(tmp_path, GOOD + ALERTS.replace(old, new)), {})
    assert said in str(caught.value)


def test_who_is_told_changes_no_revision(tmp_path: Path) -> None:
    plain = config.load(write(tmp_path, GOOD), {})
    told = config.load(write(tmp_path, GOOD + ALERTS), {})
    assert list(told.alerts.channels) == ["team", "post"] and told.config_hash == plain.config_hash


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (HubSpotSettings, "base_url"), (SalesforceSettings, "login_url"), (Ga4Settings, "base_url"),
        (PostHogSettings, "base_url"), (BuiltWithSettings, "base_url"), (WappalyzerSettings, "base_url"),
        (StorageSettings, "endpoint_url"), (HubSpotDestination, "base_url"), (SalesforceDestination, "login_url"),
    ],
)  # fmt: skip
def test_no_vendor_is_spoken_to_where_others_can_listen(section: type[BaseModel], name: str) -> None:
    for url, why in (
        ("http://example.com", "must be https"),
        ("https://a:b@example.com", "may hold no user or password"),
    ):
        with pytest.raises(ValidationError) as said:
            section.model_validate({name: url})
        assert [e for e in said.value.errors() if e["loc"] == (name,) and why in e["msg"]]
