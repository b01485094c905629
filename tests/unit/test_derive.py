from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from planted import QUARTERS, planted_world

from icp.bins import encode, make_bins
from icp.derive import POINT_COLUMNS, derive, points_table
from icp.errors import ConfigError, NotEnoughEvidence
from icp.evidence import gather_evidence
from icp.keep import keep
from icp.label_rows import read_label_rows
from icp.points import card_of, make_points
from icp.profile import Attribute
from icp.selection import select


def derived(world, frame=None, **more):
    more = {"icp": "main", "quarter": "2026Q4", "universe": world.universe, **more}
    return derive(world.frame if frame is None else frame, world.dictionary, **more)


def graded(profile, grade="confirmed"):
    return {t.attribute for t in profile.tests if t.grade == grade}


def shuffled(frame, seed):
    won = np.random.default_rng(seed).permutation(frame["is_won"].to_numpy())
    return frame.assign(is_won=won)


@pytest.fixture(scope="module")
def world():
    return planted_world(4, rows=2000, count=12, planted=5, sd=(0.35, 0.6), universe=1500)


@pytest.fixture(scope="module")
def profile(world):
    return derived(world)


def test_planted_attributes_are_confirmed_and_noise_is_not(world, profile):
    assert graded(profile) == world.planted
    assert profile.state == "derived"


def test_points_run_from_0_to_100_and_follow_the_effects(world, profile):
    for card in (profile.fit, profile.intent):
        assert sum(max(b.points for b in c.bins) for c in card.criteria) in (100, 0)
        assert all(min(b.points for b in c.bins) == 0 for c in card.criteria)
    for criterion in profile.fit.criteria:
        bins = sorted(criterion.bins, key=lambda b: b.odds.value)
        assert [b.points for b in bins] == sorted(b.points for b in bins)


def test_score_and_line_give_the_win_rates_seen(world, profile):
    rows = read_label_rows(world.frame, world.dictionary)
    card = card_of(profile.fit, world.dictionary)
    predicted = 1 / (1 + np.exp(-(card.intercept + card.slope * card.score(rows.codes))))
    assert predicted.mean() == pytest.approx(rows.won.mean(), abs=0.04)
    upper = predicted > np.quantile(predicted, 0.8)
    assert predicted[upper].mean() == pytest.approx(rows.won[upper].mean(), abs=0.06)


def test_effects_hold_the_truth(world):
    rows = read_label_rows(world.frame, world.dictionary)
    evidence = gather_evidence(rows, world.dictionary, {})
    fit = select(evidence).fit
    hits = []
    for block, name in enumerate(fit.names):
        shares = evidence.shares(name)
        effect, error = fit.contrast(block, shares)
        truth = world.log_odds.get(name, np.zeros(len(shares)))
        hits += list((np.abs(effect - (truth - shares @ truth)) <= 2.2 * error)[shares > 0.02])
    assert np.mean(hits) > 0.9


def test_bins_add_up_to_the_outcomes(world, profile):
    for criterion in profile.fit.criteria:
        assert sum(b.opportunities for b in criterion.bins) == 2000
        assert sum(b.wins for b in criterion.bins) == profile.wins
        assert sum(b.accounts for b in criterion.bins) == len(world.universe)
        logs = sum(b.opportunities * np.log(b.odds.value) for b in criterion.bins)
        assert logs / 2000 == pytest.approx(0, abs=1e-9)  # odds are against the average account worked
        lifts = sum(b.opportunities * b.lift.value for b in criterion.bins)
        assert lifts / 2000 == pytest.approx(1, abs=1e-9)


def test_tiers_rank_out_of_sample_within_capacity(world, profile):
    assert [t.name for t in profile.tiers] == ["A", "B", "C", "D"]
    assert sum(t.opportunities for t in profile.tiers) == 2000
    assert sum(t.accounts for t in profile.tiers) == len(world.universe)
    assert profile.tiers[0].accounts <= 0.05 * len(world.universe)
    assert profile.tiers[0].rate.value > profile.base_rate.value > profile.tiers[3].rate.value
    assert profile.tiers[0].is_supported


def test_headlines_are_confirmed_few_and_named_in_the_paragraph(profile):
    assert 1 <= len(profile.headline_criteria) <= 8
    assert all(c.grade == "confirmed" for c in profile.headline_criteria)
    assert profile.headline_criteria[0].label in profile.paragraph
    assert f"{profile.wins:,}" in profile.paragraph


def test_behaviour_goes_to_the_intent_scorecard(world, profile):
    assert {c.family for c in profile.fit.criteria} == {"firmographic"}
    assert {c.family for c in profile.intent.criteria} <= {"behavioural"}
    assert bool(profile.intent_levels) == bool(profile.intent.criteria)


