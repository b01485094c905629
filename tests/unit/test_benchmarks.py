"""The campaigns must still run, and their figures must not depend on how many processes made them."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmarks.campaigns.runner import run_trials, summarise, write_table
from benchmarks.worlds import RECIPES, make_world, relabelled


def coin(seed, case):
    return {"heads": float(np.random.default_rng(seed).random() < case["chance"])}


def test_results_do_not_depend_on_the_number_of_workers():
    cases = [{"name": "fair", "chance": 0.5}, {"name": "sure", "chance": 1.0}]
    alone = run_trials(coin, cases, 6, workers=1)
    pd.testing.assert_frame_equal(alone, run_trials(coin, cases, 6, workers=2))
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
