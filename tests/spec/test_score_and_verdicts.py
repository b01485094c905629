"""How an account gets its score, and how a quarter is judged: examples to check with pencil and paper."""

from __future__ import annotations

import duckdb
import pytest

from icp.diff_words import attribute_sentence, membership_sentence, segment_sentence
from icp.profile import Attribute, Bin, BinDictionary, BinEffect, Criterion, Estimate, Profile, Scorecard
from icp.scoring import compile_scoring_sql
from icp.verdicts import AttributeChange, BinChange, EnteringSegment, MembershipChange, ShareMove

SIZE = Attribute("employees", "numeric", "firmographic", "Company size")
CLOUD = Attribute("technologies=aws", "flag", "technographic", "Uses aws", source_column="technologies", member="aws")
UNKNOWN = Bin("missing", "unknown")
BINS = {
    "employees": (Bin("..11", "up to 10", None, 11), Bin("11..51", "11-50", 11, 51), Bin("51..", "51+", 51), UNKNOWN),
    "technologies=aws": (Bin("no", "no"), Bin("yes", "yes"), UNKNOWN),
}
POINTS = {"employees": (0, 70, 30, 20), "technologies=aws": (0, 30, 10)}


def icp() -> Profile:
    """Mid-sized companies that use aws: 70 points for 11-50 employees, 30 for aws."""
    one = Estimate(1.0, 0.9, 1.1)

    def criterion(attribute: Attribute) -> Criterion:
        effects = tuple(
            BinEffect(b.key, b.label, one, one, 0.5, p, 1, 1, 1, "neutral")
            for b, p in zip(BINS[attribute.name], POINTS[attribute.name], strict=True)
        )
        return Criterion(
            attribute.name, attribute.label, attribute.family, "confirmed", 0.01, 0.01, 0.3, effects, "2026Q1"
        )

    return Profile(
        icp="main",
        quarter="2026Q2",
        state="derived",
        derived_in="2026Q2",
        window=("2026Q2",),
        opportunities=1,
        wins=1,
        base_rate=one,
        bins=BinDictionary("2026Q2", (SIZE, CLOUD), BINS),
        fit=Scorecard("fit", -2.0, 0.03, (criterion(SIZE), criterion(CLOUD))),
        intent=Scorecard("intent", 0.0, 0.0, ()),
        tiers=(),
        intent_levels=(),
        tests=(),
        paragraph="",
    )


@pytest.mark.parametrize(
    ("employees", "technologies", "score"),
    [
        ("10", "'|aws|'", 0 + 30),
        ("11", "'|aws|'", 70 + 30),  # a bin holds its lower end …
        ("50.99", "'|snowflake|aws|'", 70 + 30),
        ("51", "'|snowflake|'", 30 + 0),  # … and not its upper one
        ("'NaN'", "'||'", 20 + 0),  # size unknown; known to use nothing
        ("NULL", "NULL", 20 + 10),  # nothing known: points for not knowing, never an error
        ("11", "'|aws-lambda|'", 70 + 0),  # another technology whose name begins alike
    ],
)
def test_the_score_is_the_sum_of_the_points_of_two_bins(employees: str, technologies: str, score: int) -> None:
    table = f"(SELECT 'a' AS account_id, {employees}::DOUBLE AS employees, {technologies}::VARCHAR AS technologies)"
    assert duckdb.sql(f"SELECT fit_score FROM ({compile_scoring_sql(icp(), table)})").fetchall() == [(score,)]


def change(verdict: str, **fields: object) -> AttributeChange:
    moved = BinChange(
        "11..51", "11-50", 0.3, 0.28, Estimate(1.62, 1.4, 1.9), Estimate(0.61, 0.4, 0.9), Estimate(0.38, 0.25, 0.57)
    )
    values = {"p_value": 0.2, "q_value": 0.6, "is_mix_driven": False, "detectable": 1.8, "bins": (moved,), **fields}
    return AttributeChange("employees", "Company size", "firmographic", "fit", verdict, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (change("changed"), "Company size: changed, 11-50 from ×1.62 to ×0.61 the average odds."),
        (change("stable"), "Company size: stable, every larger group within ×1.5 of what it was."),
        (
            change("no evidence"),
            "Company size: no evidence of a change; its odds would have had to move ×1.8 to be seen.",
        ),
        (
            change("cannot tell at this n", detectable=5.0, detectable_share=ShareMove("11-50", 0.3, 0.55)),
            "Company size: cannot tell at this n; its odds would have had to move ×5.0 to be seen, "
            "which would take 11-50 from 30% to 55% of the wins.",
        ),
        (
            change("no evidence", is_mix_driven=True),
            "Company size: differs only because the mix of accounts does, not who wins among like accounts.",
        ),
        (
            change("cannot tell at this n", detectable=None, reason="known for 3 of 800 opportunities"),
            "Company size: cannot tell at this n, known for 3 of 800 opportunities.",
        ),
    ],
)
def test_every_verdict_has_its_words(found: AttributeChange, words: str) -> None:
    assert attribute_sentence(found) == words


def test_a_segment_is_told_with_its_counts_and_interval() -> None:
    rate = Estimate(0.4, 0.28, 0.53)
    segment = EnteringSegment("industry", "Industry", "Biotech", 0.002, 0.07, 60, 24, rate, 0.2, 0.01, True)
    assert segment_sentence(segment) == (
        "Industry Biotech entered: 7% of the outcomes after 0.2% before, 24 of 60 won (28% to 53%; the others 20%)."
    )


def test_a_criterion_that_fades_is_not_called_a_change_of_the_market() -> None:
    assert membership_sentence(MembershipChange("x", "Uses aws", "leaves", "evidence faded", True)) == (
        "Uses aws leaves the ICP (evidence faded: nothing shows that the market moved, but its effect can no longer be shown)."
    )
