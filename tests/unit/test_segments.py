"""Conjunctions: found where they were planted, nowhere else, and scored like any other attribute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from icp.bins import encode, make_bins
from icp.criteria import disqualifiers
from icp.derive import derive
from icp.explain import explain
from icp.keep import keep
from icp.points import card_of
from icp.profile import Attribute, Profile
from icp.quarterly import Question, answer
from icp.serialize import profile_from_yaml, profile_to_yaml
from icp.window import extended

ATTRIBUTES = (
    Attribute("industry", "category", "firmographic", "Industry"),
    Attribute("employees", "numeric", "firmographic", "Employees", cuts=(11, 51, 201, 1001)),
    Attribute("snowflake", "flag", "technographic", "Uses Snowflake"),
    *(Attribute(f"noise{i}", "category", "firmographic", f"Noise {i}") for i in range(6)),
)


def market(rows: int = 5_000, seed: int = 1, bonus: float = 1.6) -> pd.DataFrame:
    """Software companies that also use Snowflake win; either alone hardly matters. Mining never mattered well."""
    rng = np.random.default_rng(seed)
    industry = rng.choice(["Software", "Retail", "Mining", "Banking"], rows)
    snowflake = rng.random(rows) < 0.35
    employees = np.exp(rng.normal(4.5, 1.3, rows)).round()
    eta = -1.6 + bonus * ((industry == "Software") & snowflake) - 1.6 * (industry == "Mining") + 0.4 * (employees > 200)
    flags = np.array([bool(x) for x in snowflake], dtype=object)
    flags[rng.random(rows) < 0.1] = None
    return pd.DataFrame(
        {
            "observation_id": [f"o{i:05d}" for i in range(rows)],
            "account_id": [f"a{i:05d}" for i in range(rows)],
            "outcome_quarter": rng.choice(["2026Q1", "2026Q2", "2026Q3"], rows),
            "is_won": rng.random(rows) < 1 / (1 + np.exp(-eta)),
            "outcome_value": np.nan,
            "industry": industry,
            "employees": employees,
            "snowflake": flags,
            **{f"noise{i}": rng.choice(list("abcd"), rows) for i in range(6)},
        }
    )


def profile_of(frame: pd.DataFrame, has_tiers: bool = False) -> Profile:
    bins = make_bins(frame, ATTRIBUTES, "2026Q3")
    return derive(frame, bins, icp="main", quarter="2026Q3", has_tiers=has_tiers)


def segments_of(profile: Profile) -> list[Attribute]:
    return [a for a in profile.bins.attributes if a.conditions]


@pytest.fixture(scope="module")
def found() -> Profile:
    return profile_of(market())


def test_the_planted_conjunction_is_found_and_named_in_plain_words(found: Profile) -> None:
    (segment,) = segments_of(found)
    assert segment.label == "Industry Software × Uses Snowflake"
    criterion = found.fit.criterion(segment.name)
    assert criterion is not None and criterion.grade == "confirmed"
    yes = next(b for b in criterion.bins if b.key == "yes")
    assert yes.odds.low > 1.3 and yes.stance == "in"
    missing = next(b for b in criterion.bins if b.key == "missing")
    assert missing.stance == "neutral"


def test_additive_truth_has_no_segment() -> None:
    assert segments_of(profile_of(market(seed=2, bonus=0.0))) == []


def test_shuffled_outcomes_have_no_segment() -> None:
    frame = market(seed=3)
    for seed in range(5):
        frame["is_won"] = np.random.default_rng(seed).permutation(frame["is_won"])
        assert segments_of(profile_of(frame)) == []


def test_few_outcomes_are_not_searched() -> None:
    assert segments_of(profile_of(market(rows=1_500))) == []


def test_the_order_of_rows_does_not_matter(found: Profile) -> None:
    assert profile_of(market().sample(frac=1, random_state=5)) == found


def test_codes_follow_from_the_conditions(found: Profile) -> None:
    (segment,) = segments_of(found)
    rows = pd.DataFrame(
        {
            "industry": ["Software", "Software", "Software", "Retail", None, None, None],
            "snowflake": [True, False, None, True, True, False, None],
        },
        dtype=object,
    )
    keys = [found.bins.bins[segment.name][code].key for code in encode(rows, found.bins)[segment.name]]
    assert keys == ["yes", "no", "missing", "no", "missing", "no", "missing"]


def test_a_segment_survives_the_file_and_the_next_quarter(found: Profile) -> None:
    assert profile_from_yaml(profile_to_yaml(found)) == found
    frame = market(seed=4)
    bins = extended(found.bins, frame, ATTRIBUTES, "2026Q3")
    assert segments_of(found) == [a for a in bins.attributes if a.conditions]
    tiered = profile_of(market(), has_tiers=True)
    kept = keep(tiered, profile_of(frame, has_tiers=True), frame)
    assert segments_of(kept) == segments_of(found)
    assert card_of(kept.fit, kept.bins).points.keys() == card_of(found.fit, found.bins).points.keys()
    without = extended(found.bins, frame, [a for a in ATTRIBUTES if a.name != "snowflake"], "2026Q3")
    assert [a for a in without.attributes if a.conditions] == []


def test_a_segment_first_found_at_a_refit_is_confirmed_at_once() -> None:
    """Few outcomes are not searched, so that the first profile has none; the halves have been its two proofs."""
    early, late = market(seed=3), market(rows=6_000)
    early = early[early["outcome_quarter"] == "2026Q1"]
    late = late[late["outcome_quarter"] != "2026Q1"]
    late = late.assign(observation_id="l" + late["observation_id"], account_id="l" + late["account_id"])
    universe = market(rows=300, seed=9).drop(columns=["is_won", "outcome_quarter"])
    first, second = (
        Question("main", q, {"A": 0.05, "B": 0.15}, {"wins": 20, "losses": 20}) for q in ("2026Q1", "2026Q3")
    )
    incumbent = answer(first, early, universe, ATTRIBUTES, None).profile
    assert segments_of(incumbent) == []
    result = answer(second, pd.concat([early, late], ignore_index=True), universe, ATTRIBUTES, incumbent)
    assert result.profile.state == "derived"
    (segment,) = segments_of(result.profile)
    criterion = result.profile.fit.criterion(segment.name)
    assert criterion is not None and (criterion.grade, criterion.headline) == ("confirmed", True)
    assert [(m.attribute, m.direction) for m in result.diff.memberships] == [(segment.name, "enters")]


def test_scores_stay_within_a_hundred(found: Profile) -> None:
    score = card_of(found.fit, found.bins).score(encode(market(seed=6), found.bins))
    assert 0 <= score.min() and score.max() <= 100


def test_tiers_are_measured_with_the_search_repeated(found: Profile) -> None:
    profile = profile_of(market(), has_tiers=True)
    assert segments_of(profile) == segments_of(found)
    assert profile.tiers[0].rate.value > 1.5 * profile.base_rate.value


def test_explaining_a_member_names_the_segment(found: Profile) -> None:
    (segment,) = segments_of(found)
    criterion = found.fit.criterion(segment.name)
    assert criterion is not None
    points = next(b.points for b in criterion.bins if b.key == "yes")
    account = {"account_id": "a1", "fit_score": points, "intent_score": 0, "tier": "A"}
    row = {"account_id": "a1", "axis": "fit", "attribute": segment.name, "bin_key": "yes", "value_text": "yes"}
    line = explain(account, [row | {"points": points, "average_points": 1.0}], found).lines[0]
    assert (line.label, line.bin_label) == ("Industry Software × Uses Snowflake", "yes")


def test_what_halves_the_odds_for_sure_disqualifies(found: Profile) -> None:
    (worst, *_) = found.disqualifiers
    assert (worst.label, worst.key) == ("Industry Mining", "Mining")
    assert worst.odds.high < 1 / 1.3
    assert "Not ICP: Industry Mining" in found.paragraph
    provisional = [replace(c, grade="provisional") for c in found.fit.criteria]
    assert disqualifiers(provisional) == ()
