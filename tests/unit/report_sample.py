"""A believable quarter of a believable company, for the tests of what is published about one."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from icp.approval import Approval
from icp.backtest import Backtest, Calibration, Rival, TierResult
from icp.diff_words import verdict_sentence
from icp.profile import (
    Attribute,
    AttributeTest,
    Bin,
    BinDictionary,
    BinEffect,
    Criterion,
    Estimate,
    Family,
    Grade,
    Profile,
    Scorecard,
    Tier,
)
from icp.report import Exclusion, ReportData, ReportMeta, SourceAge
from icp.shift_words import shift_sentence
from icp.tier_lists import movers, tier_names
from icp.track_record import TrackedQuarter
from icp.verdicts import (
    AttributeChange,
    BinChange,
    BinShift,
    CriterionShift,
    Decomposition,
    EnteringSegment,
    MembershipChange,
    ProfileDiff,
    ShareMove,
    ShiftPart,
    Verdict,
)

WINDOW = ("2024Q4", "2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1", "2026Q2", "2026Q3")
BASE = 0.243
UNIVERSE = 30_112

# attribute, label, family, [(bin, odds now, odds before, share, points)]
Shape = tuple[str, str, Family, list[tuple[str, float, float, float, int]]]
SIZE: Shape = (
    "employees",
    "Employees",
    "firmographic",
    [
        ("1–10", 0.46, 0.50, 0.14, 0),
        ("11–50", 0.78, 0.74, 0.22, 8),
        ("51–200", 1.42, 1.86, 0.26, 18),
        ("201–500", 1.91, 1.12, 0.16, 22),
        ("501–1,000", 1.08, 1.02, 0.10, 13),
        ("1,001 and more", 0.71, 0.75, 0.08, 7),
        ("not known", 0.92, 0.95, 0.04, 10),
    ],
)
INDUSTRY: Shape = (
    "industry",
    "Industry",
    "firmographic",
    [
        ("Financial technology", 1.88, 1.81, 0.15, 20),
        ("Software", 1.31, 1.36, 0.24, 14),
        ("Healthcare", 0.98, 1.03, 0.13, 9),
        ("Retail", 0.61, 0.58, 0.17, 1),
        ("Manufacturing", 0.70, 0.72, 0.14, 3),
        ("other", 0.94, 0.92, 0.12, 8),
        ("not known", 0.88, 0.97, 0.05, 7),
    ],
)
SNOWFLAKE: Shape = (
    "technologies=snowflake",
    "Uses Snowflake",
    "technographic",
    [("yes", 1.74, 1.69, 0.19, 15), ("no", 0.86, 0.87, 0.66, 0), ("not known", 0.99, 1.0, 0.15, 4)],
)
COMPETITOR: Shape = (
    "technologies=rivalbase",
    "Uses Rivalbase (competitor)",
    "technographic",
    [("yes", 0.57, 0.60, 0.09, 0), ("no", 1.05, 1.04, 0.76, 10), ("not known", 0.99, 1.0, 0.15, 9)],
)
AGE: Shape = (
    "company_age_years",
    "Company age",
    "firmographic",
    [
        ("under 3 years", 0.72, 0.75, 0.13, 0),
        ("3–7 years", 1.26, 1.24, 0.31, 10),
        ("8–15 years", 1.12, 1.10, 0.29, 8),
        ("16 years and more", 0.83, 0.85, 0.20, 2),
        ("not known", 0.97, 0.96, 0.07, 5),
    ],
)
MATURITY: Shape = (
    "technology_maturity",
    "Technology maturity",
    "technographic",
    [
        ("low", 0.81, 0.80, 0.31, 0),
        ("middle", 1.04, 1.05, 0.36, 4),
        ("high", 1.22, 1.24, 0.22, 7),
        ("not known", 0.95, 0.96, 0.11, 3),
    ],
)
VISITS: Shape = (
    "visits_30d",
    "Website visits, 30 days",
    "behavioural",
    [("none", 0.70, 0.72, 0.55, 0), ("1–4", 1.21, 1.2, 0.28, 45), ("5 and more", 2.35, 2.2, 0.17, 100)],
)
FIT = (SIZE, INDUSTRY, SNOWFLAKE, COMPETITOR, AGE, MATURITY)


def odds_estimate(odds: float, opportunities: float) -> Estimate:
    half = 1.96 / math.sqrt(max(opportunities, 4) * BASE * (1 - BASE))
    return Estimate(odds, odds * math.exp(-half), odds * math.exp(half))


def lift_estimate(odds: Estimate) -> Estimate:
    def lift(ratio: float) -> float:
        chance = ratio * BASE / (1 - BASE)
        return chance / (1 + chance) / BASE

    return Estimate(lift(odds.value), lift(odds.low), lift(odds.high))


def criterion(
    shape: Shape, opportunities: int, *, before: bool, grade: Grade = "confirmed", headline: bool = True
) -> Criterion:
    attribute, label, family, rows = shape
    bins = tuple(_effect(row, opportunities, before=before) for row in rows)
    return Criterion(attribute, label, family, grade, 2e-6, 4e-5, 0.41, bins, "2025Q1", headline)


def _effect(row: tuple[str, float, float, float, int], opportunities: int, *, before: bool) -> BinEffect:
    label, now, past, share, points = row
    n = round(opportunities * share)
    odds = odds_estimate(past if before else now, n)
    stance = "in" if odds.low > 1 else "out" if odds.high < 1 else "neutral"
    wins = round(n * min(BASE * lift_estimate(odds).value, 1))
    moved = points + (4 if before and label == "51–200" else -6 if before and label == "201–500" else 0)
    key = label.replace(" ", "_")
    return BinEffect(key, label, odds, lift_estimate(odds), 0.97, moved, wins, n, round(UNIVERSE * share), stance)


def rate(wins: int, opportunities: int) -> Estimate:
    share, z2 = wins / opportunities, 1.96**2
    centre = (share + z2 / (2 * opportunities)) / (1 + z2 / opportunities)
    half = (
        1.96 * math.sqrt(share * (1 - share) / opportunities + z2 / (4 * opportunities**2)) / (1 + z2 / opportunities)
    )
    return Estimate(share, centre - half, centre + half)


def tiers(opportunities: int, shares: dict[str, tuple[int, int, float, float]]) -> tuple[Tier, ...]:
    built = []
    for name, (floor, accounts, share, win_rate) in shares.items():
        n = round(opportunities * share)
        estimate = rate(round(n * win_rate), n)
        lift = Estimate(estimate.value / BASE, estimate.low / BASE, estimate.high / BASE)
        is_supported = estimate.low > BASE or estimate.high < BASE
        built.append(Tier(name, floor, accounts, n, round(n * win_rate), estimate, lift, is_supported))
    return tuple(built)


TIER_SHARES = {
    "A": (71, 1_506, 0.11, 0.452),
    "B": (58, 4_517, 0.21, 0.331),
    "C": (44, 9_034, 0.31, 0.236),
    "D": (0, 15_055, 0.37, 0.127),
}
TIER_SHARES_BEFORE = {name: (f - 1, n, s, r + 0.012) for name, (f, n, s, r) in TIER_SHARES.items()}

NOT_CONFIRMED: list[tuple[str, str, Family, Grade, float | None, float | None, float, str]] = [
    ("region", "Region", "firmographic", "provisional", 0.041, 0.13, 0.98, ""),
    ("technologies=kafka", "Uses Kafka", "technographic", "provisional", 0.08, 0.22, 0.85, ""),
    ("country", "Country", "firmographic", "not_confirmed", 0.34, 0.61, 0.96, ""),
    ("technology_count", "Number of technologies", "technographic", "not_confirmed", 0.47, 0.66, 0.85, ""),
    ("technologies=aws", "Uses AWS", "technographic", "not_confirmed", 0.58, 0.7, 0.85, ""),
    ("annual_revenue", "Annual revenue", "firmographic", "not_confirmed", 0.72, 0.8, 0.61, "explained by employees"),
    (
        "attr_funding",
        "Funding stage",
        "firmographic",
        "not_enough_evidence",
        None,
        None,
        0.08,
        "filled for 8.0% of opportunities",
    ),
    (
        "technologies=cobol",
        "Uses COBOL",
        "technographic",
        "not_enough_evidence",
        None,
        None,
        0.85,
        "11 opportunities have it",
    ),
]


def tests(opportunities: int) -> tuple[AttributeTest, ...]:
    wins = round(opportunities * BASE)
    confirmed = [
        AttributeTest(name, label, family, "fit", "confirmed", 2e-6, 4e-5, 0.41, 0.96, opportunities, wins)
        for name, label, family, _ in FIT
    ]
    rest = [
        AttributeTest(
            name, label, family, "fit", grade, p, q, 0.05, cover, round(opportunities * cover), round(wins * cover), why
        )
        for name, label, family, grade, p, q, cover, why in NOT_CONFIRMED
    ]
    return (*confirmed, *rest)


def bins() -> BinDictionary:
    shapes = (*FIT, VISITS)
    attributes = tuple(Attribute(name, "category", family, label) for name, label, family, _ in shapes)
    return BinDictionary(
        "2024Q4",
        attributes,
        {shape[0]: tuple(Bin(row[0].replace(" ", "_"), row[0]) for row in shape[3]) for shape in shapes},
    )


def profile(quarter: str = "2026Q3", *, before: bool = False) -> Profile:
    opportunities = 5_904 if before else 6_712
    wins = round(opportunities * BASE)
    fit = tuple(criterion(shape, opportunities, before=before) for shape in FIT[:5])
    fit += (criterion(MATURITY, opportunities, before=before, headline=False),)
    return Profile(
        icp="main",
        quarter=quarter,
        state="derived",
        derived_in=quarter,
        window=WINDOW[:-1] if before else WINDOW,
        opportunities=opportunities,
        wins=wins,
        base_rate=rate(wins, opportunities),
        bins=bins(),
        fit=Scorecard("fit", -2.61, 0.0291, fit),
        intent=Scorecard("intent", -1.4, 0.012, (criterion(VISITS, opportunities, before=before),)),
        tiers=tiers(opportunities, TIER_SHARES_BEFORE if before else TIER_SHARES),
        intent_levels=(20, 60),
        tests=tests(opportunities),
        paragraph=(
            "Companies with 51–500 employees in financial technology or software, three to fifteen years old, that "
            "run Snowflake. Accounts that use Rivalbase, have ten employees or fewer, or are in retail or "
            "manufacturing win less than average."
        ),
        change_points={} if before else {"employees": "2026Q3"},
        notes=("Outcomes of 2026Q3 that closed in its last five days may still be corrected.",),
    )


def kept(candidate: Profile) -> Profile:
    return replace(candidate, state="kept", derived_in="2026Q2")


def migration() -> pd.DataFrame:
    moves = {
        "ICP changed": {"AB": 133, "AD": 2, "BA": 208, "BC": 301, "CB": 322, "CD": 288, "DC": 331},
        "account changed": {"AB": 21, "BA": 44, "BC": 39, "CB": 58, "CD": 61, "DC": 72},
        "both": {"AC": 6, "BA": 9, "BD": 4, "CA": 11, "DB": 14},
        "unchanged": {"AA": 1_201, "BB": 3_876, "CC": 8_204, "DD": 14_507},
        "new account": {"-A": 33, "-B": 84, "-C": 120, "-D": 163},
    }
    rows = [
        (None if path[0] == "-" else path[0], path[1], cause, number)
        for cause, paths in moves.items()
        for path, number in paths.items()
    ]
    return pd.DataFrame(rows, columns=["previous_tier", "tier", "migration_cause", "accounts"])


NAMES = (
    "Ridgeline Analytics",
    "Northwind Payments",
    "Blue Heron Health",
    "Cedar & Finch",
    "Quarto Logistics",
    "Ångström Labs",
)
HOSTILE_NAMES = (
    "</script><script>alert(1)</script>",
    '=HYPERLINK("http://example.com","click")',
    "\u202eevil\u202c \u200bInc\u2066",
    "X" * 10_000,
    "<img src=x onerror=alert(1)>",
    "{{ 7*7 }} {% raw %}",
)


def accounts(names: tuple[str, ...] = NAMES) -> pd.DataFrame:
    n = len(names)
    return pd.DataFrame(
        {
            "account_id": [f"acc-{i:04d}" for i in range(n)],
            "account_name": names,
            "company_domain": [f"example-{i}.com" for i in range(n)],
            "is_customer": [i % 3 == 2 for i in range(n)],
            "fit_score": [88, 49, 61, 12, 74, 31],
            "intent_score": [10 * i for i in range(n)],
            "tier": ["A", "C", "B", "D", "A", "D"],
            "is_icp_qualified": [True, False, True, False, True, False],
            "priority": ["A1", "C2", "B3", "D1", "A2", "D3"],
            "win_probability": [0.42 - 0.05 * i for i in range(n)],
            "reasons": ["201–500 employees (+11); uses Snowflake (+9); Industry Software (+4)"] * n,
            "previous_fit_score": pd.array([47, 72, 50, 60, 63, None], dtype="Int64"),
            "previous_tier": ["C", "A", "C", "B", "B", None],
            "migration_cause": ["both", "ICP changed", "account changed", "both", "ICP changed", "new account"],
            "industry": ["Software"] * n,
        }
    )


def coverage() -> pd.DataFrame:
    rows = [
        ("employees", "Employees", "firmographic", 0.958, 0.931, 0.412),
        ("industry", "Industry", "firmographic", 0.949, 0.922, 0.387),
        ("country", "Country", "firmographic", 0.961, 0.953, 0.371),
        ("technologies", "Technologies", "technographic", 0.851, 0.794, 0.0),
        ("annual_revenue", "Annual revenue", "firmographic", 0.612, 0.548, 0.655),
        ("visits_30d", "Website visits, 30 days", "behavioural", 1.0, 1.0, 0.0),
        ("attr_funding", "Funding stage", "firmographic", 0.080, 0.064, 1.0),
    ]
    return pd.DataFrame(
        rows, columns=["attribute", "label", "family", "filled_share", "universe_filled_share", "backfilled_share"]
    )


def bin_change(row: tuple[str, float, float, float, int]) -> BinChange:
    label, now, past, share, _ = row
    ratio = now / past
    half = 1.96 * math.sqrt(1 / (850 * share * BASE * (1 - BASE)) + 1 / (5_900 * share * BASE * (1 - BASE)))
    change = Estimate(ratio, ratio * math.exp(-half), ratio * math.exp(half))
    before, after = odds_estimate(past, 5_900 * share), odds_estimate(now, 850 * share)
    return BinChange(label.replace(" ", "_"), label, share, share * 1.04, before, after, change)


def attribute_change(shape: Shape, verdict: Verdict, q_value: float, reason: str = "") -> AttributeChange:
    name, label, family, rows = shape
    moved = tuple(bin_change(row) for row in rows)
    detectable = 1.38 if len(rows) == 3 else 1.62
    return AttributeChange(name, label, family, "fit", verdict, q_value / 4, q_value, False, detectable, moved, reason)


def diff() -> ProfileDiff:
    quarter = _diff()
    return replace(quarter, sentence=verdict_sentence(quarter, profile()))


def _diff() -> ProfileDiff:
    entering = EnteringSegment(
        "industry", "Industry", "Climate technology", 0.004, 0.041, 35, 16, rate(16, 35), 0.24, 0.012, True
    )
    return ProfileDiff(
        icp="main",
        before_quarter="2026Q2",
        quarter="2026Q3",
        outcome="changed",
        sentence="",
        opportunities=853,
        wins=209,
        criteria=6,
        detectable=1.62,
        attributes=(
            attribute_change(SIZE, "changed", 0.0004),
            attribute_change(INDUSTRY, "no evidence", 0.31),
            attribute_change(SNOWFLAKE, "stable", 0.62),
            attribute_change(COMPETITOR, "cannot tell at this n", 0.44, "77 opportunities have it"),
            attribute_change(AGE, "stable", 0.81),
            attribute_change(MATURITY, "no evidence", 0.55),
        ),
        entering=(entering,),
        memberships=(MembershipChange("region", "Region", "enters", "evidence gained", False),),
        change_points={"employees": "2026Q3", "industry": "2026Q3"},
        detectable_share=ShareMove("", 1 / 3, 0.43),
        decomposition=decomposition(),
    )


def decomposition() -> Decomposition:
    """Company size moved for both reasons, industry for none that could be shown."""
    parts = (
        ShiftPart("mix", Estimate(0.021, -0.012, 0.054), False),
        ShiftPart("effect", Estimate(0.112, 0.061, 0.163), True),
        ShiftPart("level", Estimate(-0.003, -0.008, 0.002), False),
    )
    moved = BinShift("201–500", "201–500", 0.18, 0.31, 0.15, 0.16, Estimate(0.13, 0.07, 0.19), parts)
    size = CriterionShift("employees", "Employees", ("effect",), "", (moved,))
    industry = CriterionShift("industry", "Industry", (), "", ())
    told = replace(size, sentence=shift_sentence(size, attribute_change(SIZE, "changed", 0.0004)))
    return Decomposition(734, 209, (told, industry))


def no_change() -> ProfileDiff:
    quiet = tuple(replace(a, verdict="stable") if a.verdict == "changed" else a for a in diff().attributes)
    quarter = replace(diff(), outcome="no evidence", attributes=quiet, entering=(), memberships=())
    return replace(quarter, sentence=verdict_sentence(quarter, profile()))


def first_diff() -> ProfileDiff:
    return ProfileDiff(
        "main", None, "2024Q4", "first profile", "First profile: 6 criteria.", 853, 209, 6, None, (), (), ()
    )


def backtest() -> Backtest:
    promised = {"A": (94, 0.415), "B": (182, 0.308), "C": (266, 0.229), "D": (311, 0.151)}
    won = {name: round(n * share) for name, (n, share) in promised.items()}
    tier_results = tuple(
        TierResult(name, TIER_SHARES[name][0], n, won[name], rate(won[name], n),
                   Estimate(share / BASE, share / BASE - 0.3, share / BASE + 0.3), rate(won[name], sum(won.values())), None)
        for name, (n, share) in promised.items()
    )  # fmt: skip
    return Backtest(
        icp="main",
        profile_quarter="2026Q2",
        quarter="2026Q3",
        opportunities=853,
        wins=209,
        sentence="The ICP of 2026Q2 ranked the outcomes of 2026Q3 better than chance and than company size alone.",
        auc=Estimate(0.655, 0.612, 0.695),
        calibration=Calibration(Estimate(-0.04, -0.2, 0.12), Estimate(0.82, 0.61, 1.03), 214.2, 0.021, 0.024),
        tiers=tier_results,
        rivals=(
            Rival("candidate", Estimate(0.661, 0.619, 0.7), Estimate(-0.006, -0.021, 0.009), 0.43),
            Rival("size only", Estimate(0.58, 0.541, 0.618), Estimate(0.075, 0.041, 0.109), 0.0001),
            Rival("random", Estimate(0.5, 0.5, 0.5), Estimate(0.155, 0.112, 0.198), 1e-9),
        ),
    )


def past_quarter(quarter: str, auc: float) -> TrackedQuarter:
    return TrackedQuarter(
        quarter, "2024Q4", 850, 210, Estimate(auc, auc - 0.041, auc + 0.039), 205.5, 90, 36,
        Estimate(auc - 0.58, auc - 0.62, auc - 0.54), None,
    )  # fmt: skip


def meta(decision: str = "held") -> ReportMeta:
    approval = Approval("held", "icp.yml asks for a person's approval")
    return ReportMeta(
        company="Lumenworks",
        as_of="2026-10-05",
        revision="r1",
        approval=approval if decision == "held" else Approval("approved", "not credibly worse than the ICP in force"),
        inputs_hash="4be1" * 16,
        config_hash="9f03" * 16,
        code_hash="c7d2" * 16,
        sources=(SourceAge("crm", "2026-10-04", 1, 61_234), SourceAge("technographics", "2026-09-28", 7, 412_003)),
        exclusions=(
            Exclusion("Opportunities of deleted accounts", 31, "the account is gone, so nothing is known about it"),
            Exclusion("Duplicate companies, merged", 412, "same registrable domain; the oldest record survives"),
        ),
        history=tuple(
            past_quarter(quarter, auc)
            for quarter, auc in zip(WINDOW[1:], (0.66, 0.684, 0.671, 0.69, 0.702, 0.698, 0.655), strict=True)
        ),
    )


def report_data(names: tuple[str, ...] = NAMES) -> ReportData:
    now = profile()
    return ReportData(
        profile=now,
        diff=diff(),
        meta=meta(),
        incumbent=profile("2026Q2", before=True),
        migration=migration(),
        movers=movers(accounts(names), tier_names(now)),
        coverage=coverage(),
        backtest=backtest(),
    )
