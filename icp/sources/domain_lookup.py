"""Technologies by lookup: companies are asked for domain by domain, the most valuable first, within a month's credits.

An answer is good for `refresh_days`; until then its domain is not asked again. Answers are on disk before they are
landed, so a pull that is killed, fails or runs out of credits has lost none of what it paid for: the next one goes on
behind the last answer. The cursor in the manifest of a load is the number of the last answer it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from icp import atomic
from icp.config import Settings, secret
from icp.config_technographics import LookupSection
from icp.errors import ConfigError, TryLater
from icp.lake import Lake, SourceFile, StagedLoad, TableToLand
from icp.sources.builtwith import BuiltWith
from icp.sources.failures import FOLDER
from icp.sources.http_client import Meter, VendorClient
from icp.sources.lookup_ledger import Answer, BudgetUsedUp, Ledger, Record, spent_by_month, waiting
from icp.sources.lookup_order import domains_by_value
from icp.sources.mapping import TableReader
from icp.sources.wappalyzer import Wappalyzer
from icp.spool import Spool

TABLE = "technologies"
BATCH = 2000
MOST_TRIES = 5
"""Pulls that find a domain unfinished before it counts as unknown until it is due again."""
PENDING_AGAIN = timedelta(hours=1)

CHECKED = "key and credits"


class LookupApi(Protocol):
    """A vendor that can be asked for domains."""

    client: VendorClient

    def ask(self, domains: Sequence[str], meter: Meter, now: datetime) -> dict[str, Sequence[Record] | None]: ...

    def spent(self) -> int | None: ...

    def credits(self) -> int | None: ...


def pull(settings: Settings, source_name: str, lake: Lake, *, extracted_at: datetime) -> Iterator[StagedLoad]:
    """Ask for every domain that is due, as far as this month's credits reach, and stage what was answered.

    Raises:
        TryLater: No account has landed yet, or the vendor cannot serve now; its `staged` holds what was answered before.
        ConfigError: The key is wrong; `staged` likewise.
    """
    api, section = _api(settings, source_name)
    mapping = settings.source(source_name).tables[TABLE]
    reader = TableReader(settings.root, mapping, settings.contract.tables[TABLE], settings.calendar.timezone)
    month = f"{extracted_at.astimezone(UTC):%Y-%m}"
    ledger = Ledger(_folder(lake.root, source_name), month, section.monthly_credits)
    try:
        domains = domains_by_value(lake, settings.icps)
        if not domains:
            raise TryLater(
                "No account with a website has landed yet, so there is nobody to look up. Land accounts first."
            )
        _ask(api, section, ledger, due(ledger, domains, section, extracted_at), extracted_at)
    except (ConfigError, TryLater) as problem:
        problem.staged = tuple(_staged(lake, source_name, ledger, reader, extracted_at))
        raise
    finally:
        api.client.close()
    yield from _staged(lake, source_name, ledger, reader, extracted_at)


def due(ledger: Ledger, domains: Sequence[str], section: LookupSection, now: datetime) -> list[str]:
    """Domains to ask, in order: those never asked or asked `refresh_days` ago, and those still unfinished."""
    oldest = now - timedelta(days=section.refresh_days)
    answers = ledger.answers

    def is_due(answer: Answer) -> bool:
        return answer.asked_at <= (now - PENDING_AGAIN if answer.is_pending else oldest)

    return [domain for domain in domains if domain not in answers or is_due(answers[domain])]


def missing(settings: Settings, source_name: str) -> list[str]:
    """What stands between this source and a pull before the vendor is asked: the key; `standing` asks the vendor.

    Raises:
        ConfigError: The environment variable with the key is not set.
    """
    secret(_api(settings, source_name)[1].key_env)
    return []


def standing(settings: Settings, source_name: str) -> str:
    """Credits left at the vendor, and those of the month's budget, in words; one call that costs none.

    Raises:
        IcpError: The vendor cannot be asked; the message says what is missing.
    """
    api, section = _api(settings, source_name)
    try:
        left = api.credits()
    finally:
        api.client.close()
    spent = spent_by_month(_folder(settings.lake, source_name))
    month, credits = next(reversed(spent.items()), ("no month yet", 0))
    said = "key accepted" if left is None else f"key accepted, {left:,} credits left at the vendor"
    left_out = waiting(_folder(settings.lake, source_name))
    then = f"; {left_out:,} domains wait for the next month's credits" if left_out else ""
    return f"{said}; {credits:,} of {section.monthly_credits:,} a month spent ({month}){then}"


def _api(settings: Settings, source_name: str) -> tuple[LookupApi, LookupSection]:
    source = settings.source(source_name)
    if source.builtwith is not None:
        return BuiltWith(source.builtwith), source.builtwith
    assert source.wappalyzer is not None
    return Wappalyzer(source.wappalyzer), source.wappalyzer


def _folder(lake: Path, source_name: str) -> Path:
    return lake / FOLDER / source_name


# -- asking ------------------------------------------------------------------------------------------------------------


class _Batch:
    """Counts the credits of one call's attempts, each before it is made."""

    def __init__(self, ledger: Ledger, cost: int) -> None:
        self._ledger, self._cost = ledger, cost

    def reserve(self) -> None:
        if self._ledger.left < self._cost:
            raise BudgetUsedUp
        self._ledger.count(self._cost)

    def release(self) -> None:
        self._ledger.count(-self._cost)


