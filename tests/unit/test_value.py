"""What a win is worth: by hand on small tables, by planted truth on larger ones, and the same in SQL as in Python."""

from __future__ import annotations

import math
from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from benchmarks.worlds import make_world
from icp.bins import encode, make_bins
from icp.derive import derive
from icp.evidence import Evidence
from icp.expected_value import ExpectedValues, expected_values, log_error
from icp.fit import identity_kernel
from icp.group_value import mean_value_of_win
from icp.label_rows import read_label_rows
from icp.profile import Attribute, Estimate, Profile, Value
from icp.scoring import compile_scoring_sql
from icp.serialize import profile_from_yaml, profile_to_yaml
from icp.stats import normal_quantile
from icp.value import value_of_wins
from icp.value_drivers import find_drivers
from icp.value_fit import fit_gaussian
from icp.won_values import fit_won_values, read_won_values

ATTRIBUTES = (
    Attribute("industry", "category", "firmographic", "Industry"),
    Attribute("employees", "numeric", "firmographic", "Employees", cuts=(50.0, 500.0)),
    Attribute("partner", "flag", "firmographic", "Partner"),
)


def outcomes(rows: int = 1_200, seed: int = 1, factor: float = 2.5) -> pd.DataFrame:
    """Software wins more often; large companies' wins are worth `factor` times as much; partners are noise."""
    rng = np.random.default_rng(seed)
    industry = rng.choice(["software", "retail", "banking"], rows)
    employees = np.round(np.exp(rng.normal(4.5, 1.5, rows)))
    won = rng.random(rows) < np.where(industry == "software", 0.5, 0.2)
    amount = 1_000 * np.where(employees >= 500, factor, 1.0) * np.exp(0.5 * rng.standard_normal(rows))
    return pd.DataFrame(
        {
            "observation_id": [f"o{i:05d}" for i in range(rows)],
            "account_id": [f"a{i:05d}" for i in range(rows)],
            "outcome_quarter": np.where(np.arange(rows) % 2, "2026Q1", "2026Q2"),
            "is_won": won,
            "outcome_value": np.where(won, amount, np.nan),
            "industry": industry,
            "employees": employees,
            "partner": rng.random(rows) < 0.4,
        }
    )


def profile_of(frame: pd.DataFrame) -> Profile:
    dictionary = make_bins(frame, ATTRIBUTES, "2026Q1")
    return derive(frame, dictionary, icp="main", quarter="2026Q2", has_tiers=False)


def value_of(frame: pd.DataFrame, profile: Profile, incumbent: Value | None = None) -> Value | None:
    return value_of_wins(profile, read_label_rows(frame, profile.bins), incumbent)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return outcomes()


@pytest.fixture(scope="module")
def profile(frame: pd.DataFrame) -> Profile:
    bare = profile_of(frame)
    return replace(bare, value=value_of(frame, bare))


def test_effects_are_the_means_shrunk_by_hand() -> None:
    response, codes = np.array([1.0, 3.0, 7.0, 9.0] * 20), np.array([0, 0, 1, 1] * 20)
    fitted = fit_gaussian(codes[:, None], [identity_kernel(2)], response)
    tau2, sigma2, per_bin = float(fitted.fit.tau2[0]), fitted.sigma2, 40
    shrunk = 3.0 * per_bin * tau2 / (per_bin * tau2 + sigma2)  # bin means are 2 and 8, three from the middle
    assert fitted.fit.effects[0] == pytest.approx([-shrunk, shrunk], rel=1e-6)
    assert fitted.fit.intercepts[0] == pytest.approx(5.0)
    assert sigma2 == pytest.approx(80 / 78, rel=0.01)  # every residual is 1; the constant and one contrast are spent


def test_the_attribute_that_moves_value_is_found_with_its_multiplier(profile: Profile) -> None:
    value = profile.value
    assert value is not None
    assert [d.attribute for d in value.drivers if d.grade == "confirmed"] == ["employees"]
    by_key = {b.key: b.multiplier for b in value.drivers[0].bins}
    ratio = by_key["500.."].value / by_key["..50"].value
    assert ratio == pytest.approx(2.5, rel=0.15)
    assert by_key["500.."].low > 1 > by_key["..50"].high
    assert value.spread == pytest.approx(0.5, abs=0.05)


def test_the_value_of_the_average_win_is_the_mean_of_a_lognormal_not_its_median() -> None:
    frame = outcomes(factor=1.0)
    value = value_of(frame, profile_of(frame))
    assert value is not None
    assert value.drivers == ()
    assert "the same for every account" in value.notes[0]
    assert value.level.low < 1_000 * math.exp(0.125) < value.level.high
    assert value.level.value == pytest.approx(frame["outcome_value"].mean(), rel=0.05)


