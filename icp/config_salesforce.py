"""How a Salesforce source is configured, and what is mapped when icp.yml says nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from icp.config_vendors import EnvironmentName, RetrySection, SafeUrl, VendorKind, VendorSection

SALESFORCE_TABLES: dict[str, dict[str, str]] = {
    "accounts": {
        "account_id": "Id",
        "account_name": "Name",
        "website": "Website",
        "industry": "Industry",
        "employees": "NumberOfEmployees",
        "annual_revenue": "AnnualRevenue",
        "country": "BillingCountry",
        "region": "BillingState",
        "city": "BillingCity",
        "lifecycle_stage": "Type",
        "parent_account_id": "ParentId",
        "merged_into_account_id": "MasterRecordId",
        "is_deleted": "IsDeleted",
        "created_at": "CreatedDate",
        "modified_at": "SystemModstamp",
    },
    "opportunities": {
        "opportunity_id": "Id",
        "account_id": "AccountId",
        "opportunity_name": "Name",
        "stage": "StageName",
        "opportunity_type": "Type",
        "is_closed": "IsClosed",
        "is_won": "IsWon",
        "amount": "Amount",
        "is_deleted": "IsDeleted",
        "created_at": "CreatedDate",
        "closed_at": "CloseDate",
        "modified_at": "SystemModstamp",
    },
    "contacts": {
        "contact_id": "Id",
        "account_id": "AccountId",
        "department": "Department",
        "is_deleted": "IsDeleted",
        "created_at": "CreatedDate",
        "modified_at": "SystemModstamp",
    },
}
PERSONAL = frozenset(
    (
        *("Name", "FirstName", "MiddleName", "LastName", "Suffix", "Salutation", "Email", "Birthdate", "PhotoUrl"),
        *("Phone", "MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone", "AssistantName", "Fax"),
        *("MailingAddress", "MailingStreet", "OtherAddress", "OtherStreet", "JigsawContactId"),
    )
)
SALESFORCE = VendorKind("Salesforce", SALESFORCE_TABLES, ("accounts", "opportunities"), PERSONAL)


class SalesforceLogin(VendorSection):
    """How to log in to a Salesforce org. Credentials are named here and kept in the environment, never in icp.yml.

    `login_url` is the org's own address (My Domain). `login` is `client_credentials` (key and secret of a connected app)
    or `jwt` (its key, a user name and the private key of its certificate, or the path of a file with it).
    """

    login_url: SafeUrl
    login: Literal["client_credentials", "jwt"] = "client_credentials"
    audience: str = "https://login.salesforce.com"
    client_id_env: EnvironmentName = "SALESFORCE_CLIENT_ID"
    client_secret_env: EnvironmentName = "SALESFORCE_CLIENT_SECRET"
    username_env: EnvironmentName = "SALESFORCE_USERNAME"
    private_key_env: EnvironmentName = "SALESFORCE_PRIVATE_KEY"
    retry: RetrySection = RetrySection()


class SalesforceSettings(SalesforceLogin):
    """Salesforce's REST and Bulk API 2.0.

    Above `bulk_above` rows a table is read by a Bulk job. `field_history` lands what accounts and opportunities were before.
    """

    api_version: Annotated[str, Field(pattern=r"^v[4-9]\d\.0$")] = "v66.0"
    bulk_above: Annotated[int, Field(ge=0)] = 2000
    bulk_page_rows: Annotated[int, Field(ge=1)] = 50_000
    poll_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    job_minutes: Annotated[float, Field(gt=0)] = 60.0
    overlap_minutes: Annotated[float, Field(ge=0)] = 15
    field_history: bool = False
