from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_market import ATTRIBUTES as ATTRIBUTES_OF_MARKET
from small_profiles import profile as small_profile
from test_config import GOOD, complaint, write
from test_customers import QUESTION, market, until

from flows.population import in_population
from icp.config import load
from icp.errors import ConfigError
from icp.head_to_head import head_to_head, head_to_head_text
from icp.population import PopulationRule, population_words, select
from icp.population_change import answer_for_population
from icp.profile import Attribute, Estimate, Tier
from icp.serialize import profile_from_yaml, profile_to_yaml
from icp.stats import wilson_trials

FRAME = pd.DataFrame(
    {
        "role": ["label", "score", "score", "score"],
        "country": ["DE", "fr", None, "US"],
        "employees": [50.0, np.nan, 200.0, 10.0],
        "technologies": ["|aws|snowflake|", "|", "|aws|", None],
        "is_public": [True, False, None, True],
    }
)


@pytest.mark.parametrize(
    ("rule", "inside", "unknown"),
    [
        (PopulationRule("country", values=("de", "FR")), [1, 1, 0, 0], [0, 0, 1, 0]),
        (PopulationRule("country", excluded=("US",)), [1, 1, 0, 0], [0, 0, 1, 0]),
        (PopulationRule("country", values=("US",), keep_unknown=True), [0, 0, 1, 1], [0, 0, 0, 0]),
        (PopulationRule("employees", least=50), [1, 0, 1, 0], [0, 1, 0, 0]),
        (PopulationRule("employees", least=10, most=50), [1, 0, 0, 1], [0, 1, 0, 0]),
        (PopulationRule("technologies", values=("Snowflake",)), [1, 0, 0, 0], [0, 1, 0, 1]),
        (PopulationRule("is_public", values=("yes",)), [1, 0, 0, 1], [0, 0, 1, 0]),
    ],
)
def test_a_rule_lets_in_what_is_known_to_meet_it(rule: PopulationRule, inside: list[int], unknown: list[int]) -> None:
    found = select(FRAME, [rule])
    assert found.inside.astype(int).tolist() == inside
    assert found.unknown.astype(int).tolist() == unknown


def test_every_rule_must_be_met_and_what_is_left_out_is_counted() -> None:
    rules = [PopulationRule("country", values=("DE", "US")), PopulationRule("employees", least=20)]
    found = select(FRAME, rules)
    assert found.inside.tolist() == [True, False, False, False]
    words = population_words(rules)
    assert words == "country is DE or US, employees at least 20"
    told = found.left_out((FRAME["role"] == "label").to_numpy(), words)
    # an account that fails one rule is outside whatever else is not known of it
    assert [(left.what, left.rows) for left in told] == [
        ("Outside the population", 2),
        ("Not known to be in the population", 1),
    ]


ATTRIBUTES = (
    Attribute("country", "category", "firmographic", "Country"),
    Attribute("employees", "numeric", "firmographic", "Employees"),
)


@pytest.mark.parametrize(
    ("population", "said"),
    [
        ("{contry: [DE]}", "icp.yml, line 31: icps.main.population.contry: unknown attribute. Did you mean `country`?"),
        ("{country: {min: 5}}", "country: is a category: name the values"),
        ("{employees: [5]}", "employees: is a number: give `min` and `max`"),
        ("{country: [ZZ]}", "line 31: icps.main.population: selects none of the 3 accounts (country is ZZ)"),
    ],
)
def test_a_filter_that_cannot_be_put_is_stopped_with_its_line(tmp_path: Path, population: str, said: str) -> None:
    (tmp_path / "dbt_project").symlink_to(Path(__file__).resolve().parents[2] / "dbt_project")
    line = GOOD.splitlines().index("  main:") + 2
    write(tmp_path, GOOD.replace("  main:\n", f"  main:\n    population: {population}\n"))
    with pytest.raises(ConfigError) as error:
        in_population(load(tmp_path, {}), "main", FRAME, ATTRIBUTES)
    assert said.replace("line 31", f"line {line}") in str(error.value)


@pytest.mark.parametrize(
    ("population", "said"),
    [("{employees: {min: 9, max: 2}}", "nobody can be inside"), ("{employees: {}}", "give values (`in: [DE, FR]`")],
)
def test_a_filter_nobody_can_meet_is_refused_when_read(tmp_path: Path, population: str, said: str) -> None:
    assert said in complaint(tmp_path, "  main:\n", f"  main:\n    population: {population}\n")


