"""Drift between quarters: how often the weekly monitor cries wolf at a quiet company, and what it sees when it should.

Three parts. *quiet*: a company with seasons and waves in its win rate, but nothing else, watched every week for four
years (a refresh each quarter); entries into drift are counted. *falls* and *mixes*: one quarter of weekly looks with a
planted change. *concept*: the change test on partial quarters, quiet or with an attribute turned round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.campaigns.runner import Case, arguments, run_trials, summarise, write_table
from icp.bins import kernel
from icp.change_model import ChangeBlock
from icp.change_test import find_changes
from icp.drift import FALSE_ALARMS_PER_YEAR, SHARES, advance
from icp.drift_monitors import LOOKS, Mix, allowance, watch_population
from icp.drift_performance import TopTier, watch_performance
from icp.drift_report import Finding, Monitor, Remembered
from icp.drift_tests import WEEKS
from icp.profile import Attribute, Bin

Floats = NDArray[np.float64]

VOLUMES = (150, 300, 500, 1000, 2000)
QUARTERS, WINDOW = 16, 8
STATES = (3, 3, 3, 3, 4, 5, 5, 6, 6, 7, 8, 8)  # bins per attribute, not known included
TOP_SHARE, ODDS, BASE = 0.2, 3.5, -1.6
CONCEPT_ATTRIBUTES, CONCEPT_EFFECT = 10, 0.6


def alpha(monitor: Monitor) -> float:
    """What the default budget leaves one monitor per quarter."""
    return FALSE_ALARMS_PER_YEAR / 4 * SHARES[monitor]


def shares(rng: np.random.Generator) -> list[Floats]:
    """How accounts spread over the bins of each attribute; the last one is the tiers."""
    return [*(rng.dirichlet(np.full(k, 4.0)) for k in STATES), np.array([0.07, 0.17, 0.3, 0.46])]


def volumes(rng: np.random.Generator, volume: int, weeks: int) -> NDArray[np.int64]:
    """Outcomes per week, with a season."""
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(weeks) / 52 + rng.uniform(0, 6))
    return rng.poisson(volume / WEEKS * season)


def levels(rng: np.random.Generator, weeks: int) -> Floats:
    """The week's win log odds of the rest: a season and a slow wave of its own."""
    wave = np.zeros(weeks)
    for week in range(1, weeks):
        wave[week] = 0.95 * wave[week - 1] + rng.normal(0, 0.12)
    return BASE + 0.4 * np.sin(2 * np.pi * np.arange(weeks) / 52 + rng.uniform(0, 6)) + wave


def tier_tables(rng: np.random.Generator, counts: NDArray[np.int64], level: Floats, odds: float) -> Floats:
    """Wins and losses of the top tier and of the rest, week by week."""
    top = rng.binomial(counts, TOP_SHARE)
    won = [
        rng.binomial(n, 1 / (1 + np.exp(-(level + shift)))) for n, shift in ((top, np.log(odds)), (counts - top, 0.0))
    ]
    return np.column_stack([won[0], top - won[0], won[1], counts - top - won[1]]).astype(float)


def mix_tables(rng: np.random.Generator, counts: NDArray[np.int64], spread: list[Floats]) -> list[Floats]:
    """Accounts per week and bin of each attribute."""
    return [np.array([rng.multinomial(n, s) for n in counts], dtype=float) for s in spread]


def alarms(known: dict[str, Remembered], findings: tuple[Finding, ...]) -> int:
    """How many lines have just entered drift; `known` moves on."""
    entered = 0
    for finding in findings:
        known[finding.key], alert = advance(finding, known.get(finding.key))
        entered += alert is not None and alert.event == "entered"
    return entered


def weekly(top: TopTier, mixes: list[Mix]) -> Iterator[tuple[int, str, tuple[Finding, ...]]]:
    """The looks of one quarter after a refresh, as `icp monitor` takes them every week."""
    for week in range(1, WEEKS + 1):
        yield week, "performance", (watch_performance(top, week, alpha("performance")),)
        if week in LOOKS:
            yield week, "population", watch_population(mixes, week, alpha("population"))