def test_one_huge_deal_does_not_own_the_answer(frame: pd.DataFrame, profile: Profile) -> None:
    spoiled = frame.copy()
    spoiled.loc[spoiled.index[spoiled["is_won"]][0], "outcome_value"] = 1e12
    value = value_of(spoiled, profile)
    assert value is not None
    assert profile.value is not None
    assert value.limited == profile.value.limited + 1
    assert value.level.value == pytest.approx(profile.value.level.value, rel=0.05)


def test_values_that_are_none_are_counted_and_left_out(frame: pd.DataFrame, profile: Profile) -> None:
    spoiled = frame.copy()
    won = spoiled.index[spoiled["is_won"]]
    spoiled.loc[won[:7], "outcome_value"] = [0.0, -5.0, -1e9, np.nan, np.inf, -np.inf, np.nan]
    value = value_of(spoiled, profile)
    assert value is not None
    assert (value.not_positive, value.missing) == (3, 4)
    assert value.valued == value.wins - 7


@pytest.mark.parametrize(("values", "has_level"), [(9, False), (10, True), (29, True)])
def test_few_values_give_one_number_or_none(
    frame: pd.DataFrame, profile: Profile, values: int, has_level: bool
) -> None:
    thin = frame.copy()
    thin.loc[thin.index[thin["is_won"]][values:], "outcome_value"] = np.nan
    value = value_of(thin, profile)
    assert (value is not None) == has_level
    if value is not None:
        assert value.drivers == ()
        assert value.level.low < value.level.value < value.level.high


def test_equal_values_are_no_trouble(frame: pd.DataFrame, profile: Profile) -> None:
    flat = frame.assign(outcome_value=np.where(frame["is_won"], 500.0, np.nan))
    value = value_of(flat, profile)
    assert value is not None
    assert value.drivers == ()
    assert value.level.value == pytest.approx(500.0)


def test_a_kept_quarter_keeps_the_multipliers_and_refreshes_the_level(frame: pd.DataFrame, profile: Profile) -> None:
    doubled = frame.assign(outcome_value=frame["outcome_value"] * 2)
    kept = value_of(doubled, replace(profile, state="kept"), profile.value)
    assert kept is not None
    assert profile.value is not None
    assert kept.drivers == profile.value.drivers
    assert kept.level.value == pytest.approx(2 * profile.value.level.value, rel=0.03)


def test_the_order_of_rows_does_not_matter(frame: pd.DataFrame, profile: Profile) -> None:
    assert value_of(frame.sample(frac=1, random_state=3), profile) == profile.value


def test_a_profile_with_a_value_part_survives_yaml(profile: Profile) -> None:
    assert profile_from_yaml(profile_to_yaml(profile)) == profile


def test_sql_gives_the_expected_value_of_python(frame: pd.DataFrame, profile: Profile) -> None:
    assert profile.value is not None
    accounts = frame[["account_id", "industry", "employees", "partner"]].copy()
    accounts.loc[::9, "employees"] = np.nan
    found = expected_values(profile, profile.value, encode(accounts, profile.bins))
    with duckdb.connect() as connection:
        connection.register("accounts", accounts)
        scored = connection.execute(compile_scoring_sql(profile, "accounts") + " ORDER BY account_id").fetchdf()
    assert "bin_employees" in scored
    for column, expected in (("", found.value), ("_low", found.low), ("_high", found.high)):
        assert scored[f"expected_value{column}"].to_numpy() == pytest.approx(expected, rel=1e-9)


def test_the_upper_end_of_an_expected_value_stands_for_no_chance_above_1() -> None:
    chance, worth = np.array([0.02, 0.5, 0.95]), np.full(3, 1000.0)
    certain = ExpectedValues(chance, worth, np.full(3, 9.0), np.zeros(3))
    assert (certain.high <= 1000).all()
    log_odds = np.log(chance / (1 - chance))
    assert certain.high == pytest.approx(1000 * expit(log_odds + normal_quantile() * 3))
    assert certain.low == pytest.approx(1000 * expit(log_odds - normal_quantile() * 3))
    both = ExpectedValues(chance, worth, np.full(3, 9.0), np.full(3, 0.04))
    assert (both.high > certain.high).all()
    assert (both.high <= 1000 * np.exp(0.2 * normal_quantile() + np.log(1 / chance))).all()


