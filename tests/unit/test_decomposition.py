"""Why the winners differ: parts that add up, intervals that cover, and words that tell market from ICP."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_market import ATTRIBUTES, flipped_size, make_accounts, make_outcomes, usual_log_odds
from test_diff import NEW, QUARTERS, profiles_of

from icp.decomposition import with_decomposition
from icp.diff import compare
from icp.label_rules import MATURE
from icp.profile import Bin, BinDictionary, Estimate, LabelRule
from icp.quarterly import Question, answer
from icp.serialize import rounded
from icp.shift_parts import COVERAGE, EFFECT, LABEL, LEVEL, MIX, Rows, decompose_rows, shapley_parts
from icp.shift_words import _adding_up, decomposition_sentences, shift_sentence
from icp.verdicts import BinShift, CriterionShift, Decomposition, ProfileDiff, ShiftPart

CRITERIA = ("employees", "industry", "technologies=snowflake", "visits_30d")
GOOD = LabelRule("good_customer", 4, {"not_churned": 1.0}, "won and not churned")


def table(mix: np.ndarray, rates: np.ndarray, rows: float = 1e6) -> np.ndarray:
    """One window as bin x state, the label unchanged."""
    cells = np.zeros((len(mix), 4))
    cells[:, 3], cells[:, 0] = rows * mix * rates, rows * mix * (1 - rates)
    return cells


MIX_BEFORE = np.array([0.15, 0.30, 0.35, 0.15, 0.05])
MIX_NOW = np.array([0.10, 0.20, 0.50, 0.10, 0.10])
RATES_BEFORE = np.array([0.10, 0.20, 0.35, 0.30, 0.20])
UNKNOWN = 4


def times_odds(rates: np.ndarray, odds: float | np.ndarray) -> np.ndarray:
    return np.asarray(odds * rates / (1 - rates + odds * rates))


# -- the identity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("players", [4, 5])
def test_the_parts_add_up_to_the_shift_and_turn_round_with_time(seed: int, players: int) -> None:
    rng = np.random.default_rng(seed)
    bins = int(rng.integers(2, 9))
    cells = rng.poisson(rng.gamma(0.7, 6, (2, bins, 4))).astype(float)
    if players == 4:
        cells[..., 1:3] = 0
    cells[:, 0, :] += [3, 0, 0, 3]  # a win and a loss in each window, other cells may be empty
    missing = [None, bins - 1][seed % 2]
    parts = shapley_parts(cells, missing, players)
    before = cells[0, :, 2] + cells[0, :, 3]
    now = cells[1, :, 1] + cells[1, :, 3]
    assert np.isfinite(parts).all()
    assert parts.sum(axis=0) == pytest.approx(now / now.sum() - before / before.sum(), abs=1e-12)
    assert parts.sum(axis=1) == pytest.approx(np.zeros(players), abs=1e-12)  # shares always sum to one
    backwards = shapley_parts(cells[::-1][..., [0, 2, 1, 3]], missing, players)
    assert backwards == pytest.approx(-parts, abs=1e-12)


def test_two_bins_by_hand() -> None:
    """1 of 2 worked in the first bin, then 3 of 4; it wins half, the other a quarter, always: 2/3 of the wins, then 6/7."""
    cells = np.array([[[2, 0, 0, 2], [3, 0, 0, 1]], [[3, 0, 0, 3], [1.5, 0, 0, 0.5]]], dtype=float)
    parts = shapley_parts(cells, None, 4)
    assert parts[MIX] == pytest.approx([6 / 7 - 2 / 3, 2 / 3 - 6 / 7])
    assert parts[[COVERAGE, EFFECT, LEVEL]] == pytest.approx(np.zeros((3, 2)), abs=1e-12)


def parts_of(mix: np.ndarray, rates: np.ndarray) -> np.ndarray:
    return shapley_parts(np.stack([table(MIX_BEFORE, RATES_BEFORE), table(mix, rates)]), UNKNOWN, 4)


def test_each_cause_alone_leaves_nothing_to_the_others() -> None:
    known = MIX_BEFORE * [1, 1, 1, 1, 0] * np.array([0.5, 1.0, 1.5, 1.0, 0])
    other_mix = np.append(known[:4] / known.sum() * 0.95, 0.05)
    more_unknown = np.append(MIX_BEFORE[:4] / 0.95 * 0.6, 0.4)
    for part, found in (
        (MIX, parts_of(other_mix, RATES_BEFORE)),
        (COVERAGE, parts_of(more_unknown, RATES_BEFORE)),
        (LEVEL, parts_of(MIX_BEFORE, times_odds(RATES_BEFORE, 2.0))),
    ):
        assert np.abs(found[part]).max() > 0.02
        assert np.delete(found, part, axis=0) == pytest.approx(np.zeros((3, 5)), abs=1e-9)


def test_an_effect_is_mostly_effect() -> None:
    found = parts_of(MIX_BEFORE, times_odds(RATES_BEFORE, np.array([1, 1, 0.4, 2.0, 1])))
    assert found[EFFECT, 2] < -0.15 and found[EFFECT, 3] > 0.08
    assert found[[MIX, COVERAGE]] == pytest.approx(np.zeros((2, 5)), abs=0.03)  # the unknown win more beside the others


def test_whole_points_add_up() -> None:
    assert _adding_up([10.5, 2.5], 13) in ([11, 2], [10, 3])
    assert _adding_up([-0.4, 0.4], 0) == [0, 0]
    assert _adding_up([7.2], 9) == [7]  # what was not said cannot be added to what is


# -- intervals ---------------------------------------------------------------------------------------------------------


def draw(
    rng: np.random.Generator, rows: int, mix: np.ndarray, rates: np.ndarray, is_new: int
) -> tuple[np.ndarray, ...]:
    codes = rng.choice(len(mix), rows, p=mix)
    return codes, (rng.random(rows) < rates[codes]).astype(np.int64), np.full(rows, is_new)


def drawn(rng: np.random.Generator, per_quarter: int, mix: np.ndarray, rates: np.ndarray) -> Rows:
    before = draw(rng, 4 * per_quarter, MIX_BEFORE, RATES_BEFORE, 0)
    codes, won, is_new = (
        np.concatenate(pair) for pair in zip(before, draw(rng, per_quarter, mix, rates, 1), strict=True)
    )
    return Rows(codes, is_new, won, won, np.arange(len(codes)))


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(3)
    rates = times_odds(RATES_BEFORE, np.array([1, 1, 0.5, 2.0, 1]) * 1.2)
    truth = parts_of(MIX_NOW, rates)
    inside = []
    for _ in range(200):
        found = decompose_rows(drawn(rng, 250, MIX_NOW, rates), 5, UNKNOWN)
        inside.append(np.abs(found.parts[:4] - truth) <= 1.96 * found.errors[:4])
    covered = np.mean(inside, axis=0)
    assert covered[[MIX, EFFECT]].mean() == pytest.approx(0.96, abs=0.025)
    assert covered.min() > 0.87


def test_a_bin_without_a_win_is_not_known_exactly() -> None:
    rng = np.random.default_rng(4)
    rows = drawn(rng, 100, MIX_BEFORE, RATES_BEFORE * [0, 1, 1, 1, 1])
    found = decompose_rows(rows, 5, UNKNOWN)
    assert found.now[0] == 0
    assert found.errors[EFFECT, 0] > 0.01


def test_an_account_that_comes_back_is_one_witness() -> None:
    rng = np.random.default_rng(5)
    rows = drawn(rng, 400, MIX_NOW, RATES_BEFORE)
    once = decompose_rows(rows, 5, UNKNOWN)
    fields = {name: np.tile(getattr(rows, name), 4) for name in ("codes", "is_new", "won_before", "won_now")}
    one_account = decompose_rows(Rows(**fields, groups=np.tile(rows.groups, 4)), 5, UNKNOWN)
    as_strangers = decompose_rows(Rows(**fields, groups=np.arange(4 * len(rows.groups))), 5, UNKNOWN)
    assert one_account.parts == pytest.approx(once.parts)
    assert one_account.errors[MIX] == pytest.approx(once.errors[MIX], rel=0.1)
    assert as_strangers.errors[MIX] == pytest.approx(once.errors[MIX] / 2, rel=0.1)


# -- planted quarters --------------------------------------------------------------------------------------------------


def explained(frame: pd.DataFrame, **incumbent: object) -> ProfileDiff:
    old, new = profiles_of(frame, CRITERIA)
    label = incumbent.pop("present", None)
    old, new = replace(old, **incumbent), replace(new, label=label)
    return with_decomposition(compare(old, new, frame, NEW), old, new, frame)


def found_in(diff: ProfileDiff) -> Decomposition:
    assert diff.decomposition is not None
    return diff.decomposition


def shift_of(diff: ProfileDiff, name: str) -> CriterionShift:
    return next(c for c in found_in(diff).criteria if c.attribute == name)


def part(shift: CriterionShift, label: str, name: str) -> Estimate:
    line = next(b for b in shift.bins if b.label == label)
    return next(p.value for p in line.parts if p.name == name)


def test_a_change_of_mix_is_the_markets() -> None:
    frame = make_outcomes(QUARTERS, 600, 13, accounts=lambda q, n, rng: make_accounts(n, rng, 0.5 if q == NEW else 0.2))
    diff = explained(frame)
    industry = shift_of(diff, "industry")
    assert industry.credible == ("mix",)
    effect, mix = part(industry, "Software", "effect"), part(industry, "Software", "mix")
    assert mix.low > 0.1 and effect.low < 0 < effect.high
    assert industry.sentence.startswith(
        "Winners with Industry Software went from 31% to 58%: +29 points because more of"
    )
    assert industry.sentence.endswith("The market changed, the ICP did not: who was worked moved, nothing shows that who "
                                      "wins did.")  # fmt: skip
    assert [c.attribute for c in found_in(diff).criteria if c.credible] == ["industry"]


def test_a_change_of_effect_is_the_icps() -> None:
    diff = explained(make_outcomes(QUARTERS, 600, 12, log_odds=lambda q: flipped_size if q == NEW else usual_log_odds))
    size = shift_of(diff, "employees")
    assert "effect" in size.credible and "mix" not in size.credible
    effect, mix = part(size, "51-200", "effect"), part(size, "51-200", "mix")
    assert effect.high < -0.05 and mix.low < 0 < mix.high
    assert "points because win rates moved" in size.sentence and "market changed" not in size.sentence


def test_every_line_of_a_quarter_adds_up() -> None:
    diff = explained(make_outcomes(QUARTERS, 200, 31))
    criteria = found_in(diff).criteria
    assert {c.attribute for c in criteria} == set(CRITERIA)
    for line in (b for c in criteria for b in c.bins):
        assert sum(p.value.value for p in line.parts) == pytest.approx(line.now - line.before, abs=1e-11)
        assert line.shift.low <= line.shift.value <= line.shift.high
        assert all(p.value.low <= p.value.value <= p.value.high for p in line.parts)


def test_quiet_quarters_have_nothing_to_say() -> None:
    said = [found_in(explained(make_outcomes(QUARTERS, 250, seed))).sentences for seed in range(40, 50)]
    assert sum(bool(s) for s in said) <= 1
    quiet = found_in(explained(make_outcomes(QUARTERS, 250, 40)))
    assert decomposition_sentences(quiet)[0].startswith(
        "No criterion's share of the winners could be told from chance ("
    )


def test_values_that_went_missing_are_data_and_not_the_market() -> None:
    frame = make_outcomes(QUARTERS, 400, 11)
    gone = (frame["outcome_quarter"] == NEW) & (np.random.default_rng(1).random(len(frame)) < 0.4)
    frame.loc[gone, "employees"] = np.nan
    size = shift_of(explained(frame), "employees")
    assert size.credible == ("coverage",)
    assert "because data coverage moved" in size.sentence
    assert size.sentence.endswith("It is not known for 45% of the opportunities, 7% before.")


def test_too_few_wins_cannot_tell() -> None:
    frame = pd.concat([make_outcomes(QUARTERS[:-1], 200, 16), make_outcomes([NEW], 30, 17)], ignore_index=True)
    frame["observation_id"] = frame["account_id"] = [str(i) for i in range(len(frame))]
    found = found_in(explained(frame))
    assert found.criteria == () and "at least 10 and 10 are needed" in found.reason
    assert decomposition_sentences(found) == (f"Why the winners differ: cannot tell at this n; {found.reason}.",)


def test_an_attribute_that_says_nothing_has_a_reason() -> None:
    frame = make_outcomes(QUARTERS, 200, 18)
    frame["visits_30d"] = np.nan
    frame["industry"] = "Software"
    old, new = profiles_of(make_outcomes(QUARTERS, 200, 18), CRITERIA)
    diff = with_decomposition(compare(old, new, frame, NEW), old, new, frame)
    assert shift_of(diff, "visits_30d").reason == "never known"
    assert shift_of(diff, "industry").reason == "the same for every opportunity"
    assert shift_of(diff, "industry").bins == ()


def test_a_change_already_reported_is_not_told_again() -> None:
    frame = make_outcomes(QUARTERS, 500, 13, log_odds=lambda q: flipped_size if q >= "2025Q4" else usual_log_odds)
    assert "effect" in shift_of(explained(frame), "employees").credible
    remembered = shift_of(explained(frame, change_points={"employees": "2025Q4"}), "employees")
    assert remembered.credible == () and remembered.bins


def test_nothing_is_nothing_to_the_last_digit() -> None:
    frame = make_outcomes(QUARTERS[-2:], 120, 33)
    for name in frame.columns:
        if name not in ("observation_id", "account_id", "outcome_quarter"):
            half = frame.loc[frame["outcome_quarter"] == QUARTERS[-2], name]
            frame.loc[frame["outcome_quarter"] == NEW, name] = half.to_numpy()  # the same quarter twice
    values = [p.value.value for c in found_in(explained(frame)).criteria for b in c.bins for p in b.parts]
    assert set(values) == {0.0}


def test_a_cause_that_is_shown_to_be_nothing_is_not_said() -> None:
    effect = ShiftPart("effect", Estimate(0.08, 0.03, 0.12), True)
    nothing, unsure = (
        ShiftPart("mix", Estimate(-0.001, low, high), False) for low, high in ((-0.004, 0.004), (-0.05, 0.05))
    )
    line = BinShift("road", "Road", 0.10, 0.18, 0.2, 0.2, Estimate(0.08, 0.03, 0.12), (nothing, effect))
    shift = CriterionShift("line", "Product line", ("effect",), "", (line,))
    lead = "Winners with Product line Road went from 10% to 18%: +8 points because win rates moved [+3 to +12]"
    assert shift_sentence(shift, None) == f"{lead}."
    unclear = replace(shift, bins=(replace(line, parts=(unsure, effect)),))
    assert shift_sentence(unclear, None) == f"{lead}, 0 because of who was worked [−5 to +5]."


def test_the_first_quarter_has_nothing_to_explain() -> None:
    frame = make_outcomes(QUARTERS, 40, 20)
    _, candidate = profiles_of(frame)
    first = with_decomposition(compare(None, candidate, frame, NEW), None, candidate, frame)
    assert first.decomposition is None and decomposition_sentences(None) == ()


def test_the_order_of_rows_does_not_matter() -> None:
    frame = make_outcomes(QUARTERS, 150, 24)
    assert explained(frame.sample(frac=1, random_state=1)) == explained(frame)


# -- the label and the bins --------------------------------------------------------------------------------------------


def with_churn(frame: pd.DataFrame) -> pd.DataFrame:
    """Facts about the won deals: those with big companies mostly churn."""
    rng = np.random.default_rng(7)
    is_big = (frame["employees"] > 200).to_numpy()
    churned = rng.random(len(frame)) < np.where(is_big, 0.8, 0.1)
    known = frame["is_won"].to_numpy(dtype=bool) & (rng.random(len(frame)) < 0.9)
    return frame.assign(**{MATURE: True, "outcome_is_churned": np.where(known, churned.astype(float), np.nan)})


def test_a_new_label_is_a_part_of_its_own() -> None:
    frame = with_churn(make_outcomes(QUARTERS, 600, 25, win_rate=0.35))
    diff = explained(frame, label=GOOD, present=LabelRule("won", 4))
    size = shift_of(diff, "employees")
    assert "label" in size.credible and "effect" not in size.credible
    assert part(size, "201-500", "label").low > 0.02  # the new label counts the churned ones as won
    assert "because the label changed" in size.sentence
    (note,) = found_in(diff).notes
    assert "from “won and not churned” to “won against lost”: both were evaluated" in note and "are left out" in note
    for line in size.bins:
        assert sum(p.value.value for p in line.parts) == pytest.approx(line.now - line.before, abs=1e-11)


@pytest.mark.parametrize(
    ("old", "reason"),
    [
        (GOOD, "nothing is known of what became of the won deals"),
        (LabelRule("best_customer", 1, {}, "best 20%"), "counted by account and horizon"),
    ],
)
def test_an_old_label_that_cannot_be_evaluated_is_said(old: LabelRule, reason: str) -> None:
    found = found_in(explained(make_outcomes(QUARTERS, 200, 26), label=old, present=LabelRule()))
    assert "cannot be evaluated on these data" in found.notes[0] and reason in found.notes[0]
    assert {p.name for c in found.criteria for b in c.bins for p in b.parts} == {"mix", "coverage", "effect", "level"}


def test_another_horizon_cannot_be_evaluated() -> None:
    frame = with_churn(make_outcomes(QUARTERS, 200, 26))
    found = found_in(explained(frame, label=replace(GOOD, horizon=2), present=LabelRule("won", 4)))
    assert "it judged customers after 2 quarters" in found.notes[0]


def test_the_same_label_needs_no_note() -> None:
    found = found_in(explained(make_outcomes(QUARTERS, 200, 26), label=LabelRule(), present=LabelRule()))
    assert found.notes == ()
    assert (LABEL, found.version) == (4, 1)


def test_redefined_bins_are_a_part_of_their_own() -> None:
    frame = make_outcomes(QUARTERS, 300, 27)
    old, new = profiles_of(frame, CRITERIA)
    finer = [b for b in new.bins.bins["employees"] if b.key != "51..201"]
    halves = [Bin("51..101", "51-100", 51, 101), Bin("101..201", "101-200", 101, 201)]
    place = next(i for i, b in enumerate(new.bins.bins["employees"]) if b.key == "51..201")
    bins = {**new.bins.bins, "employees": (*finer[:place], *halves, *finer[place:])}
    new = replace(new, bins=BinDictionary(NEW, new.bins.attributes, bins))
    diff = with_decomposition(compare(old, new, frame, NEW), old, new, frame)
    size = shift_of(diff, "employees")
    assert "bins" in size.credible and found_in(diff).notes == (f"The groups of Company size are those of {NEW}.",)
    assert part(size, "51-100", "bins").low > 0.05 and part(size, "51-200", "bins").high < -0.3
    for line in size.bins:
        assert sum(p.value.value for p in line.parts) == pytest.approx(line.now - line.before, abs=1e-11)
    untouched = shift_of(diff, "industry")
    assert {p.name for b in untouched.bins for p in b.parts} == {"mix", "effect", "level"}  # always known


def test_a_criterion_that_left_is_still_explained() -> None:
    frame = make_outcomes(QUARTERS, 150, 28)
    old, _ = profiles_of(frame, CRITERIA)
    _, new = profiles_of(frame, ("employees",))
    kept = tuple(a for a in new.bins.attributes if a.name != "visits_30d")
    bins = BinDictionary("2025Q4", kept, {a.name: new.bins.bins[a.name] for a in kept})
    new = replace(new, bins=bins)
    diff = with_decomposition(compare(old, new, frame, NEW), old, new, frame)
    assert next(c.attribute for c in found_in(diff).criteria) == "employees"
    assert {c.attribute for c in found_in(diff).criteria} == set(CRITERIA)
    assert shift_of(diff, "visits_30d").bins


def test_a_quarter_is_published_with_its_label_and_why_its_winners_differ() -> None:
    labels = make_outcomes(QUARTERS, 200, 29)
    universe = make_accounts(200, np.random.default_rng(3)).assign(account_id=[f"u{i}" for i in range(200)])
    tiers, minimum = {"A": 0.1, "B": 0.2}, {"wins": 20, "losses": 20}
    earlier = Question("main", "2025Q4", tiers, minimum, label=LabelRule(words="won, as it was"))
    first = answer(earlier, labels[labels["outcome_quarter"] < NEW], universe, ATTRIBUTES, None)
    assert first.profile.label == earlier.label and first.diff.decomposition is None
    later = Question("main", NEW, tiers, minimum, label=LabelRule())
    second = rounded(answer(later, labels, universe, ATTRIBUTES, first.profile))
    found = found_in(second.diff)
    criteria = {c.attribute for p in (first.profile, second.profile) for c in (*p.fit.criteria, *p.intent.criteria)}
    assert {c.attribute for c in found.criteria} == criteria != set()
    assert second.profile.label == LabelRule()
    assert found.notes[0].startswith(
        "The label changed from “won, as it was” to “won against lost”: both were evaluated"
    )
