"""Which company a visit belongs to: from what analytics says of it, by the ways icp.yml names, or why none was found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from icp.config_analytics import CompanyKey, WebSection
from icp.config_schema import CsvOptions, Lookup
from icp.domains import registrable_domain
from icp.lake import Lake
from icp.sources.lookups import LookupTable, lookup_hash, read_lookup

NOT_SET, OTHER, OWN = "(not set)", "(other)", "(own site)"
NO_DOMAIN, NO_ACCOUNT, UNKNOWN = "(no company domain)", "(no account id)", "(unknown user)"
EMPTY = frozenset({"", NOT_SET, "(none)", "null", "none", "undefined", "$direct"})
ACCOUNT = re.compile(r"[\w.:-]{1,80}")
NETWORK_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]+")


@dataclass(frozen=True)
class Company:
    """A company by the CRM's id or by its domain; or nobody: `website` then says why, in parentheses."""

    account_id: str | None
    website: str | None

    @property
    def found(self) -> bool:
        """Whether some company was found."""
        return self.account_id is not None or not str(self.website).startswith("(")


class Companies:
    """Finds companies. What was said of a visit is looked at and forgotten; only a domain or an account's id is kept.

    Raises:
        ConfigError: A lookup file is missing or broken.
    """

    def __init__(self, section: WebSection, root: Path, lake: Lake) -> None:
        self._keys = section.company
        self._own = {registrable_domain(domain) or domain.lower() for domain in section.own_domains}
        self._root, self._lake = root, lake
        self._lookups = {key: _read(root, key) for key in self._keys if key.lookup is not None}
        self._known: dict[tuple[str | None, ...], Company] = {}

    def find(self, said: Sequence[str | None]) -> Company:
        """The company of a visit; `said` holds one text per way in `company:`, in their order."""
        key = tuple(said)
        if key not in self._known:
            self._known[key] = self._found(key)
        return self._known[key]

    def find_all(self, said: Iterable[Sequence[str | None]]) -> list[Company]:
        """`find` for each row."""
        return [self.find(row) for row in said]

    @property
    def hashes(self) -> list[str]:
        """Hashes of the lookup files: a changed one makes other companies of the same visits."""
        return [lookup_hash("web_activity", self._root, k.lookup.path) for k in self._keys if k.lookup is not None]

    def _found(self, said: tuple[str | None, ...]) -> Company:
        why = NOT_SET
        for key, text in zip(self._keys, said, strict=True):
            company = self._one(key, (text or "").strip())
            if company.found:
                return company
            why = str(company.website) if why == NOT_SET else why
        return Company(None, why)

    def _one(self, key: CompanyKey, text: str) -> Company:
        if text.lower() in EMPTY:
            return Company(None, NOT_SET)
        if text == OTHER:
            return Company(None, OTHER)
        if key.lookup is not None:
            text = self._lookups[key].find(pa.array([text]))[0].as_py() or ""
            if not text:
                return Company(None, UNKNOWN)
        if key.holds == "contact":
            account = self._accounts.get(text)
            return Company(account, None) if account else Company(None, UNKNOWN)
        if key.holds == "account_id" and "@" not in text:
            is_id = ACCOUNT.fullmatch(text) and not NETWORK_ADDRESS.fullmatch(text)
            return Company(text, None) if is_id else Company(None, NO_ACCOUNT)
        domain = registrable_domain(text)
        if domain is None:
            return Company(None, NO_DOMAIN)
        return Company(None, OWN) if domain in self._own else Company(None, domain)

    @cached_property
    def _accounts(self) -> dict[str, str]:
        """The account of every landed contact, as its newest version says."""
        accounts: dict[str, str] = {}
        for file in self._lake.landed_files().get("contacts", []):
            rows: dict[str, list[Any]] = pq.read_table(
                file, columns=["contact_id", "account_id"], partitioning=None
            ).to_pydict()
            pairs = zip(rows["contact_id"], rows["account_id"], strict=True)
            accounts |= {contact: account for contact, account in pairs if contact and account}
        return accounts


def _read(root: Path, key: CompanyKey) -> LookupTable:
    assert key.lookup is not None
    return read_lookup("web_activity", root, Lookup(**key.lookup.model_dump()), CsvOptions())