def quiet_trial(seed: int, case: Case) -> Mapping[str, float]:
    """Four years of weekly runs in which nothing happens but seasons: false alarms by monitor."""
    rng = np.random.default_rng([seed, case["volume"], 1])
    weeks = (WINDOW + QUARTERS) * WEEKS
    spread, counts = shares(rng), volumes(rng, case["volume"], weeks)
    tiers = tier_tables(rng, counts, levels(rng, weeks), ODDS)
    mixes = mix_tables(rng, counts, spread)
    found = {"performance": 0, "population": 0}
    for quarter in range(WINDOW, WINDOW + QUARTERS):
        old, new = slice((quarter - WINDOW) * WEEKS, quarter * WEEKS), slice(quarter * WEEKS, (quarter + 1) * WEEKS)
        known: dict[str, Remembered] = {}
        for _, monitor, findings in weekly(_top(tiers, old, new), _mixes(mixes, old, new)):
            found[monitor] += alarms(known, findings)
    return found


def _top(tables: Floats, old: slice, new: slice) -> TopTier:
    return TopTier("Tier A", tables[old].sum(axis=0), tables[new])


def _mixes(tables: list[Floats], old: slice, new: slice) -> list[Mix]:
    return [
        Mix(f"x{j}", f"Attribute {j}", tuple(map(str, range(t.shape[1]))), t[old].sum(axis=0), t[new])
        for j, t in enumerate(tables)
    ]


def fall_trial(seed: int, case: Case) -> Mapping[str, float]:
    """One quarter in which the top tier's odds ratio has fallen: is it seen, and in which week."""
    rng = np.random.default_rng([seed, case["volume"], 2])
    weeks = (WINDOW + 1) * WEEKS
    counts, level = volumes(rng, case["volume"], weeks), levels(rng, weeks)
    old, new = slice(0, WINDOW * WEEKS), slice(WINDOW * WEEKS, weeks)
    before = tier_tables(rng, counts[old], level[old], ODDS)
    since = tier_tables(rng, counts[new], level[new], ODDS * case["fall"])
    top = TopTier("Tier A", before.sum(axis=0), since)
    looks = [watch_performance(top, week, alpha("performance")) for week in range(1, WEEKS + 1)]
    seen = [look.look for look in looks if look.verdict == "drift"]
    stake = looks[-1].e_value or 0.0
    return {"seen": bool(seen), "first_week": seen[0] if seen else np.nan, "e_process": stake >= 20}


def mix_trial(seed: int, case: Case) -> Mapping[str, float]:
    """One quarter in which an attribute's largest bin gains, or its values go missing, by so many points."""
    rng = np.random.default_rng([seed, case["volume"], 3])
    spread = shares(rng)
    moved = [s.copy() for s in spread]
    target = moved[6]  # one of five bins
    gain = case["points"] / 100
    target *= 1 - gain / (1 - target[0])
    target[0] = 1 - target[1:].sum()
    counts = volumes(rng, case["volume"], (WINDOW + 1) * WEEKS)
    old = mix_tables(rng, counts[: WINDOW * WEEKS], spread)
    new = mix_tables(rng, counts[WINDOW * WEEKS :], moved)
    tables = [np.vstack(pair) for pair in zip(old, new, strict=True)]
    mixes = _mixes(tables, slice(0, WINDOW * WEEKS), slice(WINDOW * WEEKS, None))
    known: dict[str, Remembered] = {}
    for week in LOOKS:
        alarms(known, watch_population(mixes, week, alpha("population")))
    drifting = {key for key, line in known.items() if line.state == "drift"}
    return {"seen": "population/x6" in drifting, "others": len(drifting - {"population/x6"})}