def test_order_of_rows_and_columns_does_not_matter(world, profile):
    mixed = world.frame.sample(frac=1.0, random_state=1)[list(world.frame.columns[::-1])].reset_index(drop=True)
    assert derived(world, mixed, universe=world.universe.sample(frac=1.0, random_state=2)) == profile


def test_score_rows_and_rows_without_outcome_are_left_out(world, profile):
    more = world.frame.head(3).assign(observation_id=["s1", "s2", "s3"], role=["score", "label", "label"])
    more["is_won"] = pd.Series([True, None, None], index=more.index, dtype=object)
    frame = pd.concat([world.frame.assign(role="label"), more])
    assert derived(world, frame) == profile


def test_unrelated_outcomes_support_no_icp():
    confirmed = []
    for seed in range(10):
        noise = planted_world(seed, rows=400, count=10, planted=0, universe=5)
        rows = read_label_rows(noise.frame, noise.dictionary)
        verdicts = select(gather_evidence(rows, noise.dictionary, {})).verdicts
        confirmed.append(sum(v.grade == "confirmed" for v in verdicts))
    assert sum(c > 0 for c in confirmed) <= 1


def test_no_icp_is_an_answer(world):
    profile = derived(world, shuffled(world.frame, 0))
    assert profile.state == "no_icp"
    assert (profile.fit.criteria, profile.tiers, profile.fit.slope) == ((), (), 0.0)
    assert "support no ICP" in profile.paragraph
    assert profile.base_rate.low < 1 / (1 + np.exp(-profile.fit.intercept)) < profile.base_rate.high


def test_too_few_outcomes_are_refused_with_the_numbers(world):
    with pytest.raises(NotEnoughEvidence, match=r"5 won and 60 lost .* at least 20 won"):
        frame = world.frame
        derived(world, pd.concat([frame[frame["is_won"]].head(5), frame[~frame["is_won"]].head(60)]))
    for one_class in (True, False):
        with pytest.raises(NotEnoughEvidence):
            derived(world, world.frame.assign(is_won=one_class), minimum={"wins": 0, "losses": 0})
    with pytest.raises(NotEnoughEvidence):
        derived(world, world.frame.head(0))


def test_bad_frames_are_refused_by_name(world):
    with pytest.raises(ConfigError, match="outcome_quarter"):
        derived(world, world.frame.drop(columns="outcome_quarter"))
    with pytest.raises(ConfigError, match="1 observations occur more than once"):
        derived(world, pd.concat([world.frame, world.frame.head(1)]))


def small(columns, won, attributes):
    """A frame of hand-made columns, one account and quarter per row as they come."""
    frame = pd.DataFrame(columns).assign(is_won=won)
    frame["observation_id"] = [f"o{i:05d}" for i in range(len(frame))]
    if "account_id" not in frame:
        frame["account_id"] = frame["observation_id"]
    if "outcome_quarter" not in frame:
        frame["outcome_quarter"] = np.array(QUARTERS)[np.arange(len(frame)) % 4]
    declared = [Attribute(n, k, "firmographic", n.title()) for n, k in attributes.items()]
    return frame, make_bins(frame, declared, "2025Q1")


def test_constant_missing_infinite_and_separating_attributes():
    rng = np.random.default_rng(0)
    won = rng.random(600) < 0.3
    columns = {
        "same": 1.0,
        "none": None,
        "wild": rng.choice([np.inf, -np.inf, np.nan, 1.0, 2.0], 600),
        "answer": won,
        "noise": rng.choice(["a", "b"], 600),
        "rare": np.arange(600) < 3,
    }
    kinds = {
        "same": "numeric",
        "none": "category",
        "wild": "numeric",
        "answer": "flag",
        "noise": "category",
        "rare": "flag",
    }
    frame, dictionary = small(columns, won, kinds)
    profile = derive(frame, dictionary, icp="main", quarter="2025Q4")
    grades = {t.attribute: t for t in profile.tests}
    assert grades["same"].reason == "the same for every opportunity"
    assert grades["none"].reason == "known for 0 of 600 opportunities"
    assert grades["rare"].grade == "not_enough_evidence"
    assert graded(profile) == {"answer"}
    answer = profile.fit.criterion("answer")
    assert {b.key: b.points for b in answer.bins} | {"missing": 0} == {"no": 0, "yes": 100, "missing": 0}
    assert np.isfinite([b.odds.high for b in answer.bins]).all()


