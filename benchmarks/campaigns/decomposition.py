"""Why the winners differ: are the parts right, are true causes named, and only those?

Ten criteria. In the newest quarter nothing happens, or in the first one the market moves (a group from 35 to 50 % of the
outcomes), one group's odds of winning double, or one's more than halve while another's double. `named`: the cause is
credible; `misnamed`: the other of mix and effect is (in quiet quarters either), in the same criterion; `elsewhere`: any
part of any other criterion. `mix_held` and `effect_held`: share of the bins of the first criterion whose 95 % interval
holds the part as it is with endless outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.campaigns.runner import arguments, run_trials, summarise, write_table
from benchmarks.forced import forced_profile
from icp.bins import make_bins
from icp.decomposition import with_decomposition
from icp.evidence import fit_axis, gather_evidence
from icp.label_rows import read_label_rows
from icp.profile import MISSING, Attribute, Profile
from icp.shift_parts import EFFECT, MIX, shapley_parts
from icp.stats import Floats
from icp.verdicts import BinShift, PartName, ProfileDiff

CRITERIA, QUARTERS = 10, ("2025Q4", "2026Q1", "2026Q2", "2026Q3", "2026Q4")
LEVELS, UNKNOWN = ("a", "b", "c", "d"), 0.08
SHARES = np.array([0.15, 0.30, 0.35, 0.20])
EFFECTS = np.array([-0.6, -0.1, 0.4, 0.2, 0.0])  # of the levels and of not known, in log odds
BASE = -1.3
OUTCOMES = (60, 150, 400, 1000)
CASES: Mapping[str, tuple[PartName | None, Floats, Floats]] = {
    "quiet": (None, SHARES, EFFECTS),
    "market": ("mix", np.array([0.10, 0.22, 0.50, 0.18]), EFFECTS),
    "one group": ("effect", SHARES, EFFECTS + np.log([1.0, 1.0, 2.0, 1.0, 1.0])),
    "two groups": ("effect", SHARES, EFFECTS + np.log([1.0, 2.0, 0.4, 1.0, 1.0])),
}
MEASURES = ("named", "misnamed", "elsewhere", "mix_held", "effect_held")
ATTRIBUTES = tuple(Attribute(f"c{i}", "category", "firmographic", f"Criterion {i}") for i in range(CRITERIA))


def trial(seed: int, case: Mapping[str, Any]) -> Mapping[str, float]:
    """One company's quarter taken apart."""
    cause, shares, effects = CASES[case["change"]]
    frame = _outcomes(np.random.default_rng(seed), case["outcomes"], shares, effects)
    newest = QUARTERS[-1]
    before = frame[frame["outcome_quarter"] < newest]
    incumbent = _profile(before)
    diff = ProfileDiff("main", QUARTERS[-2], newest, "no evidence", "", 0, 0, CRITERIA, None, (), (), ())
    found = with_decomposition(diff, incumbent, incumbent, frame).decomposition
    if found is None or not found.criteria:
        return {}
    first = next(c for c in found.criteria if c.attribute == "c0")
    others = [c for c in found.criteria if c.attribute != "c0"]
    truth = _truth(case["change"])
    return {
        "named": np.nan if cause is None else float(cause in first.credible),
        "misnamed": float(bool({"mix", "effect"} - {cause} & set(first.credible))),
        "elsewhere": float(any(c.credible for c in others)),
        "mix_held": _held(first.bins, "mix", truth[MIX]),
        "effect_held": _held(first.bins, "effect", truth[EFFECT]),
    }


def _outcomes(rng: np.random.Generator, outcomes: int, shares: Floats, effects: Floats) -> pd.DataFrame:
    rows = outcomes * len(QUARTERS)
    quarter = np.repeat(np.arange(len(QUARTERS)), outcomes)
    codes = np.column_stack([_draw(rng, rows, SHARES) for _ in range(CRITERIA)])
    codes[-outcomes:, 0] = _draw(rng, outcomes, shares)
    log_odds = BASE + EFFECTS[codes].sum(axis=1)
    log_odds[-outcomes:] += (effects - EFFECTS)[codes[-outcomes:, 0]]
    won = rng.random(rows) < 1 / (1 + np.exp(-log_odds))
    frame = pd.DataFrame({a.name: np.array([*LEVELS, None])[codes[:, j]] for j, a in enumerate(ATTRIBUTES)})
    names = [f"o{i:06d}" for i in range(rows)]
    return frame.assign(
        observation_id=names,
        account_id=names,
        is_won=won,
        outcome_value=np.nan,
        outcome_quarter=np.array(QUARTERS)[quarter],
    )


def _draw(rng: np.random.Generator, rows: int, shares: Floats) -> np.ndarray:
    return rng.choice(len(LEVELS) + 1, rows, p=[*(shares * (1 - UNKNOWN)), UNKNOWN])


def _profile(frame: pd.DataFrame) -> Profile:
    dictionary = make_bins(frame, ATTRIBUTES, QUARTERS[-2])
    evidence = gather_evidence(read_label_rows(frame, dictionary), dictionary, {})
    fitted = fit_axis(evidence, [a.name for a in ATTRIBUTES])
    return forced_profile(frame, dictionary, evidence, fitted, frame)


@cache
def _truth(change: str) -> Floats:
    """Parts x bins with endless outcomes: win rates are means over the other nine criteria."""
    _, shares, effects = CASES[change]
    rng = np.random.default_rng(0)
    rest = EFFECTS[np.column_stack([_draw(rng, 100_000, SHARES) for _ in range(CRITERIA - 1)])].sum(axis=1)
    cells = np.zeros((2, len(LEVELS) + 1, 4))
    for window, (mix, effect) in enumerate(((SHARES, EFFECTS), (shares, effects))):
        rates = (1 / (1 + np.exp(-(BASE + rest[:, None] + effect)))).mean(axis=0)
        worked = np.append(mix * (1 - UNKNOWN), UNKNOWN)
        cells[window, :, 3], cells[window, :, 0] = worked * rates, worked * (1 - rates)
    return shapley_parts(cells, len(LEVELS), 4)


def _held(bins: tuple[BinShift, ...], name: PartName, truth: Floats) -> float:
    held = []
    for line in bins:
        part, place = line.part(name), (*LEVELS, MISSING).index(line.key)
        if part is not None and line.key != MISSING:
            held.append(part.value.low <= truth[place] <= part.value.high)
    return float(np.mean(held)) if held else np.nan


def main() -> None:
    """Run the chosen changes (`--cases`) at every number of outcomes a quarter, against four earlier quarters."""
    options = arguments(__doc__ or "", 100, tuple(CASES))
    cases = [{"change": change, "outcomes": n} for change in options.cases for n in OUTCOMES]
    frame = run_trials(trial, cases, options.runs, options.workers)
    write_table("decomposition", summarise(frame, ("change", "outcomes"), MEASURES), options.results)


if __name__ == "__main__":
    main()
