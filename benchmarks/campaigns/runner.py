"""What every campaign shares: trials in parallel, summaries with their Monte-Carlo error, tables on disk.

A trial is a module-level function of (seed, case) that returns a dict of numbers. The seed of a run depends on its
number only, so that cases meet the same luck, and neither the number of workers nor their order changes a figure.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

RESULTS = Path(__file__).resolve().parents[1] / "results"
BLAS_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
DIGITS = 4

Case = Mapping[str, Any]
Trial = Callable[[int, Case], Mapping[str, float]]


def run_trials(
    trial: Trial, cases: Sequence[Case], runs: int, workers: int = 2, *, first_seed: int = 0, alone: bool = False
) -> pd.DataFrame:
    """Every case with every seed; one row each: the case's own columns, `seed`, and what the trial returned.

    `alone` gives every trial a fresh process with no other beside it, for trials that measure time and memory.
    """
    jobs = [(seed, case) for seed in range(first_seed, first_seed + runs) for case in cases]
    if workers <= 1 and not alone:
        outcomes = [_one(trial, job) for job in jobs]
    else:
        outcomes = _in_parallel(trial, jobs, 1 if alone else workers, 1 if alone else None)
    rows = [{**case, "seed": seed, **outcome} for (seed, case), outcome in zip(jobs, outcomes, strict=True)]
    return pd.DataFrame(rows)


def _in_parallel(
    trial: Trial, jobs: Sequence[tuple[int, Case]], workers: int, trials_per_process: int | None
) -> list[Mapping[str, float]]:
    """Fresh processes with one BLAS thread each; progress on stderr when someone is watching."""
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    context = multiprocessing.get_context("spawn")
    outcomes: list[Mapping[str, float]] = []
    with ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=trials_per_process) as pool:
        for outcome in pool.map(partial(_one, trial), jobs):
            outcomes.append(outcome)
            if sys.stderr.isatty():
                print(f"\r{len(outcomes)}/{len(jobs)} trials", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return outcomes


def _one(trial: Trial, job: tuple[int, Case]) -> Mapping[str, float]:
    return trial(*job)


def summarise(frame: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Mean, Monte-Carlo standard error and number of runs of each column, one row per case and measure.

    The error is that of the mean over runs, sd / sqrt(runs); runs in which a measure has no value (NaN) are left out
    of it. Of a share that is 0 or 1 in every run the error is that of one more run that disagrees, not 0.
    """
    rows = []
    for key, group in frame.groupby(list(by), sort=False, dropna=False):
        for column in columns:
            values = group[column].astype(float).dropna().to_numpy()
            case = dict(zip(by, key, strict=True))
            rows.append({**case, "measure": column, **_mean_with_error(values)})
    return pd.DataFrame(rows)


def _mean_with_error(values: np.ndarray) -> dict[str, float]:
    runs = len(values)
    if runs == 0:
        return {"mean": np.nan, "mc_error": np.nan, "runs": 0}
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if runs > 1 else np.nan
    if spread == 0 and mean in (0.0, 1.0):
        share = 1 / (runs + 2)
        spread = (share * (1 - share)) ** 0.5
    return {"mean": mean, "mc_error": spread / runs**0.5, "runs": runs}


def write_table(name: str, table: pd.DataFrame, directory: Path = RESULTS) -> Path:
    """Write a result table as csv, floats at four digits, and print it."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.csv"
    rounded = table.round({c: DIGITS for c in table.select_dtypes("floating").columns})
    rounded.to_csv(path, index=False, lineterminator="\n")
    print(rounded.to_string(index=False))
    return path


def arguments(
    description: str, runs: int, cases: Sequence[str] = (), argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """The common options: --runs, --workers, --cases (names; all by default) and --results (where tables go)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=runs, help=f"seeds per case ({runs})")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes at a time")
    parser.add_argument("--cases", nargs="*", default=list(cases), choices=list(cases) or None, help="all by default")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    return parser.parse_args(argv)