def test_accounts_that_repeat_themselves_do_not_confirm_their_names():
    false = {"as one trial": 0, "as many": 0}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        taste = rng.random(60) < 0.4
        account = np.repeat(np.arange(60), 8)
        won = np.where(rng.random(480) < 0.9, taste[account], rng.random(480) < 0.4)
        columns = {f"x{j}": rng.integers(0, 5, 60).astype(str)[account] for j in range(5)}
        frame, dictionary = small({**columns, "account_id": account}, won, dict.fromkeys(columns, "category"))
        rows = read_label_rows(frame, dictionary)
        evidence = gather_evidence(rows, dictionary, {})
        assert 0.6 < evidence.correlation <= 0.95
        false["as one trial"] += sum(v.grade == "confirmed" for v in select(evidence).verdicts)
        false["as many"] += sum(v.grade == "confirmed" for v in select(replace(evidence, correlation=0.0)).verdicts)
    assert false["as one trial"] <= 4  # of 30
    assert false["as many"] >= 20


def test_a_changed_attribute_shows_its_current_effect():
    rng = np.random.default_rng(1)
    quarter = np.sort(rng.integers(0, 8, 3000))
    size = rng.choice(["small", "large"], 3000)
    good = np.where(quarter < 4, "small", "large")
    won = rng.random(3000) < np.where(size == good, 0.4, 0.2)
    frame, dictionary = small({"size": size, "outcome_quarter": np.array(QUARTERS)[quarter]}, won, {"size": "category"})
    blind = derive(frame, dictionary, icp="main", quarter="2026Q4")
    aware = derive(frame, dictionary, icp="main", quarter="2026Q4", change_points={"size": "2026Q1"})
    assert graded(blind) == set()
    size_now = aware.fit.criterion("size")
    odds = {b.key: b.odds for b in size_now.bins}
    assert odds["large"].low > 1.3 and odds["small"].high < 0.8
    assert sum(b.opportunities for b in size_now.bins) == (quarter >= 4).sum()
    assert aware.change_points == {"size": "2026Q1"}


def test_the_newest_quarter_sets_the_level():
    rng = np.random.default_rng(2)
    quarter = np.repeat(np.arange(8), 400)
    rate = np.where(quarter < 7, 0.2, 0.4)
    good = rng.random(3200) < 0.5
    won = rng.random(3200) < np.where(good, 1.4, 0.6) * rate
    columns = {"good": good, "outcome_quarter": np.array(QUARTERS)[quarter]}
    profile = derive(*small(columns, won, {"good": "flag"}), icp="main", quarter="2026Q4")
    best = 1 / (1 + np.exp(-(profile.fit.intercept + 100 * profile.fit.slope)))
    assert best == pytest.approx(0.56, abs=0.06)


def test_keeping_moves_no_points_and_refreshes_the_evidence(world, profile):
    later = world.frame[world.frame["outcome_quarter"] > "2025Q2"]
    candidate = derived(world, later, quarter="2027Q1", incumbent=profile)
    kept = keep(profile, candidate, later, universe=world.universe)
    assert (kept.state, kept.derived_in, kept.quarter) == ("kept", "2026Q4", "2027Q1")
    assert kept.bins == profile.bins
    assert [t.min_score for t in kept.tiers] == [t.min_score for t in profile.tiers]
    for axis in ("fit", "intent"):
        old, new = profile.scorecard(axis), kept.scorecard(axis)
        assert new.slope == old.slope
        assert [(c.attribute, c.grade, c.headline, c.since) for c in new.criteria] == [
            (c.attribute, c.grade, c.headline, c.since) for c in old.criteria
        ]
        for a, b in zip(old.criteria, new.criteria, strict=True):
            assert [x.points for x in a.bins] == [x.points for x in b.bins]
            assert sum(x.opportunities for x in b.bins) == len(later)
    assert candidate.fit.criteria[0].since == "2026Q4"


def test_points_table_scores_like_the_profile(world, profile):
    table = points_table(profile)
    assert tuple(table.columns) == POINT_COLUMNS
    codes = encode(world.universe, world.dictionary)
    score = card_of(profile.fit, world.dictionary).score(codes)
    average = table[table["axis"] == "fit"].groupby("attribute")["average_points"].first().sum()
    assert score.mean() == pytest.approx(average)
    empty = points_table(derived(world, shuffled(world.frame, 0)))
    assert tuple(empty.columns) == POINT_COLUMNS and empty.empty


def test_whole_points_sum_to_100_whatever_the_ranges(world):
    evidence = gather_evidence(read_label_rows(world.frame, world.dictionary), world.dictionary, {})
    card = make_points(select(evidence).fit)
    assert sum(int(p.max()) for p in card.points.values()) == 100
