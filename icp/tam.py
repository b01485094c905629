"""How large the market is, and what each line of the ICP costs: TAM, SAM, SOM and the relaxation ladder.

The ICP as a rule is the conjunction of the in-bins of its shown criteria, strongest first, as long as at least the best
tier's capacity of accounts stays inside. For the ladder every shown criterion is dropped once and every other confirmed
one required once. Which bins are in is decided anew without each fifth of the accounts, so a win rate inside a rule is
of accounts the rule has not seen; rates are then shrunk towards what the additive profile expects there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import beta

from icp.bins import encode
from icp.evidence import AxisFit, Evidence, fit_axis, gather_evidence
from icp.expected_value import expected_values, log_error
from icp.group_value import mean_value_of_win
from icp.label_rows import LabelRows, Mask
from icp.label_rules import is_true
from icp.points import card_of
from icp.profile import MISSING, Estimate, Profile
from icp.stats import Floats, normal_quantile, wilson_interval
from icp.tiers import place

FOLDS = 5
TOO_BROAD, TOO_NARROW = 0.40, 0.005
SURE = 0.9
WEAKEST_PRIOR, STRONGEST_PRIOR = 20.0, 2_000.0
MOST_SHOWN = 8

Action = Literal["as is", "drop", "require"]


@dataclass(frozen=True)
class Rung:
    """The market under one rule. `change` is in accounts against the ICP as it is.

    `expected_wins` and `expected_value` are what working every prospect inside once would bring; `precision` is the win
    rate of worked opportunities inside, out of fold and shrunk; `recall` the share of all wins that lie inside, out of
    fold. `marginal_rate` is the win rate of only those accounts that the rule gains or loses.
    """

    action: Action
    attribute: str
    label: str
    accounts: int
    prospects: int
    change: int
    expected_wins: Estimate
    expected_value: Estimate | None
    precision: Estimate
    recall: Estimate
    worked: int
    marginal_rate: Estimate | None


@dataclass(frozen=True)
class Market:
    """TAM: every account of the universe. SAM: those inside the ICP's rule. SOM: prospects in the two best tiers.

    Customers are counted apart; prospects are accounts that have not bought. `som_wins` is what working each prospect of
    the two best tiers once brings, at the tiers' out-of-fold win rates.
    """

    tam: int
    tam_prospects: int
    sam: int
    sam_prospects: int
    som: int
    som_wins: Estimate
    rule: tuple[str, ...]
    ladder: tuple[Rung, ...]
    warnings: tuple[str, ...]


def size_market(
    profile: Profile, rows: LabelRows, universe: pd.DataFrame, *, capacity: float, seed: int = 0
) -> Market | None:
    """Count the market and climb the ladder; None without a shown criterion or without accounts.

    Args:
        profile: the profile to publish.
        rows: the label rows of the window in its bins.
        universe: every account as of the run; `is_customer` where known.
        capacity: share of the universe that the best tier may hold.
        seed: of the folds.
    """
    shown = [c.attribute for c in profile.headline_criteria if c.attribute in _published_bins(profile)]
    if not shown or universe.empty:
        return None
    codes = encode(universe, profile.bins)
    inside = {name: own[codes[name].to_numpy()] for name, own in _published_bins(profile).items()}
    rule = _rule(shown, inside, capacity * len(universe))
    prospects = ~_customers(universe)
    evidence = gather_evidence(rows, profile.bins, profile.change_points)
    scored = _Scored(profile, codes, inside, prospects, rows, evidence.weights, *_out_of_fold(profile, evidence, seed))
    ladder = _ladder(profile, scored, rule)
    som, som_wins = _reachable(profile, scored)
    sam = _all(inside, rule)
    return Market(
        tam=len(universe),
        tam_prospects=int(prospects.sum()),
        sam=int(sam.sum()),
        sam_prospects=int((sam & prospects).sum()),
        som=som,
        som_wins=som_wins,
        rule=tuple(rule),
        ladder=ladder,
        warnings=_warnings(int(sam.sum()), len(universe), capacity),
    )


@dataclass(frozen=True)
class _Scored:
    profile: Profile
    codes: pd.DataFrame
    inside: Mapping[str, Mask]
    prospects: Mask
    rows: LabelRows
    weights: Floats
    worked: Mapping[str, Mask]
    expected: Floats

    def counted(self, rows: Mask) -> float:
        """How many independent outcomes these rows are worth: those of one account repeat each other."""
        return float(self.weights[rows].sum())


def _customers(universe: pd.DataFrame) -> Mask:
    return is_true(universe["is_customer"]) if "is_customer" in universe else np.zeros(len(universe), dtype=bool)


def _published_bins(profile: Profile) -> dict[str, Mask]:
    """Per confirmed criterion, which of its bins are in the ICP."""
    found = {}
    for criterion in profile.fit.criteria:
        if criterion.grade == "confirmed" and any(b.stance == "in" for b in criterion.bins):
            stances = {b.key: b.stance == "in" for b in criterion.bins}
            found[criterion.attribute] = np.array(
                [stances.get(b.key, False) for b in profile.bins.bins[criterion.attribute]]
            )
    return found


def _rule(shown: Sequence[str], inside: Mapping[str, Mask], least: float) -> list[str]:
    """Strongest first, leaving out what would leave fewer accounts than the best tier may hold; the first always."""
    rule = [shown[0]]
    for name in shown[1:MOST_SHOWN]:
        if _all(inside, [*rule, name]).sum() >= max(least, TOO_NARROW * len(inside[name])):
            rule.append(name)
    return rule


def _all(inside: Mapping[str, Mask], names: Sequence[str]) -> Mask:
    first = next(iter(inside.values()))
    return np.logical_and.reduce([inside[n] for n in names]) if names else np.ones(len(first), dtype=bool)


def _out_of_fold(profile: Profile, evidence: Evidence, seed: int) -> tuple[dict[str, Mask], Floats]:
    """Per confirmed criterion which label rows are in, and each row's win probability, both without its own account."""
    names = [c.attribute for c in profile.fit.criteria]
    rows = evidence.rows
    folds = rows.folds(FOLDS, seed)
    inside = {name: np.zeros(len(rows), dtype=bool) for name in _published_bins(profile)}
    expected = np.full(len(rows), float(rows.won.mean()))
    for fold in range(FOLDS):
        held = folds == fold
        train = evidence.where(~held)
        if not held.any() or not 0 < train.rows.won.sum() < len(train.rows):
            continue
        fitted = fit_axis(train, names)
        log_odds = np.full(int(held.sum()), fitted.intercept)
        for block, name in enumerate(names):
            own = rows.codes[name].to_numpy()[held]
            log_odds += fitted.effects[block][own]
            if name in inside:
                inside[name][held] = _in_bins(profile, train, fitted, block)[own]
        expected[held] = expit(log_odds)
    return inside, expected


