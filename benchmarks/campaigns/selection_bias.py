"""Sales chooses whom it works: which contrast still ranks the whole market?

Sales picks accounts partly by how likely they are to be won and partly by habit: three attributes that have nothing to
do with winning, mild or strong. A profile of the deals it worked (won against lost), one of its customers against all
other accounts, and the mean of both scores then rank every account. Each is judged by the mean true win probability of
its top tenth, as a share of the oracle's. `random` is what a ranking by lot gets. `chosen_won` and `chosen_customer`
count how many of the three attributes that only steer sales' choice each profile confirms.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.campaigns.runner import Case, arguments, run_trials, summarise, write_table
from benchmarks.worlds import World, make_world
from icp.bins import encode, make_bins
from icp.contrasts import customers_and_background
from icp.derive import derive
from icp.points import card_of
from icp.profile import Contrast, Profile

CASES = {f"{habits}-{n}": {"habits": habits, "worked": n} for habits in ("mild", "strong") for n in (500, 2_000)}
RUNS = 40
MEASURES = ("won_or_lost", "customer_or_not", "average", "random", "win_rate", "chosen_won", "chosen_customer")
UNIVERSE, TOP = 8_000, 0.1
OTHER_THINGS = 3
BY_CHANCE_OF_WINNING = 0.4  # sd in log odds of being worked
BY_OTHER_THINGS = {"mild": 0.25, "strong": 0.5}  # the same, of each of the three
QUARTERS = ("2025Q3", "2025Q4", "2026Q1", "2026Q2")

Floats = NDArray[np.float64]


def trial(seed: int, case: Case) -> Mapping[str, float]:
    """One company: both profiles from the same deals, and what their orders of the universe are worth."""
    world = make_world("additive", 200, seed, universe=case.get("universe", UNIVERSE))
    rng = np.random.default_rng([seed, 7])
    steering = [a.name for a in world.attributes if a.name not in world.planted]
    steering = [str(name) for name in rng.choice(steering, OTHER_THINGS, replace=False)]
    propensity = _propensity(world, steering, BY_OTHER_THINGS[case["habits"]], rng)
    labels, universe = _deals(world, propensity, case["worked"], rng)
    customers = customers_and_background(labels, universe, QUARTERS[-1], seed, only_good=True)
    won = _profile(world, labels, universe, seed, "won_or_lost")
    customer = _profile(world, customers, universe, seed, "customer_or_not")
    one, other = (_standardised(_score(profile, universe)) for profile in (won, customer))
    truth = world.universe_win_probability
    best = _top(truth, truth)
    return {
        "won_or_lost": _top(truth, one) / best,
        "customer_or_not": _top(truth, other) / best,
        "average": _top(truth, one + other) / best,
        "random": float(truth.mean()) / best,
        "win_rate": float(labels["is_won"].mean()),
        "chosen_won": _confirmed(won, steering),
        "chosen_customer": _confirmed(customer, steering),
    }


def _propensity(world: World, steering: list[str], habit: float, rng: np.random.Generator) -> Floats:
    """Log odds of being worked: some sense for who will be won, and habits about other attributes."""
    total = BY_CHANCE_OF_WINNING * _standardised(world.universe_log_odds)
    for name in steering:
        column = world.universe[name]
        if pd.api.types.is_numeric_dtype(column):
            taste = column.rank(pct=True).fillna(0.5).to_numpy(dtype=float) * rng.choice([-1.0, 1.0])
        else:
            levels = pd.factorize(column)[0]
            taste = np.append(rng.standard_normal(int(levels.max()) + 1), 0.0)[levels]
        total = total + habit * _standardised(np.asarray(taste))
    return np.asarray(total)


def _deals(
    world: World, propensity: Floats, worked: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The accounts sales works (drawn without return, odds by propensity), their outcomes, and all accounts."""
    order = np.argsort(-(propensity + rng.gumbel(size=len(propensity))), kind="stable")
    chosen = np.sort(order[:worked])
    labels = world.universe.iloc[chosen].reset_index(drop=True)
    labels["observation_id"] = labels["account_id"]
    labels["is_won"] = rng.random(worked) < world.universe_win_probability[chosen]
    labels["outcome_quarter"] = np.array(QUARTERS)[rng.integers(0, len(QUARTERS), worked)]
    customers = labels.loc[labels["is_won"], "account_id"]
    return labels, world.universe.assign(is_customer=world.universe["account_id"].isin(customers))


def _profile(world: World, frame: pd.DataFrame, universe: pd.DataFrame, seed: int, contrast: Contrast) -> Profile:
    dictionary = make_bins(universe, world.attributes, QUARTERS[-1])
    return derive(
        frame, dictionary, icp="main", quarter=QUARTERS[-1], universe=universe, has_tiers=False, seed=seed,
        contrast=contrast,
    )  # fmt: skip


def _score(profile: Profile, universe: pd.DataFrame) -> Floats:
    """Points in log odds, so that both scores weigh alike where they are averaged only after standardising."""
    card = card_of(profile.fit, profile.bins)
    return np.asarray(card.slope * card.score(encode(universe, profile.bins)), dtype=float)


def _standardised(values: Floats) -> Floats:
    return np.asarray((values - values.mean()) / (values.std() or 1.0))


def _top(truth: Floats, ranking: Floats) -> float:
    """Mean true win probability of the top tenth of a ranking; ties by lot."""
    lot = np.random.default_rng(0).random(len(ranking))
    return float(truth[np.lexsort((lot, -ranking))[: int(TOP * len(truth))]].mean())


def _confirmed(profile: Profile, names: list[str]) -> float:
    return float(sum(t.attribute in names and t.grade == "confirmed" for t in profile.tests))


def main() -> None:
    """Run and write benchmarks/results/selection_bias.csv."""
    options = arguments(__doc__ or "", RUNS, list(CASES))
    frame = run_trials(trial, [CASES[c] for c in options.cases], options.runs, options.workers)
    write_table("selection_bias", summarise(frame, ["habits", "worked"], MEASURES), options.results)


if __name__ == "__main__":
    main()
