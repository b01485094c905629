"""What a win is worth: how much of the best achievable value the ranking reaches, and whether intervals hold the truth.

Truth is written in terms of bins (`aligned`), so that every bin has a true multiplier. `account_coverage` is of the
expected value of single accounts at the newest quarter's level; `group_coverage` of the value of a win in twentieths of
the accounts by expected value, `tier_coverage` in twentieths by chance of winning, as tiers and market size cut them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.campaigns.runner import arguments, run_trials, summarise, write_table
from benchmarks.worlds import World, make_world
from icp.bins import encode, make_bins
from icp.derive import derive
from icp.errors import NotEnoughEvidence
from icp.expected_value import ExpectedValues, expected_values
from icp.group_value import mean_value_of_win
from icp.label_rows import read_label_rows
from icp.profile import Profile, Value
from icp.value import value_of_wins

CASES = {f"n={n}": {"case": f"n={n}", "rows": n} for n in (500, 1_000, 4_000)}
MEASURES = (
    "two_part", "win_only", "value_only", "level_coverage", "level_over_truth", "multiplier_coverage", "multiplier_width",
    "group_coverage", "tier_coverage", "account_coverage", "drivers", "noise_drivers",
)  # fmt: skip
TOP, GROUPS = 0.1, 20


def trial(seed: int, case: Mapping[str, Any]) -> Mapping[str, float]:
    """One company: shares of the oracle's value in the top decile, and coverage of every published interval."""
    world = make_world("additive", case["rows"], seed, universe=4_000, aligned=True)
    dictionary = make_bins(world.frame, world.attributes, "2025Q1")
    newest = str(world.frame["outcome_quarter"].max())
    try:
        profile = derive(world.frame, dictionary, icp="main", quarter=newest, has_tiers=False)
    except NotEnoughEvidence:
        return {}
    value = value_of_wins(profile, read_label_rows(world.frame, profile.bins))  # with the segments found
    if value is None:
        return {}
    found = expected_values(profile, value, encode(world.universe, profile.bins))
    return {**_shares(world, found), **_drivers(world, value), **_coverage(world, profile, value, found)}


def _shares(world: World, found: ExpectedValues) -> dict[str, float]:
    truth = world.universe_expected_value
    best = _top(truth, truth)
    return {
        "two_part": _top(truth, found.value) / best,
        "win_only": _top(truth, found.win_probability) / best,
        "value_only": _top(truth, found.value_of_win) / best,
    }


def _top(truth: np.ndarray, ranking: np.ndarray) -> float:
    """Value in the top decile of a ranking; ties share alike."""
    jitter = np.random.default_rng(0).random(len(ranking))
    return float(truth[np.lexsort((jitter, -ranking))[: int(TOP * len(truth))]].sum())


def _drivers(world: World, value: Value) -> dict[str, float]:
    names = [d.attribute for d in value.drivers if d.grade == "confirmed"]
    return {"drivers": float(len(names)), "noise_drivers": float(sum(n not in world.value_planted for n in names))}


def _coverage(world: World, profile: Profile, value: Value, found: ExpectedValues) -> dict[str, float]:
    truth = world.newest_expected_value
    frame = world.frame
    won = frame["is_won"].to_numpy(dtype=bool)
    average = float(np.exp(np.log(world.value_if_won[won]).mean()))
    codes = encode(frame, profile.bins)
    covered, widths = [], []
    for driver in value.drivers:
        own = codes[driver.attribute].to_numpy()
        effect = world.value_effects.get(driver.attribute, np.zeros(len(frame)))
        for place, bin_ in enumerate(driver.bins):
            rows = own == place
            if rows.any():
                true = float(np.exp(effect[rows].mean() - effect[won].mean()))
                covered.append(bin_.multiplier.low <= true <= bin_.multiplier.high)
                widths.append(np.log(bin_.multiplier.high / bin_.multiplier.low))
    return {
        "level_coverage": float(value.level.low <= average <= value.level.high),
        "level_over_truth": value.level.value / average,
        "multiplier_coverage": float(np.mean(covered)) if covered else np.nan,
        "multiplier_width": float(np.mean(widths)) if widths else np.nan,
        "group_coverage": _groups_held(world, profile, value, found, found.value),
        "tier_coverage": _groups_held(world, profile, value, found, found.win_probability),
        "account_coverage": float(np.mean((found.low <= truth) & (truth <= found.high))),
    }


def _groups_held(world: World, profile: Profile, value: Value, found: ExpectedValues, by: np.ndarray) -> float:
    """Share of twentieths of the accounts, in this order, whose mean value of a win lies in its interval."""
    codes, chances = encode(world.universe, profile.bins), world.universe_win_probability
    order = np.lexsort((np.random.default_rng(0).random(len(by)), by))
    held = []
    for g in np.array_split(order, GROUPS):
        mean = mean_value_of_win(profile, value, codes.iloc[g], found.win_probability[g])
        held.append(mean.low <= np.average(world.universe_value_if_won[g], weights=chances[g]) <= mean.high)
    return float(np.mean(held))


def main() -> None:
    """Run and write benchmarks/results/value.csv."""
    options = arguments(__doc__ or "", runs=50, cases=list(CASES))
    frame = run_trials(trial, [CASES[name] for name in options.cases], options.runs, options.workers)
    write_table("value", summarise(frame, ["case"], MEASURES), options.results)


if __name__ == "__main__":
    main()
