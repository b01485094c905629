"""Beliefs as a prior, from 20 labelled accounts to 1,000: what right, half-right and wrong ones do to the ranking.

`python -m benchmarks.campaigns.cold_start`. The world is additive with an oracle AUC of about .77. Beliefs are what an
observant person would write down: for each planted attribute the two best levels, the best stretch of a number or the
state of a flag, and weak, medium or strong. Wrong ones say the opposite throughout, half-right ones of every other
attribute. Measured on 4,000 fresh accounts: the AUC of the trust-weighted fit of all attributes (`auc_n`; the same fit
without beliefs for "none"), of the beliefs alone (`auc_prior`), of the published points (`published_n`; .5 where no ICP
is published), and the trust weight (`trust_n`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmarks.campaigns.runner import Case, arguments, run_trials, summarise, write_table
from benchmarks.worlds import World, make_world
from icp.beliefs import weigh
from icp.bins import encode, make_bins
from icp.derive import derive
from icp.errors import NotEnoughEvidence
from icp.evidence import Evidence, fit_axis
from icp.hypotheses import Direction, Hypothesis, Strength
from icp.label_rows import read_label_rows
from icp.points import card_of
from icp.profile import BinDictionary
from icp.stats import Floats, auc_with_interval

SIZES = (20, 50, 100, 200, 1000)
PUBLISHED = (20, 200)
PRIORS = ("none", "right", "half-right", "wrong")
ROWS, ACCOUNTS, STRENGTH = 1500, 4000, 1.3
SPREADS: tuple[tuple[float, Strength], ...] = ((0.25, "weak"), (0.5, "medium"), (np.inf, "strong"))
OPPOSITE: Mapping[Direction, Direction] = {"in": "out", "out": "in"}
MEASURES = (
    "auc_oracle", "auc_prior", *(f"auc_{n}" for n in SIZES), *(f"published_{n}" for n in PUBLISHED),
    *(f"trust_{n}" for n in SIZES),
)  # fmt: skip


def trial(seed: int, case: Case) -> Mapping[str, float]:
    """One company and one set of beliefs, at every number of labelled accounts."""
    world = make_world("additive", ROWS, seed, universe=ACCOUNTS, strength=STRENGTH)
    dictionary = make_bins(world.universe, world.attributes, "2026Q4")
    codes = encode(world.universe, dictionary)
    won = np.random.default_rng(seed).random(ACCOUNTS) < world.universe_win_probability
    hypotheses = beliefs(world, dictionary, str(case["prior"]))
    found = {"auc_oracle": auc_with_interval(won, world.universe_log_odds)[0]}
    for size in SIZES:
        frame = world.frame.iloc[:size].reset_index(drop=True)
        found |= _fitted(size, frame, dictionary, hypotheses, codes, won)
        if size in PUBLISHED:
            found[f"published_{size}"] = _published(frame, dictionary, hypotheses, world.universe, codes, won)
    return found


def _fitted(
    size: int,
    frame: pd.DataFrame,
    dictionary: BinDictionary,
    hypotheses: Sequence[Hypothesis],
    codes: pd.DataFrame,
    won: Floats,
) -> dict[str, float]:
    """The fit of all attributes, believed in or not."""
    evidence = Evidence(read_label_rows(frame, dictionary), dictionary)
    found: dict[str, float] = {}
    if hypotheses:
        weighed = weigh(evidence, hypotheses, codes)
        evidence = replace(evidence, beliefs=weighed.means)
        trust = weighed.beliefs.trust
        found[f"trust_{size}"] = trust.value if trust else 0.0
        prior = np.sum([mean[codes[name]] for name, mean in weighed.means.items()], axis=0) if weighed.means else 0.0
        if size == SIZES[0]:
            found["auc_prior"] = _auc(won, prior + np.zeros(len(codes)))
    axis_fit = fit_axis(evidence, [a.name for a in dictionary.attributes])
    score = np.sum([e[codes[n]] for n, e in zip(axis_fit.names, axis_fit.effects, strict=True)], axis=0)
    return found | {f"auc_{size}": _auc(won, score)}


def _published(
    frame: pd.DataFrame,
    dictionary: BinDictionary,
    hypotheses: Sequence[Hypothesis],
    universe: pd.DataFrame,
    codes: pd.DataFrame,
    won: Floats,
) -> float:
    try:
        profile = derive(
            frame, dictionary, icp="c", quarter="2026Q4", universe=universe, hypotheses=hypotheses, has_tiers=False
        )
    except NotEnoughEvidence:
        return 0.5
    return _auc(won, card_of(profile.fit, dictionary).score(codes).astype(float))


def _auc(won: Floats, score: Floats) -> float:
    return auc_with_interval(won, score)[0] if np.ptp(score) > 0 else 0.5


def beliefs(world: World, dictionary: BinDictionary, prior: str) -> tuple[Hypothesis, ...]:
    """What an observant person would say of each planted attribute; turned round where the beliefs are wrong."""
    if prior == "none":
        return ()
    codes = encode(world.frame, dictionary)
    said = [_belief(name, world.effects[name], codes[name].to_numpy(), dictionary) for name in sorted(world.effects)]
    is_wrong = [prior == "wrong" or (prior == "half-right" and i % 2 == 1) for i in range(len(said))]
    return tuple(
        replace(h, direction=OPPOSITE[h.direction]) if turned else h for h, turned in zip(said, is_wrong, strict=True)
    )


def _belief(name: str, effect: Floats, codes: Floats, dictionary: BinDictionary) -> Hypothesis:
    bins = dictionary.bins[name][:-1]
    counts = np.maximum(np.bincount(codes, minlength=len(bins) + 1)[:-1], 1)
    mean = np.bincount(codes, effect, len(bins) + 1)[:-1] / counts
    strength = next(word for most, word in SPREADS if float(mean.std()) < most)
    kind = dictionary.attribute(name).kind
    if kind == "flag":
        return Hypothesis(name, "in" if mean[1] > mean[0] else "out", strength, values=("yes",))
    best = int(mean.argmax())
    if kind == "numeric":
        ends = bins[max(best - 1, 0)].lower, bins[min(best + 1, len(bins) - 1)].upper
        return Hypothesis(name, "in", strength, bins=(ends,))
    named = sorted((i for i, b in enumerate(bins) if b.levels), key=lambda i: -mean[i])[:2]
    return Hypothesis(name, "in", strength, values=tuple(bins[i].levels[0] for i in named))


def main() -> None:
    """Run the campaign and write its table."""
    options = arguments(__doc__ or "", runs=30, cases=PRIORS)
    frame = run_trials(trial, [{"prior": prior} for prior in options.cases], options.runs, options.workers)
    measures = [m for m in MEASURES if m in frame]
    table = summarise(frame, ["prior"], measures)
    write_table("cold_start", table[table["runs"] > 0].reset_index(drop=True), options.results)


if __name__ == "__main__":
    main()
