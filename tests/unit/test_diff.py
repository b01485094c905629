"""Two quarters compared: verdicts, their words, segments that enter, and what is remembered for the next one."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_market import ATTRIBUTES, flipped_size, make_accounts, make_outcomes, usual_log_odds
from small_profiles import profile

from icp.bins import encode, make_bins
from icp.diff import compare
from icp.diff_words import attribute_sentence, membership_sentence, segment_sentence
from icp.entering import extend_bins
from icp.profile import Profile
from icp.verdicts import MembershipChange, ProfileDiff

QUARTERS = ("2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1")
NEW = QUARTERS[-1]
SIZE_LABEL = "Company size"


def profiles_of(frame: pd.DataFrame, names: tuple[str, ...] = ("employees", "industry")) -> tuple[Profile, Profile]:
    """An incumbent made on the earlier quarters and a candidate, both with these criteria."""
    dictionary = make_bins(frame[frame["outcome_quarter"] < NEW], ATTRIBUTES, "2025Q4")
    criteria = [(dictionary.attribute(n), dictionary.bins[n], tuple(range(len(dictionary.bins[n])))) for n in names]
    incumbent = replace(profile(criteria, quarter="2025Q4"), bins=dictionary)
    return incumbent, replace(incumbent, quarter=NEW)


def compared(frame: pd.DataFrame, **fields: object) -> ProfileDiff:
    incumbent, candidate = profiles_of(frame)
    return compare(replace(incumbent, **fields), candidate, frame, NEW)


@pytest.fixture(scope="module")
def quiet() -> ProfileDiff:
    return compared(make_outcomes(QUARTERS, 400, 11))


@pytest.fixture(scope="module")
def turned() -> ProfileDiff:
    return compared(make_outcomes(QUARTERS, 600, 12, log_odds=lambda q: flipped_size if q == NEW else usual_log_odds))


def test_a_quiet_quarter_says_no_evidence_and_what_would_have_been_seen(quiet: ProfileDiff) -> None:
    assert quiet.outcome == "no evidence"
    assert not quiet.is_change
    assert quiet.sentence.startswith(
        "No evidence of a change: none of the 2 criteria moved by more than chance on the 400 outcomes"
    )
    assert quiet.change_points == {}
    assert {a.verdict for a in quiet.attributes} <= {"stable", "no evidence", "cannot tell at this n"}


def test_the_detectable_move_is_the_formula_in_odds(quiet: ProfileDiff) -> None:
    rate = (quiet.wins + 0.5) / (quiet.opportunities + 1)
    expected = np.exp(8.0 / np.sqrt(400 * rate * (1 - rate)))  # 400 new outcomes against 1,600
    assert quiet.detectable == pytest.approx(expected)
    size = next(a for a in quiet.attributes if a.attribute == "employees")
    share = size.detectable_share
    assert share is not None and share.group == "51-200"
    assert attribute_sentence(size) == (
        f"{SIZE_LABEL}: no evidence of a change; its odds would have had to move ×{expected:.1f} to be seen, "
        f"which would take 51-200 from {share.before:.0%} to {share.now:.0%} of the wins."
    )


def test_the_detectable_move_is_told_as_a_share_of_the_wins(quiet: ProfileDiff) -> None:
    move = quiet.detectable_share
    assert move is not None and quiet.detectable is not None
    rate = quiet.wins / quiet.opportunities
    grown = quiet.detectable * rate / (1 - rate + quiet.detectable * rate) / rate  # times as often
    assert move.now == pytest.approx((grown / 3) / (grown / 3 + 2 / 3))
    assert f"with {quiet.wins} wins a share of 33% must move {move.points:.0f} points, or odds ×" in quiet.sentence


def test_a_turned_criterion_is_named_with_before_and_now(turned: ProfileDiff) -> None:
    assert turned.outcome == "changed"
    assert turned.changed == ("employees",)
    assert turned.sentence.startswith("The ICP changed in 1 of 2 criteria: Company size (")
    assert turned.change_points == {"employees": NEW}
    size = next(a for a in turned.attributes if a.attribute == "employees")
    moved = next(b for b in size.bins if b.label == "51-200")
    assert moved.now.value < 1 < moved.before.value
    assert moved.change.value == pytest.approx(moved.now.value / moved.before.value)
    assert moved.change.low < moved.change.value < moved.change.high < 1


def test_a_change_is_not_reported_again_in_the_next_quiet_quarter() -> None:
    frame = make_outcomes(QUARTERS, 900, 13, log_odds=lambda q: flipped_size if q >= "2025Q4" else usual_log_odds)
    assert compared(frame).is_change  # not knowing of the change of last quarter
    remembered = compared(frame, change_points={"employees": "2025Q4"})
    assert remembered.outcome == "no evidence"
    assert remembered.change_points == {"employees": "2025Q4"}


def test_a_change_the_window_has_outgrown_is_forgotten() -> None:
    frame = make_outcomes(QUARTERS, 150, 14)
    assert compared(frame, change_points={"employees": "2025Q1", "industry": "2025Q2"}).change_points == {
        "industry": "2025Q2"
    }


def test_an_attribute_stable_beyond_doubt_is_called_stable() -> None:
    frame = make_outcomes(QUARTERS, 6_000, 15)[
        ["observation_id", "account_id", "is_won", "outcome_quarter", "industry"]
    ]
    by_name = {a.attribute: a for a in compared(frame).attributes}
    assert by_name["industry"].verdict == "stable"
    assert attribute_sentence(by_name["industry"]) == "Industry: stable, every larger group within ×1.5 of what it was."
    assert by_name["country"].verdict == "cannot tell at this n"  # a column that is not there
    assert (
        attribute_sentence(by_name["country"]) == "Country: cannot tell at this n, known for 0 of 30000 opportunities."
    )


def test_too_few_new_outcomes_cannot_tell() -> None:
    frame = pd.concat([make_outcomes(QUARTERS[:-1], 200, 16), make_outcomes([NEW], 30, 17)], ignore_index=True)
    frame["observation_id"] = [str(i) for i in range(len(frame))]
    diff = compared(frame)
    assert diff.outcome == "cannot tell at this n"
    assert diff.sentence.startswith("Cannot tell at this n whether the ICP changed: 2026Q1 brought 30 outcomes")
    assert all(a.verdict == "cannot tell at this n" and a.p_value is None for a in diff.attributes)
    assert "at least 10 of each are needed" in diff.attributes[0].reason


def test_a_small_quarter_cannot_tell_even_when_tested() -> None:
    frame = pd.concat([make_outcomes(QUARTERS[:-1], 200, 18), make_outcomes([NEW], 90, 19)], ignore_index=True)
    frame["observation_id"] = [str(i) for i in range(len(frame))]
    diff = compared(frame)
    assert diff.outcome == "cannot tell at this n"
    assert re.search(
        r"; with \d+ wins a share of 33% must move \d+ points, or odds ×\d+\.\d, to be seen", diff.sentence
    )


def test_the_first_quarter_has_nothing_to_compare_with() -> None:
    frame = make_outcomes(QUARTERS, 40, 20)
    _, candidate = profiles_of(frame)
    first = compare(None, candidate, frame, NEW)
    assert (first.outcome, first.before_quarter, first.attributes) == ("first profile", None, ())
    assert first.sentence.startswith("First profile: 2 criteria from 400 outcomes, 80 of them won")
    assert compare(None, profile([]), frame, NEW).sentence.startswith("No ICP yet")


def with_newcomer(win_odds: float, seed: int) -> pd.DataFrame:
    """A market in which an industry never seen before makes up a tenth of the newest outcomes."""

    def accounts(quarter: str, count: int, rng: np.random.Generator) -> pd.DataFrame:
        frame = make_accounts(count, rng)
        if quarter == NEW:
            frame.loc[rng.random(count) < 0.1, "industry"] = "Biotech"
        return frame

    def log_odds(frame: pd.DataFrame) -> np.ndarray:
        return usual_log_odds(frame) + win_odds * (frame["industry"] == "Biotech").to_numpy()

    return make_outcomes(QUARTERS, 500, seed, accounts=accounts, log_odds=lambda _: log_odds)


def test_a_segment_that_enters_and_wins_is_a_change_of_the_icp() -> None:
    frame = with_newcomer(1.5, 21)
    diff = compared(frame)
    (segment,) = diff.entering
    assert (segment.attribute, segment.level, segment.share_before) == ("industry", "Biotech", 0.0)
    assert segment.is_change
    assert diff.sentence.startswith("The ICP changed: a new segment entered. Industry Biotech entered:")
    assert diff.change_points == {}  # the other industries are worth what they were
    extended = extend_bins(profiles_of(frame)[0].bins, diff.entering, NEW)
    codes = encode(frame[frame["industry"] == "Biotech"], extended)["industry"]
    assert {extended.bins["industry"][c].label for c in codes} == {"Biotech"}
    assert [b.key for b in extended.bins["industry"]][-3:] == ["Biotech", "other", "missing"]


def test_a_segment_that_enters_like_the_others_is_reported_without_a_change() -> None:
    diff = compared(with_newcomer(0.0, 22))
    assert diff.outcome == "no evidence"
    assert segment_sentence(diff.entering[0]) in diff.sentence
    assert diff.entering[0].opportunities == pytest.approx(50, abs=20)
    assert segment_sentence(diff.entering[0]).endswith("whether it wins differently cannot be told yet.")


def test_a_technology_that_enters_becomes_a_candidate() -> None:
    frame = make_outcomes(QUARTERS, 200, 23)
    is_user = (frame["outcome_quarter"] == NEW) & frame["technologies"].notna() & (frame.index % 5 == 0)
    frame.loc[is_user, "technologies"] = frame.loc[is_user, "technologies"] + "duckdb|"
    diff = compared(frame)
    assert [(s.attribute, s.label, s.level) for s in diff.entering] == [("technologies", "Uses", "duckdb")]
    extended = extend_bins(profiles_of(frame)[0].bins, diff.entering, NEW)
    assert extended.attribute("technologies=duckdb").label == "Uses: duckdb"
    assert encode(frame, extended)["technologies=duckdb"].eq(1).sum() == is_user.sum()


def test_the_order_of_rows_does_not_matter() -> None:
    frame = make_outcomes(QUARTERS, 120, 24)
    assert compared(frame.sample(frac=1, random_state=1)) == compared(frame)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("real change", "real change: its effect"),
        ("evidence gained", "evidence gained: nothing shows that the market moved"),
        ("evidence faded", "evidence faded: nothing shows that the market moved"),
    ],
)
def test_evidence_is_never_worded_as_a_change_of_the_market(cause: str, words: str) -> None:
    sentence = membership_sentence(MembershipChange("x", "Uses aws", "enters", cause, False))  # type: ignore[arg-type]
    assert sentence.startswith("Uses aws enters the ICP at the next refit of the points (")
    assert words in sentence