def test_without_a_value_part_nobody_has_an_expected_value(frame: pd.DataFrame, profile: Profile) -> None:
    with duckdb.connect() as connection:
        connection.register("accounts", frame)
        statement = compile_scoring_sql(replace(profile, value=None), "accounts")
        assert connection.execute(statement).fetchdf()["expected_value"].isna().all()


def test_without_a_score_the_interval_knows_of_what_accounts_differ_in(frame: pd.DataFrame, profile: Profile) -> None:
    bare = replace(profile, fit=replace(profile.fit, criteria=()))
    scored, unscored = value_of(frame, profile), value_of(frame, bare)
    assert scored is not None
    assert unscored is not None
    between = 0.5 * math.sqrt(2) * math.log(4) * 2 / 3  # sd of 0, 0 and log 4: industry is what the score leaves out
    assert unscored.win_error == pytest.approx(between, rel=0.25)
    assert unscored.win_error > 2 * scored.win_error


def test_a_group_spread_over_bins_is_known_better_than_one_account_of_it(profile: Profile, frame: pd.DataFrame) -> None:
    value = profile.value
    assert value is not None
    codes = encode(frame, profile.bins)
    one = mean_value_of_win(profile, value, codes.iloc[:1], np.ones(1))
    single = expected_values(profile, value, codes.iloc[:1])
    assert one.value == pytest.approx(single.value_of_win[0])
    assert log_error(one) ** 2 == pytest.approx(single.log_value_variance[0])
    own = codes["employees"].to_numpy()
    pair = codes.iloc[[int(np.argmax(own == 0)), int(np.argmax(own == 2))]]
    two = mean_value_of_win(profile, value, pair, np.array([0.3, 0.3]))
    worth = expected_values(profile, value, pair).value_of_win
    assert two.value == pytest.approx(worth.mean())
    assert log_error(two) ** 2 == pytest.approx(by_hand(profile, value, pair, np.array([0.3, 0.3]), worth))
    assert log_error(two) ** 2 < expected_values(profile, value, pair).log_value_variance.mean()


def test_of_a_group_that_is_like_the_wins_only_the_level_is_unsure(profile: Profile, frame: pd.DataFrame) -> None:
    value = profile.value
    assert value is not None
    codes = encode(frame, profile.bins)
    worth = expected_values(profile, value, codes).value_of_win
    wins = frame["is_won"].to_numpy(dtype=float) / worth  # the value of the group lies in the bins as the wins did
    found = mean_value_of_win(profile, value, codes, wins)
    unsure = log_error(found) ** 2 - log_error(value.level) ** 2
    several = expected_values(profile, value, codes).log_value_variance.mean() - log_error(value.level) ** 2
    assert 0 <= unsure < 0.05 * several  # of one account


def by_hand(profile: Profile, value: Value, pair: pd.DataFrame, chance: np.ndarray, worth: np.ndarray) -> float:
    """Squared error of the log mean of two accounts: the level, the multipliers, and by which chances it is weighted."""
    carried = chance * worth / (chance @ worth)
    (driver,) = value.drivers
    known = of_bins(pair[driver.attribute], carried, [(b.multiplier, b.wins) for b in driver.bins])
    pull = (carried - chance / chance.sum()) * (1 - chance)
    for c in profile.fit.criteria:
        known += of_bins(pair[c.attribute], pull, [(b.odds, b.opportunities) for b in c.bins])
    assert [c.attribute for c in profile.fit.criteria] == [
        "industry"
    ]  # employees and partner are left out of the score
    known += float(np.bincount(pair["employees"], pull) @ np.bincount(pair["employees"], pull)) * value.win_error**2 / 2
    return log_error(value.level) ** 2 + known


def of_bins(codes: pd.Series, parts: np.ndarray, told: list[tuple[Estimate, int]]) -> float:
    """Squared error of effects weighted so, from independent bin errors told against their common mean."""
    share = np.array([rows for _, rows in told]) / sum(rows for _, rows in told)
    against = np.eye(len(share)) - share
    own = np.linalg.solve(against**2, [log_error(e) ** 2 for e, _ in told])
    assert (own >= 0).all()
    weight = np.bincount(codes, parts, len(share)) @ against
    return float(weight**2 @ own)


