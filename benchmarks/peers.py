"""Ours against what people would use instead, on the same rows, judged on the same accounts none of them has seen.

Synthetic worlds (fresh accounts of the same market) and, where the development data are at hand, two real sets. Each
world is fitted on several random 80 % of its rows, which also says how stable the selected attributes are. A contender
that cannot run is named with the reason. Run by `make bench`, in an environment of its own.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.campaigns.recovery import recovery
from benchmarks.campaigns.runner import Case, arguments, run_trials, summarise, write_table
from benchmarks.contenders import CONTENDERS
from benchmarks.real import REAL_SETS, is_at_hand, load_real
from benchmarks.worlds import make_world
from icp.profile import Attribute
from icp.stats import auc_with_interval

WORLDS = {f"{kind}-{rows}": (kind, rows) for rows in (1000, 4000) for kind in ("additive", "mixed", "segments")}
RUNS, RESAMPLES, KEPT = 4, 3, 0.8
FRESH = 10_000
PACKAGES = {
    "LightGBM": "lightgbm", "EBM": "interpret-core", "L1 logistic": "scikit-learn", "optbinning scorecard": "optbinning",
    "RIPPER": "wittgenstein", "RuleFit": "imodels", "pysubgroup": "pysubgroup",
}  # fmt: skip
MEASURES = (
    "auc", "top_decile_lift", "calibration_error", "selected", "size", "f1", "precision", "stability", "seconds",
)  # fmt: skip

Floats = NDArray[np.float64]


def trial(seed: int, case: Case) -> Mapping[str, float]:
    """All measures of one contender on one world or split, averaged over the resamples of its training rows."""
    train, test, attributes, planted = _data(seed, case)
    selections, rows = [], []
    for i in range(case.get("resamples", RESAMPLES)):
        sample = _resample(train, np.random.default_rng([seed, i]))
        try:
            measured, selected = _judge(case["contender"], sample, test, attributes, planted, seed)
        except ImportError:
            return {}
        rows.append(measured)
        selections.append(selected)
    return {**pd.DataFrame(rows).mean().to_dict(), "stability": stability(selections, [a.name for a in attributes])}


def _data(seed: int, case: Case) -> tuple[pd.DataFrame, pd.DataFrame, Sequence[Attribute], frozenset[str] | None]:
    if case["data"] in REAL_SETS:
        return *load_real(case["data"], seed), None
    kind, rows = WORLDS[case["data"]]
    world = make_world(kind, round(rows / KEPT), seed, universe=case.get("fresh", FRESH))
    won = np.random.default_rng(seed).random(len(world.universe)) < world.universe_win_probability
    return world.frame, world.universe.assign(is_won=won), world.attributes, world.planted


def _resample(train: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """80 % of the accounts, with all their rows."""
    accounts = np.sort(train["account_id"].unique())
    kept = rng.choice(accounts, round(KEPT * len(accounts)), replace=False)
    return train[train["account_id"].isin(set(kept))].reset_index(drop=True)


def _judge(
    contender: str,
    train: pd.DataFrame,
    test: pd.DataFrame,
    attributes: Sequence[Attribute],
    planted: frozenset[str] | None,
    seed: int,
) -> tuple[dict[str, float], frozenset[str]]:
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = CONTENDERS[contender](train, attributes, seed)
        seconds = time.perf_counter() - started
        probability = fitted.probability(test)
    won = test["is_won"].astype(float).to_numpy()
    found = recovery(fitted.selected, planted) if planted else {}
    measured = {
        "auc": auc_with_interval(won, probability).value,
        "top_decile_lift": top_decile_lift(won, probability),
        "calibration_error": calibration_error(won, probability),
        "selected": float(len(fitted.selected)),
        "size": float(fitted.size),
        "f1": found.get("f1", np.nan),
        "precision": found.get("precision", np.nan),
        "seconds": seconds,
    }
    return measured, fitted.selected


def top_decile_lift(won: Floats, probability: Floats) -> float:
    """Win rate of the tenth ranked highest over that of all; accounts tied at the edge share the room that is left."""
    room = 0.1 * len(won)
    edge = np.sort(probability)[::-1][max(int(np.ceil(room)) - 1, 0)]
    above, at = probability > edge, probability == edge
    share = (room - above.sum()) / at.sum()
    return float((won[above].sum() + share * won[at].sum()) / room / won.mean())


def calibration_error(won: Floats, probability: Floats, groups: int = 10) -> float:
    """Mean distance between promised and actual win rate over ten groups by promise (ECE)."""
    parts = np.array_split(np.argsort(probability, kind="stable"), groups)
    return float(sum(len(p) * abs(won[p].mean() - probability[p].mean()) for p in parts if len(p)) / len(won))


def stability(selections: Sequence[frozenset[str]], names: Sequence[str]) -> float:
    """How alike the sets are that several samples of one world select: 1 the same, 0 as chance (Nogueira et al. 2018)."""
    chosen = np.array([[name in s for name in names] for s in selections], dtype=float)
    runs, share = len(chosen), chosen.mean(axis=0)
    size = chosen.sum(axis=1).mean() / len(names)
    if runs < 2 or size in (0.0, 1.0):
        return np.nan
    return float(1 - (runs / (runs - 1) * share * (1 - share)).mean() / (size * (1 - size)))


def contender_notes() -> pd.DataFrame:
    """Which version of each contender ran, or why it did not."""
    rows = []
    for name, package in PACKAGES.items():
        try:
            rows.append({"contender": name, "package": package, "version": version(package), "note": _problem(name)})
        except PackageNotFoundError:
            rows.append({"contender": name, "package": package, "version": "", "note": "not installed"})
    return pd.DataFrame(rows)


def _problem(contender: str) -> str:
    world = make_world("additive", 300, 0, universe=300)
    try:
        CONTENDERS[contender](world.frame, world.attributes, 0).probability(world.universe)
    except Exception as error:  # noqa: BLE001 - whatever a peer raises is the answer
        return f"cannot run: {type(error).__name__}: {error}".splitlines()[0][:120]
    return "ran"


def main(argv: Sequence[str] | None = None, results: Path | None = None) -> None:
    options = arguments(__doc__ or "", RUNS, [*WORLDS, *REAL_SETS], argv)
    data = [d for d in options.cases if d in WORLDS or is_at_hand(d)]
    notes = contender_notes()
    running = ["icp-refresh", *notes.loc[notes["note"] == "ran", "contender"]]
    cases = [{"data": d, "contender": c} for d in data for c in running]
    frame = run_trials(trial, cases, options.runs, options.workers)
    table = summarise(frame, ["data", "contender"], MEASURES)
    wide = table.pivot_table(index=["data", "contender"], columns="measure", values=["mean", "mc_error"], sort=False)
    wide.columns = [m if kind == "mean" else f"{m}_mc_error" for kind, m in wide.columns]
    ordered = [c for m in MEASURES for c in (m, f"{m}_mc_error") if c in wide]
    write_table("peers", wide[ordered].reset_index(), results or options.results)
    write_table("peers_versions", notes, results or options.results)


if __name__ == "__main__":
    main()
