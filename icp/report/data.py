"""What a report is made from: results of the core, three tables and the facts of the run. No clock, no file."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from icp.account_lists import ListCount
from icp.approval import Approval
from icp.backtest import Backtest
from icp.beliefs import Beliefs
from icp.contrasts import Contrasts
from icp.exposure import Exposure
from icp.profile import Profile
from icp.qualitative import Qualitative
from icp.qualitative_evidence import Agreement
from icp.sensitivity import Sensitivity
from icp.tam import Market
from icp.track_record import TrackedQuarter
from icp.verdicts import ProfileDiff
from icp.what_if import WhatIf


@dataclass(frozen=True)
class SourceAge:
    """How old the newest data of one source was at `as_of`."""

    source: str
    newest: str
    age_days: int
    rows: int | None = None


@dataclass(frozen=True)
class Exclusion:
    """Rows that were left out, how many, and why."""

    what: str
    rows: int
    reason: str


@dataclass(frozen=True)
class ReportMeta:
    """The facts of the run that belong to no single result.

    `history` is how the ICP in force did on each past quarter's outcomes; `icp.publication.read_history`.
    """

    company: str
    as_of: str
    revision: str
    approval: Approval
    inputs_hash: str
    config_hash: str
    code_hash: str
    label: str = "won against lost"
    sources: tuple[SourceAge, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    history: tuple[TrackedQuarter, ...] = ()
    notes: tuple[str, ...] = ()


def no_rows(*columns: str) -> pd.DataFrame:
    """An empty table with these columns."""
    return pd.DataFrame({column: pd.Series(dtype="object") for column in columns})


MIGRATION_COLUMNS = ("previous_tier", "tier", "migration_cause", "accounts")
COVERAGE_COLUMNS = ("attribute", "label", "family", "filled_share", "universe_filled_share", "backfilled_share")


@dataclass(frozen=True)
class ReportData:
    """One quarter's answer, ready to be laid out.

    Attributes:
        profile: The ICP published by this revision.
        diff: What changed and what can be said about it; on the first run it says that there is nothing to compare.
        incumbent: The ICP in force before, None on the first run.
        backtest: How the incumbent did on this quarter's outcomes, None without an incumbent.
        migration: `previous_tier, tier, migration_cause, accounts` (migration.parquet).
        movers: Rows of `accounts.parquet` that changed tier, see `icp.tier_lists.movers`.
        coverage: One row per attribute, see `icp.publication.coverage`.
        beliefs: What became of stated beliefs, None where nobody stated any.
        sensitivity: The headline criteria under other labels; None where no fact about customers is known.
        exposure: Whose accounts were worked; None where it is not recorded.
        contrasts: Won against lost beside customers against all accounts.
        qualitative: Personas, case studies and survey, as written down.
        agreements: Who agrees with each stated belief.
        lists: How many accounts each list dbt made has.
        market: How large the market is, None without a confirmed criterion.
        what_if: Every combination of the headline criteria, None where outcomes cannot say.
    """

    profile: Profile
    diff: ProfileDiff
    meta: ReportMeta
    incumbent: Profile | None = None
    backtest: Backtest | None = None
    migration: pd.DataFrame = field(default_factory=lambda: no_rows(*MIGRATION_COLUMNS))
    movers: pd.DataFrame = field(default_factory=pd.DataFrame)
    coverage: pd.DataFrame = field(default_factory=lambda: no_rows(*COVERAGE_COLUMNS))
    beliefs: Beliefs | None = None
    sensitivity: Sensitivity | None = None
    exposure: Exposure | None = None
    contrasts: Contrasts | None = None
    market: Market | None = None
    what_if: WhatIf | None = None
    lists: tuple[ListCount, ...] = ()
    qualitative: Qualitative = field(default_factory=Qualitative)
    agreements: tuple[Agreement, ...] = ()