def test_a_mean_weighted_by_chances_nobody_knows_exactly_is_less_sure(profile: Profile, frame: pd.DataFrame) -> None:
    value = profile.value
    assert value is not None
    codes = encode(frame, profile.bins)
    own = codes["employees"].to_numpy()
    pair = codes.iloc[[int(np.argmax(own == 0)), int(np.argmax(own == 2))]]
    found, chance = expected_values(profile, value, pair), np.array([0.2, 0.6])
    error = float(np.mean(found.log_odds_variance * (1 - chance) ** 2))
    together = float(np.diff(np.log(chance))[0] * np.diff(np.log(found.value_of_win))[0]) / 4
    dilution = together * error / (error + math.log(3) ** 2 / 4)
    assert abs(dilution) > 0.003
    told = mean_value_of_win(profile, value, pair, chance)
    plain = float(np.average(found.value_of_win, weights=chance))
    assert told.value == pytest.approx(plain * math.exp(-dilution / 2))
    known = by_hand(profile, value, pair, chance, found.value_of_win)
    assert log_error(told) ** 2 == pytest.approx(known + (dilution / 2) ** 2)


def test_the_noise_beside_drivers_that_were_chosen_is_not_told_too_small() -> None:
    told, fitted = [], []
    for seed in (0, 2, 4):
        world = make_world("additive", 500, seed, universe=10, aligned=True)
        dictionary = make_bins(world.frame, world.attributes, "2025Q1")
        wins = read_won_values(Evidence(read_label_rows(world.frame, dictionary), dictionary))
        found = find_drivers(wins, frozenset())
        told.append(found.fitted.sigma2)
        fitted.append(fit_won_values(found.wins, [d.attribute for d in found.drivers]).sigma2)
    truth = 0.6**2  # of these worlds
    assert np.mean(told) == pytest.approx(truth, rel=0.1)
    assert np.mean(fitted) < 0.9 * truth


def test_wins_of_a_single_account_have_a_value_all_the_same(frame: pd.DataFrame, profile: Profile) -> None:
    won = frame["is_won"].to_numpy(dtype=bool)
    alone = frame.assign(account_id=np.where(won, "only", frame["account_id"]))
    value = value_of(alone, profile)
    assert value is not None and value.noise_ratio == 1


def test_a_kept_level_knows_of_the_noise_only_as_far_as_its_wins_chose_the_drivers(
    frame: pd.DataFrame, profile: Profile
) -> None:
    assert profile.value is not None
    kept, noisy = replace(profile, state="kept"), replace(profile.value, noise_ratio=1.3)
    plain = value_of(frame, kept, replace(profile.value, noise_ratio=1.0))
    same = value_of(frame, kept, noisy)
    later = frame.assign(outcome_quarter=frame["outcome_quarter"].str.replace("2026", "2027"))
    other = value_of(later, kept, noisy)
    assert plain is not None and same is not None and other is not None
    assert same.spread**2 == pytest.approx(1.3 * plain.spread**2)
    assert other.spread == pytest.approx(plain.spread)
    assert same.noise_ratio == 1.3  # however often it is kept, it neither grows nor fades by itself
    quiet = frame.assign(outcome_value=frame["outcome_value"] ** 0.5 * 40)
    again = value_of(quiet, kept, replace(noisy, spread=2.0))
    assert again is not None and again.spread < 0.6  # a noisy quarter does not last


def test_equal_values_are_not_certainty(frame: pd.DataFrame, profile: Profile) -> None:
    value = value_of(frame.assign(outcome_value=5_000.0), profile)
    assert value is not None and value.level.value == pytest.approx(5_000)
    assert 1.002 < value.level.high / value.level.low < 1.02


def test_a_price_most_wins_share_does_not_hide_a_far_one(frame: pd.DataFrame, profile: Profile) -> None:
    values = pd.Series(100.0, index=frame.index)
    wins = np.flatnonzero(frame["is_won"])
    values.iloc[wins[:100]] = np.linspace(80, 125, 100)
    values.iloc[wins[100]] = 1e7
    value = value_of(frame.assign(outcome_value=values), profile)
    assert value is not None and value.limited == 1 and value.level.value < 130


def repeated(frame: pd.DataFrame, times: int) -> pd.DataFrame:
    """Every outcome so many times, under the same account: rows without information."""
    copies = [frame.assign(observation_id=frame["observation_id"] + f"-{i}") for i in range(times)]
    return pd.concat(copies, ignore_index=True)


def test_rows_that_repeat_an_account_narrow_nothing(frame: pd.DataFrame, profile: Profile) -> None:
    """A kept quarter, too: its level and the error of winning must not look six times as sure."""
    kept = replace(profile, state="kept")
    once, often = value_of(frame, kept, profile.value), value_of(repeated(frame, 6), kept, profile.value)
    assert once and often
    assert log_error(often.level) > 0.8 * log_error(once.level)
    assert often.win_error > 0.8 * once.win_error
