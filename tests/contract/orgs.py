"""A small Salesforce org (the portal of portals.py as its objects) and a project that pulls it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portals import company, portal

from icp.config import Settings, load
from icp.fake_vendors.portal import Portal
from icp.fake_vendors.salesforce import OrgRules
from icp.fake_vendors.server import FakeVendors, Script, serving

SECRET = "sf-secret-do-not-print-me"
MERGED = 1077


def account(number: int) -> str:
    return f"001{number:012d}AAA"


def opportunity(number: int) -> str:
    return f"006{number:012d}AAA"


def org() -> Portal:
    """The 25 companies (one deleted) and 12 deals, and a company that was merged into another."""
    made = portal()
    gone = company(MERGED, archived=True)
    gone["properties"]["merged_into_id"] = "1005"
    made.put("companies", gone)
    return made


@contextmanager
def salesforce(held: Portal, script: Script | None = None, **rules: object) -> Iterator[FakeVendors]:
    """The server with small pages; what `rules` says of the org."""
    script = script or Script()
    script.salesforce = OrgRules(**{"client_id": "app", "client_secret": SECRET, "rest_page": 10, **rules})
    with serving(held, script) as server:
        yield server


def project(folder: Path, url: str, *, section: str = "", tables: str = "", timeout: float = 5) -> Settings:
    """A project with one Salesforce source under its usual mapping."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "icp.yml").write_text(
        f"""\
config_version: 1
company: Acme
sources:
  crm:
    kind: salesforce
    salesforce:
      login_url: {url}
      bulk_page_rows: 10
      poll_seconds: 0.001
      retry: {{attempts: 3, first_wait_seconds: 0.01, longest_wait_seconds: 0.05, timeout_seconds: {timeout}}}
{section}
{tables}
icps:
  main: {{}}
""",
        encoding="utf-8",
    )
    return load(folder)
