"""The campaigns must still run, and their figures must not depend on how many processes made them."""

import math
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from coin import toss

from benchmarks.campaigns import (
    coverage,
    decomposition,
    detectable,
    leaks,
    planted_changes,
    quiet_quarters,
    recovery,
    scale,
    selection_bias,
    shuffled,
    value,
)
from benchmarks.campaigns.runner import run_trials, summarise, write_table
from benchmarks.peers import calibration_error, stability, top_decile_lift
from benchmarks.peers import trial as peers_trial
from benchmarks.worlds import RECIPES, make_world, relabelled


def test_results_do_not_depend_on_the_number_of_workers():
    cases = [{"name": "fair", "chance": 0.5}, {"name": "sure", "chance": 1.0}]
    alone = run_trials(toss, cases, 6, workers=1)
    pd.testing.assert_frame_equal(alone, run_trials(toss, cases, 6, workers=2))
    table = summarise(alone, ["name"], ["heads"]).set_index("name")
    fair = alone.loc[alone["name"] == "fair", "heads"]
    assert table.loc["fair", "mc_error"] == pytest.approx(fair.std() / math.sqrt(6))
    assert table.loc["sure", "mean"] == 1 and table.loc["sure", "mc_error"] > 0


def test_a_table_is_written_with_four_digits(tmp_path):
    path = write_table("t", pd.DataFrame({"case": ["a"], "mean": [1 / 3]}), tmp_path)
    assert path.read_text() == "case,mean\na,0.3333\n"


@pytest.mark.parametrize("kind", list(RECIPES))
def test_a_world_is_what_it_says(kind):
    world = make_world(kind, 3000, 5, universe=500)
    again = make_world(kind, 3000, 5, universe=500)
    pd.testing.assert_frame_equal(world.frame, again.frame)
    assert len(world.planted) == (0 if kind == "null" else 12)
    assert (world.log_odds.std() > 0.3) == (kind != "null")
    error = world.frame["is_won"].mean() - world.win_probability.mean()
    assert abs(error) < 4 * math.sqrt(0.25 / 3000)
    wins = world.frame["is_won"].to_numpy()
    ratio = world.frame["outcome_value"][wins].sum() / world.value_if_won[wins].sum()
    assert ratio == pytest.approx(1, abs=0.12)
    assert relabelled(world, 1).frame["is_won"].sum() == wins.sum()


@pytest.mark.parametrize(
    ("trial", "case", "measures"),
    [
        (recovery.trial, {"kind": "mixed", "rows": 400, "fresh": 300, "attributes": 14}, recovery.MEASURES),
        (
            coverage.trial,
            {"kind": "additive", "rows": 500, "market": 400, "aligned": True, "attributes": 8},
            coverage.MEASURES,
        ),
        (value.trial, {"rows": 1_000}, value.MEASURES),
        (shuffled.trial, {"rows": 300, "deals": 2, "attributes": 6}, shuffled.MEASURES),
        (
            scale.trial,
            {"contender": "icp-refresh", "rows": 300, "attributes": 6},
            ("seconds", "seconds_with_tiers", "peak_gib"),
        ),
        (
            quiet_quarters.trial,
            {"world": "drift and structure", "wins": 30, "earlier": 2},
            ("any_changed", "any_flagged", "win_rate"),
        ),
        (leaks.trial, {"size": "200-few-won"}, leaks.MEASURES),
        (planted_changes.trial, {"change": "flag flips", "outcomes": 150}, ("found", "false_extra")),
        (decomposition.trial, {"change": "market", "outcomes": 150}, decomposition.MEASURES),
        (detectable.trial, {"attribute": "flag", "outcomes": 150, "of_stated": 1.0}, ("found",)),
        (selection_bias.trial, {"habits": "mild", "worked": 400, "universe": 1500}, selection_bias.MEASURES),
    ],
    ids=[
        "recovery",
        "coverage",
        "value",
        "shuffled",
        "scale",
        "quiet_quarters",
        "leaks",
        "planted_changes",
        "decomposition",
        "detectable",
        "selection_bias",
    ],
)
def test_one_trial_of_a_campaign(trial, case, measures):
    outcome = trial(3, case)
    assert set(outcome) == set(measures)
    assert all(isinstance(v, float) or np.isscalar(v) for v in outcome.values())


def test_a_peer_that_is_not_installed_gives_no_figures():
    case = {"data": "additive-1000", "fresh": 400, "resamples": 2}
    mine = peers_trial(0, {**case, "contender": "icp-refresh"})
    assert 0.55 < mine["auc"] < 0.85 and mine["precision"] > 0.6
    if find_spec("pysubgroup") is None:
        assert peers_trial(0, {**case, "contender": "pysubgroup"}) == {}


def test_measures_of_the_comparison():
    won, probability = np.repeat([1.0, 0.0], [10, 90]), np.repeat([0.5, 0.1], [10, 90])
    assert top_decile_lift(won, probability) == pytest.approx(10)
    assert top_decile_lift(won, np.full(100, 0.1)) == pytest.approx(1)
    assert calibration_error(won, probability) == pytest.approx(0.1 * 0.5 + 0.9 * 0.1)
    assert stability([frozenset("ab"), frozenset("ab")], "abcd") == pytest.approx(1)
    assert stability([frozenset("ab"), frozenset("cd")], "abcd") < 0