def concept_trial(seed: int, case: Case) -> Mapping[str, float]:
    """One quarter of looks at what wins: quiet, or with one attribute turned round."""
    rng = np.random.default_rng([seed, case["volume"], 4])
    rows = (WINDOW + 1) * case["volume"]
    codes = np.column_stack(
        [rng.choice(k, rows, p=rng.dirichlet(np.full(k, 4.0))) for k in STATES[:CONCEPT_ATTRIBUTES]]
    )
    periods = np.arange(rows) // case["volume"]
    week = np.where(periods == WINDOW, rng.integers(1, WEEKS + 1, rows), 0)
    effect = [rng.normal(0, CONCEPT_EFFECT, k) for k in STATES[:CONCEPT_ATTRIBUTES:3]]
    parts = np.column_stack([e[codes[:, 3 * j]] - e[codes[:, 3 * j]].mean() for j, e in enumerate(effect)])
    parts[:, -1] *= np.where((periods == WINDOW) & case["turned"], -1, 1)
    level = -1.3 + 0.3 * np.sin(periods) + 0.2 * np.sin(week)
    won = (rng.random(rows) < 1 / (1 + np.exp(-(level + parts.sum(axis=1))))).astype(float)
    target = f"x{3 * (len(effect) - 1)}"
    found: set[str] = set()
    for look in LOOKS:
        known = week <= look
        if won[known & (week > 0)].sum() < 10:
            continue
        results = find_changes(_blocks(codes[known]), won[known], periods[known])
        limit = allowance(look, alpha("concept"))
        found |= {r.name for r in results if r.is_change and r.q_value <= limit}
    return {"seen": target in found, "others": len(found - {target}), "any": len(found)}


def _blocks(codes: NDArray[np.int64]) -> list[ChangeBlock]:
    blocks = []
    for j, states in enumerate(STATES[:CONCEPT_ATTRIBUTES]):
        attribute = Attribute(f"x{j}", "category", "firmographic", f"Attribute {j}")
        bins = tuple(Bin(str(k), str(k)) for k in range(states))
        blocks.append(ChangeBlock(attribute.name, codes[:, j], kernel(attribute, bins, codes[:, j])))
    return blocks


def main(argv: list[str] | None = None) -> None:
    """Run the parts named and write `drift_<part>.csv`."""
    parts = ("quiet", "falls", "mixes", "concept")
    asked = arguments(__doc__ or "", 40, parts, argv)
    for part in asked.cases:
        table = _PARTS[part](asked)
        write_table(f"drift_{part}", table, asked.results)


def _quiet(asked: Any) -> pd.DataFrame:
    """False alarms in four years; concept's are counted a quarter, in trials of their own."""
    cases = [{"volume": v} for v in VOLUMES]
    frame = run_trials(quiet_trial, cases, asked.runs, asked.workers)
    frame["population_and_performance"] = frame["population"] + frame["performance"]
    return summarise(frame, ["volume"], ["population", "performance", "population_and_performance"])


def _falls(asked: Any) -> pd.DataFrame:
    cases = [{"volume": v, "fall": f} for f in (1.0, 0.5, 0.25) for v in VOLUMES]
    frame = run_trials(fall_trial, cases, 3 * asked.runs, asked.workers)
    return summarise(frame, ["fall", "volume"], ["seen", "first_week", "e_process"])


def _mixed(asked: Any) -> pd.DataFrame:
    cases = [{"volume": v, "points": p} for p in (10, 20) for v in VOLUMES]
    frame = run_trials(mix_trial, cases, 3 * asked.runs, asked.workers)
    return summarise(frame, ["points", "volume"], ["seen", "others"])


def _concept(asked: Any) -> pd.DataFrame:
    cases = [{"volume": v, "turned": t} for t in (False, True) for v in (150, 500, 1000)]
    frame = run_trials(concept_trial, cases, 2 * asked.runs, asked.workers)
    frame["false_alarms_a_quarter"] = np.where(frame["turned"], np.nan, frame["any"])
    return summarise(frame, ["turned", "volume"], ["seen", "others", "false_alarms_a_quarter"])


_PARTS = {"quiet": _quiet, "falls": _falls, "mixes": _mixed, "concept": _concept}

if __name__ == "__main__":
    main()