def _ask(api: LookupApi, section: LookupSection, ledger: Ledger, domains: Sequence[str], now: datetime) -> None:
    start = 0
    while start < len(domains):
        size = min(section.domains_per_call, ledger.left // section.credits_per_domain)
        batch = list(domains[start : start + size])
        if not batch:
            break  # the month's credits are spent; the rest is first in line next month
        cost = len(batch) * section.credits_per_domain
        try:
            found = api.ask(batch, _Batch(ledger, cost), now)
        except BudgetUsedUp:
            break
        ledger.keep(found, now)
        ledger.give_up([d for d in found if ledger.answers[d].tries >= MOST_TRIES], now)
        _settle(ledger, section, cost, api.spent(), len(batch))
        start += size
    ledger.leave(len(domains) - start)


def _settle(ledger: Ledger, section: LookupSection, counted: int, charged: int | None, domains: int) -> None:
    """What the vendor says it charged stands; more than was counted on means that the price is not what icp.yml says."""
    if charged is None or charged == counted:
        return
    ledger.count(charged - counted)
    if charged > counted:
        raise ConfigError(
            f"The vendor charged {charged} credits for {domains} domains, more than `credits_per_domain: "
            f"{section.credits_per_domain}` says. Set it to {-(-charged // domains)} so that the budget holds."
        )


# -- landing -----------------------------------------------------------------------------------------------------------


def _staged(
    lake: Lake, source_name: str, ledger: Ledger, reader: TableReader, extracted_at: datetime
) -> Iterator[StagedLoad]:
    answers = ledger.since(_landed(lake, source_name, reader))
    if not any(answer.records for answer in answers):
        return
    place = f"{source_name}:domains"
    with lake.room(source_name) as room:
        spool = Spool(room / f"{TABLE}.parquet", reader.empty().schema)
        for start in range(0, len(answers), BATCH):
            gathered = reader.columns(place)
            gathered.add([record for answer in answers[start : start + BATCH] for record in answer.records])
            if gathered.rows:
                spool.append(reader.shaped(gathered.read(), place))
        spool.close()
        file = SourceFile(place, atomic.sha256_of(spool.path), spool.path.stat().st_size)
        yield lake.stage_load(
            source=source_name,
            effective_at=extracted_at,
            extracted_at=extracted_at,
            tables={TABLE: TableToLand(spool, (file,), reader.mapping_hash)},
            cursors={TABLE: str(answers[-1].number)},
        )


def _landed(lake: Lake, source_name: str, reader: TableReader) -> int:
    """The number of the last answer that has landed under this mapping; under a new one all kept answers land again."""
    numbers = [
        int(load.cursors[TABLE])
        for load in lake.accepted_loads()
        if load.source == source_name
        and TABLE in load.cursors
        and load.tables[TABLE].mapping_hash == reader.mapping_hash
    ]
    return max(numbers, default=0)