def _in_bins(profile: Profile, train: Evidence, fitted: AxisFit, block: int) -> Mask:
    name = fitted.names[block]
    effect, error = fitted.contrast(block, train.shares(name))
    known = np.array([b.key != MISSING for b in profile.bins.bins[name]])
    return np.asarray(known & (effect > normal_quantile(2 * SURE - 1) * error))


# -- the ladder --------------------------------------------------------------------------------------------------------


def _ladder(profile: Profile, scored: _Scored, rule: Sequence[str]) -> tuple[Rung, ...]:
    labels = {c.attribute: c.label for c in profile.fit.criteria}
    steps: list[tuple[Action, str, list[str]]] = [("as is", "", list(rule))]
    steps += [("drop", name, [n for n in rule if n != name]) for name in rule]
    steps += [("require", name, [*rule, name]) for name in scored.inside if name not in rule]
    cells = [_all(scored.worked, names) for _, _, names in steps]
    base = cells[0]
    strength = _prior_strength(scored, [c for cell in cells for c in (cell, cell ^ base) if c.any()])
    return tuple(
        _rung(scored, step, labels.get(step[1], ""), list(rule), cell, strength)
        for step, cell in zip(steps, cells, strict=True)
    )


def _rung(
    scored: _Scored, step: tuple[Action, str, list[str]], label: str, rule: list[str], cell: Mask, strength: float
) -> Rung:
    action, attribute, names = step
    inside, before = _all(scored.inside, names), _all(scored.inside, rule)
    reached = inside & scored.prospects
    rate = _rate(scored, cell, strength)
    differs = cell ^ _all(scored.worked, rule)
    won = scored.rows.won > 0
    count = int(reached.sum())
    wins = Estimate(count * rate.value, count * rate.low, count * rate.high)
    return Rung(
        action=action,
        attribute=attribute,
        label=label,
        accounts=int(inside.sum()),
        prospects=count,
        change=int(inside.sum()) - int(before.sum()),
        expected_wins=wins,
        expected_value=_worth(scored, reached, wins),
        precision=rate,
        recall=Estimate(*wilson_interval(scored.counted(cell & won), scored.counted(won))),
        worked=int(cell.sum()),
        marginal_rate=None if action == "as is" or not differs.any() else _rate(scored, differs, strength),
    )


