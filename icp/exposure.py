"""Who was worked at all: where the profile rests on deals, and where it only extrapolates from other accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from icp.bins import encode
from icp.label_rules import Mask, is_true
from icp.points import card_of
from icp.profile import Bin, Criterion, Estimate, Profile
from icp.stats import wilson_interval

WORKED = "is_worked"
FEWEST_WORKED = 5
RARELY = 0.25  # of the share worked of all accounts

Support = Literal["worked", "rarely_worked", "no_deals"]


@dataclass(frozen=True)
class GroupExposure:
    """Share of the accounts of one group (a bin, a tier) that had an opportunity in the window.

    `no_deals`: fewer than 5 of them were worked, so deals say nothing about the group. `rarely_worked`: even the upper
    end of the interval is below a quarter of the share worked overall.
    """

    key: str
    label: str
    accounts: int
    worked: int
    share: Estimate
    support: Support


@dataclass(frozen=True)
class CriterionExposure:
    """The bins of one criterion."""

    attribute: str
    label: str
    bins: tuple[GroupExposure, ...]


@dataclass(frozen=True)
class Exposure:
    """Who was worked: of all accounts, per tier (best first), and per bin of every fit criterion."""

    accounts: int
    worked: int
    share: Estimate
    tiers: tuple[GroupExposure, ...]
    criteria: tuple[CriterionExposure, ...]


def measure_exposure(profile: Profile, universe: pd.DataFrame) -> Exposure | None:
    """Share of the accounts worked, per group of them; None when it is not recorded or nobody was worked.

    Bins and tiers are those the accounts are in now; an account may have been in another when it was worked.

    Args:
        profile: the profile to publish.
        universe: the accounts to be scored, with `is_worked`.
    """
    if WORKED not in universe or universe.empty:
        return None
    worked = is_true(universe[WORKED])
    if not worked.any():
        return None
    codes = encode(universe, profile.bins)
    overall = _share(worked)
    return Exposure(
        accounts=len(worked),
        worked=int(worked.sum()),
        share=overall,
        tiers=_tiers(profile, codes, worked, overall),
        criteria=tuple(_criterion(profile, c, codes, worked, overall) for c in profile.fit.criteria),
    )


def _criterion(
    profile: Profile, criterion: Criterion, codes: pd.DataFrame, worked: Mask, overall: Estimate
) -> CriterionExposure:
    own = codes[criterion.attribute].to_numpy()
    states: Sequence[Bin] = profile.bins.bins[criterion.attribute]
    groups = tuple(_group(s.key, s.label, worked[own == b], overall) for b, s in enumerate(states))
    return CriterionExposure(criterion.attribute, criterion.label, groups)


def _tiers(profile: Profile, codes: pd.DataFrame, worked: Mask, overall: Estimate) -> tuple[GroupExposure, ...]:
    best_first = sorted(profile.tiers, key=lambda tier: -tier.min_score)
    if not best_first:
        return ()
    score = card_of(profile.fit, profile.bins).score(codes)
    below = np.full(len(score), True)
    groups = []
    for tier in best_first:
        inside = below & (score >= tier.min_score)
        below &= ~inside
        groups.append(_group(tier.name, tier.name, worked[inside], overall))
    return tuple(groups)


def _group(key: str, label: str, worked: Mask, overall: Estimate) -> GroupExposure:
    share = _share(worked)
    support: Support = "worked"
    if len(worked) and worked.sum() < FEWEST_WORKED:
        support = "no_deals"
    elif len(worked) and share.high < RARELY * overall.value:
        support = "rarely_worked"
    return GroupExposure(key, label, len(worked), int(worked.sum()), share, support)


def _share(worked: Mask) -> Estimate:
    """Wilson's interval; nothing is known of a group without accounts."""
    return Estimate(*wilson_interval(int(worked.sum()), len(worked))) if len(worked) else Estimate(0.0, 0.0, 1.0)
