"""Two ICPs side by side: which accounts they share in their best tiers, and the same figures for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from icp.backtest import Backtest
from icp.profile import Estimate, Profile, Tier
from icp.stats import independent_share, lift_interval, wilson_interval

BEST = 2  # tiers from the top that are compared: A and B


@dataclass(frozen=True)
class Side:
    """One of the ICPs. Rates have 95 % intervals and are absent where outcomes cannot say.

    `auc` is that of the ICP in force before on this quarter's outcomes, `best_rate` the win rate of its two best tiers
    out of fold, on as many independent deals as the rates of those tiers stand on.
    """

    icp: str
    quarter: str
    population: str
    accounts: int
    best_accounts: int
    opportunities: int
    wins: int
    base_rate: Estimate | None
    best_rate: Estimate | None
    best_lift: Estimate | None
    auc: Estimate | None
    criteria: tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """How many accounts both speak of, and how many of those are in a best tier of both, of one, of neither.

    `expected` is how many would be in both, were the two chosen independently of each other among the shared accounts:
    far more means the two ICPs ask for the same companies. These are counts of all accounts, not of a sample.
    """

    shared_accounts: int
    in_both: int
    only_one: int
    only_other: int
    expected: float | None


@dataclass(frozen=True)
class HeadToHead:
    """Two ICPs compared. `accounts` are the ids in the best tiers of both."""

    one: Side
    other: Side
    overlap: Overlap
    shared_criteria: tuple[str, ...]
    accounts: tuple[str, ...]
    sentence: str


def head_to_head(
    profiles: tuple[Profile, Profile],
    accounts: tuple[pd.DataFrame, pd.DataFrame],
    backtests: tuple[Backtest | None, Backtest | None] = (None, None),
) -> HeadToHead:
    """Hold two ICPs against each other.

    Args:
        profiles: the two ICPs.
        accounts: their scored accounts with `account_id` and `tier`.
        backtests: how each ICP before them ranked the outcomes of the quarter, where that is known.
    """
    every = [set(frame["account_id"].astype(str)) for frame in accounts]
    best = [_best(frame, profile) for frame, profile in zip(accounts, profiles, strict=True)]
    shared, both = every[0] & every[1], best[0] & best[1]
    there = [len(own & shared) for own in best]
    expected = there[0] * there[1] / len(shared) if shared else None
    one, other = (
        _side(profile, len(own), len(top), judged)
        for profile, own, top, judged in zip(profiles, every, best, backtests, strict=True)
    )
    overlap = Overlap(len(shared), len(both), len(best[0] - both), len(best[1] - both), expected)
    criteria = tuple(name for name in one.criteria if name in other.criteria)
    return HeadToHead(one, other, overlap, criteria, tuple(sorted(both)), _sentence(one, other, overlap))


def head_to_head_text(result: HeadToHead) -> str:
    """The comparison for a terminal: the sentence and a table of the figures."""
    rows: list[tuple[str, str, str]] = [("", result.one.icp, result.other.icp)]
    for label, name in (
        ("quarter", "quarter"), ("population", "population"), ("accounts", "accounts"),
        ("in the best tiers", "best_accounts"), ("deals", "opportunities"), ("won", "wins"),
        ("win rate", "base_rate"), ("win rate, best tiers", "best_rate"), ("lift, best tiers", "best_lift"),
        ("AUC on the quarter", "auc"),
    ):  # fmt: skip
        rows.append((label, _cell(getattr(result.one, name)), _cell(getattr(result.other, name))))
    rows.append(("criteria", ", ".join(result.one.criteria) or "none", ", ".join(result.other.criteria) or "none"))
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([result.sentence, *table])


def _best(accounts: pd.DataFrame, profile: Profile) -> set[str]:
    names = [tier.name for tier in _tiers(profile)]
    return set(accounts.loc[accounts["tier"].isin(names), "account_id"].astype(str))


def _tiers(profile: Profile) -> Sequence[Tier]:
    return sorted(profile.tiers, key=lambda tier: -tier.min_score)[:BEST]


def _side(profile: Profile, accounts: int, best: int, judged: Backtest | None) -> Side:
    wins = sum(tier.wins for tier in _tiers(profile))
    deals = sum(tier.opportunities for tier in _tiers(profile))
    rate = lift = None
    has_rates = profile.gives_probability and profile.state != "no_icp"
    if has_rates and deals:
        counted = independent_share(
            [((t.rate.value, t.rate.low, t.rate.high), t.opportunities) for t in _tiers(profile)]
        )
        rate = Estimate(*wilson_interval(wins * counted, deals * counted))
        lift = _lift(wins, deals, profile, counted)
    return Side(
        icp=profile.icp,
        quarter=profile.quarter,
        population=profile.population or "all accounts",
        accounts=accounts,
        best_accounts=best,
        opportunities=profile.opportunities,
        wins=profile.wins,
        base_rate=profile.base_rate if profile.gives_probability and profile.opportunities else None,
        best_rate=rate,
        best_lift=lift,
        auc=judged.auc if judged else None,
        criteria=tuple(criterion.label for criterion in profile.headline_criteria),
    )


def _lift(wins: int, deals: int, profile: Profile, counted: float) -> Estimate | None:
    if not profile.wins or deals > profile.opportunities:
        return None
    return Estimate(*lift_interval(*(n * counted for n in (wins, deals, profile.wins, profile.opportunities))))


def _sentence(one: Side, other: Side, overlap: Overlap) -> str:
    if not overlap.shared_accounts:
        return f"{one.icp} and {other.icp} speak of different accounts: they share none."
    said = (
        f"Of the {overlap.shared_accounts:,} accounts both speak of, {overlap.in_both:,} are in the best tiers of "
        f"{one.icp} and {other.icp}"
    )
    if overlap.expected is None or overlap.expected < 1:
        return said + "."
    return said + f"; {overlap.expected:,.0f} would be, if the two chose independently."


def _cell(value: object) -> str:
    if value is None:
        return "not known"
    if isinstance(value, Estimate):
        return f"{value.value:.3g} ({value.low:.3g} to {value.high:.3g})"
    return f"{value:,}" if isinstance(value, int) else str(value)