def _rate(scored: _Scored, cell: Mask, strength: float) -> Estimate:
    """Win rate of a cell: its own outcomes and, worth `strength` outcomes, what the profile expects of it."""
    centre = float(scored.expected[cell].mean()) if cell.any() else float(scored.rows.won.mean())
    wins, worked = scored.counted(cell & (scored.rows.won > 0)), scored.counted(cell)
    rate = (strength * centre + wins) / (strength + worked)
    counted = max(
        worked, WEAKEST_PRIOR
    )  # the expectation is no outcome: it moves the rate but does not narrow the interval
    low, high = (float(beta.ppf(level, counted * rate, counted * (1 - rate))) for level in (0.025, 0.975))
    return Estimate(rate, low, high)


def _prior_strength(scored: _Scored, cells: Sequence[Mask]) -> float:
    """How many outcomes the profile's expectation is worth (moments): many when cells win as often as it says."""
    beyond, spread = 0.0, 0.0
    for cell in cells:
        centre, worked = scored.expected[cell].mean(), scored.counted(cell)
        rate = scored.counted(cell & (scored.rows.won > 0)) / worked
        beyond += worked * ((rate - centre) ** 2 - centre * (1 - centre) / worked)
        spread += worked * centre * (1 - centre)
    share = max(float(beyond / spread), 1e-9) if spread else 1e-9
    return float(np.clip(1 / share - 1, WEAKEST_PRIOR, STRONGEST_PRIOR))


def _worth(scored: _Scored, reached: Mask, wins: Estimate) -> Estimate | None:
    """Expected wins x the mean value of a win of the accounts reached, the log errors of both added."""
    value = scored.profile.value
    if value is None or not reached.any() or wins.low <= 0:
        return None
    codes = scored.codes[reached]
    found = mean_value_of_win(
        scored.profile, value, codes, expected_values(scored.profile, value, codes).win_probability
    )
    half = normal_quantile() * float(np.hypot(log_error(wins), log_error(found)))
    middle = wins.value * found.value
    return Estimate(middle, middle * float(np.exp(-half)), middle * float(np.exp(half)))


# -- reach and warnings ------------------------------------------------------------------------------------------------


def _reachable(profile: Profile, scored: _Scored) -> tuple[int, Estimate]:
    """Prospects of the two best tiers and the wins they bring, each worked once; interval of a sum of tiers (MOVER)."""
    points = card_of(profile.fit, profile.bins).score(scored.codes[scored.prospects])
    tiers = sorted(profile.tiers, key=lambda tier: -tier.min_score)
    counts = np.bincount(place(points, tuple((t.name, t.min_score) for t in tiers)), minlength=len(tiers))
    total, wins, down, up = 0, 0.0, 0.0, 0.0
    for tier, count in zip(tiers[:2], counts.tolist(), strict=False):
        total, wins = total + count, wins + count * tier.rate.value
        down += (count * (tier.rate.value - tier.rate.low)) ** 2
        up += (count * (tier.rate.high - tier.rate.value)) ** 2
    return total, Estimate(wins, max(wins - down**0.5, 0.0), wins + up**0.5)


def _warnings(inside: int, universe: int, capacity: float) -> tuple[str, ...]:
    share = inside / universe
    if share > TOO_BROAD:
        return (f"Too broad: the ICP holds {share:.0%} of all accounts; it hardly says where to go first.",)
    if share < TOO_NARROW:
        return (f"Too narrow: the ICP holds {inside:,} accounts, under 0.5 % of all; drop a line of the ladder.",)
    if inside < capacity * universe:
        return (f"Too narrow: the ICP holds {inside:,} accounts, fewer than the best tier could work.",)
    return ()