def test_an_icp_is_made_from_its_own_section_alone(tmp_path: Path) -> None:
    alone = load(write(tmp_path), {})
    assert alone.icp_hashes["main"] == alone.config_hash
    several = load(write(tmp_path, GOOD + "  other: {population: {country: DE}}\n"), {})
    assert several.icp_hashes["main"] == alone.config_hash
    assert several.icp_hashes["other"] != alone.config_hash
    assert several.default_icp() == "main"


def test_no_icps_section_is_one_icp_called_main(tmp_path: Path) -> None:
    bare = load(write(tmp_path, GOOD[: GOOD.index("icps:")]), {})
    assert list(bare.icps) == ["main"]
    assert bare.icp("main") == load(write(tmp_path, GOOD[: GOOD.index("icps:")] + "icps: {main: {}}\n"), {}).icp("main")


def test_points_of_another_population_are_neither_kept_nor_compared_with() -> None:
    labels, universe = until("2026Q2", wins_only=False), market()[1]
    everybody = answer_for_population(QUESTION, labels, universe, ATTRIBUTES_OF_MARKET, None)
    assert everybody.profile.population == "" and "population" not in profile_to_yaml(everybody.profile)
    later = replace(QUESTION, quarter="2026Q3", population="employees at least 51")
    labels, universe = (f[f["employees"] >= 51] for f in (until("2026Q3", wins_only=False), universe))
    moved = answer_for_population(later, labels, universe, ATTRIBUTES_OF_MARKET, everybody.profile)
    assert (moved.profile.state, moved.profile.derived_in) == ("derived", "2026Q3")
    assert (moved.diff.outcome, moved.diff.before_quarter) == ("cannot tell at this n", "2026Q2")
    assert "the ICP of 2026Q2 is about all accounts, this one about employees at least 51" in moved.diff.sentence
    assert moved.incumbent == everybody.profile and any("Points refitted" in note for note in moved.profile.notes)
    assert profile_from_yaml(profile_to_yaml(moved.profile)).population == "employees at least 51"


def _accounts(tiers: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"account_id": list(tiers), "tier": list(tiers.values())})


def test_head_to_head_counts_shared_accounts_and_gives_rates_with_intervals() -> None:
    estimate = Estimate(0.5, 0.4, 0.6)
    tiers = (
        Tier("A", 60, 2, 40, 30, estimate, estimate, is_supported=True),
        Tier("B", 40, 2, 60, 20, estimate, estimate, is_supported=True),
        Tier("D", 0, 4, 100, 10, estimate, estimate, is_supported=False),
    )
    one = replace(small_profile(()), icp="one", tiers=tiers, opportunities=200, wins=60)
    other = replace(one, icp="other", population="country is DE")
    found = head_to_head(
        (one, other),
        (_accounts({"a": "A", "b": "B", "c": "D", "d": "D"}), _accounts({"a": "B", "b": "D", "c": "A", "x": "A"})),
    )
    assert (found.overlap.shared_accounts, found.overlap.in_both) == (3, 1)
    assert (found.overlap.only_one, found.overlap.only_other) == (1, 2)
    assert found.overlap.expected == pytest.approx(2 * 2 / 3)
    assert found.accounts == ("a",)
    assert found.one.best_rate is not None and found.one.best_rate.value == pytest.approx(0.5)
    assert found.one.best_rate.low < 0.5 < found.one.best_rate.high
    assert found.one.best_lift is not None and found.one.best_lift.value == pytest.approx(0.5 / 0.3)
    # Two rates that each stand on about 92 deals: together no more than the 100 there are.
    assert wilson_trials(*astuple(found.one.best_rate)) == pytest.approx(100)
    wide = replace(one, tiers=tuple(replace(t, rate=Estimate(0.5, 0.3, 0.7)) for t in tiers))
    unsure = head_to_head((wide, other), (_accounts({"a": "A"}), _accounts({"a": "A"}))).one
    assert unsure.best_rate is not None and unsure.best_lift is not None
    assert wilson_trials(*astuple(unsure.best_rate)) == pytest.approx(2 * wilson_trials(0.5, 0.3, 0.7))
    assert unsure.best_lift.low < found.one.best_lift.low
    text = head_to_head_text(found)
    assert "Of the 3 accounts both speak of, 1 are in the best tiers of one and other" in text
    assert "country is DE" in text
