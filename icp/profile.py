"""The vocabulary of a profile: attributes, bins, criteria, tiers and the evidence for them.

Everything here is a frozen dataclass without behaviour beyond look-ups, so that a profile can be compared,
hashed, written to YAML and read back. Formulas live in `icp.stats` and `icp.derive`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["numeric", "category", "flag", "set", "segment"]
Family = Literal["firmographic", "technographic", "behavioural", "relationship"]
Axis = Literal["fit", "intent"]
Grade = Literal["confirmed", "provisional", "believed", "not_confirmed", "not_enough_evidence"]
Stance = Literal["in", "out", "neutral"]
ProfileState = Literal["derived", "kept", "no_icp", "hypotheses"]
Contrast = Literal["won_or_lost", "customer_or_not"]

MISSING = "missing"
OTHER = "other"
ZERO = "zero"
YES = "yes"
NO = "no"

UNSAID = {"unsaid": True}  # a field that is written down only where it says something


@dataclass(frozen=True)
class Condition:
    """One literal of a segment: the attribute is in one of these bins."""

    attribute: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Attribute:
    """One declared fact about an account that may become a criterion.

    `name` is the column of the feature frame. A `set` column holds `|`-delimited members ("|aws|snowflake|";
    "||" is "known to have none", null is "not known"); each common member becomes a candidate of its own,
    named `<column>=<member>`, with `source_column` and `member` set and kind "flag". A segment (kind "segment") has no
    column: it holds when all its `conditions` do, and was found on the outcomes up to `found_in` (`icp.segments`).
    """

    name: str
    kind: Kind
    family: Family
    label: str
    unit: str = ""
    cuts: tuple[float, ...] = ()
    description: str = ""
    source_column: str = ""
    member: str = ""
    conditions: tuple[Condition, ...] = ()
    found_in: str = ""

    @property
    def column(self) -> str:
        return self.source_column or self.name

    @property
    def axis(self) -> Axis:
        """Behaviour says what an account does now (intent); everything else says who it is (fit)."""
        return "intent" if self.family == "behavioural" else "fit"


@dataclass(frozen=True)
class Bin:
    """One state of an attribute: a half-open numeric range [lower, upper), a set of levels, or missing."""

    key: str
    label: str
    lower: float | None = None
    upper: float | None = None
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class BinDictionary:
    """The frozen states of every candidate, made once per ICP and reused so that quarters compare."""

    made_in: str
    attributes: tuple[Attribute, ...]
    bins: Mapping[str, tuple[Bin, ...]]

    def attribute(self, name: str) -> Attribute:
        return next(a for a in self.attributes if a.name == name)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class BinEffect:
    """What being in one bin does to the odds of winning, against the average account worked."""

    key: str
    label: str
    odds: Estimate
    lift: Estimate
    probability_above_average: float
    points: int
    wins: int
    opportunities: int
    accounts: int
    stance: Stance


@dataclass(frozen=True)
class Criterion:
    """One attribute of a scorecard with the evidence that it matters."""

    attribute: str
    label: str
    family: Family
    grade: Grade
    p_value: float
    q_value: float
    effect_sd: float
    bins: tuple[BinEffect, ...]
    since: str
    headline: bool = False


@dataclass(frozen=True)
class Disqualifier:
    """A state that speaks against an account strongly and surely: "not ICP" in words."""

    attribute: str
    key: str
    label: str
    odds: Estimate


@dataclass(frozen=True)
class Scorecard:
    """An additive points table, 0-100, with the line that turns points into a win probability."""

    axis: Axis
    intercept: float
    slope: float
    criteria: tuple[Criterion, ...]

    def criterion(self, attribute: str) -> Criterion | None:
        return next((c for c in self.criteria if c.attribute == attribute), None)


@dataclass(frozen=True)
class Tier:
    """A band of scores. `rate` and `lift` are out of fold; `is_supported` is False when the rate's interval
    covers the base rate, and such a band is not called a tier in words."""

    name: str
    min_score: int
    accounts: int
    opportunities: int
    wins: int
    rate: Estimate
    lift: Estimate
    is_supported: bool
    value_per_win: Estimate | None = None


@dataclass(frozen=True)
class AttributeTest:
    """The verdict on one candidate, in the score or not: the row behind "is this attribute real?"."""

    attribute: str
    label: str
    family: Family
    axis: Axis
    grade: Grade
    p_value: float | None
    q_value: float | None
    effect_sd: float | None
    coverage: float
    opportunities: int
    wins: int
    reason: str = ""


@dataclass(frozen=True)
class ValueEffect:
    """What being in one bin does to the value of a win, against the average win; `wins` are those with a value."""

    key: str
    label: str
    multiplier: Estimate
    wins: int


@dataclass(frozen=True)
class ValueDriver:
    """One attribute that moves the value of a win: confirmed, or provisional beside a confirmed one."""

    attribute: str
    label: str
    grade: Grade
    p_value: float
    q_value: float
    effect_sd: float
    bins: tuple[ValueEffect, ...]


@dataclass(frozen=True)
class Value:
    """What a win is worth: the second part of expected value = P(win) x value of a win.

    The expected value of a win of an account = `level` x the multiplier of its bin on every driver; without drivers it
    is `level` for everybody. `level` is in reporting currency at the newest quarter's level. `wins` counts won outcomes;
    `valued` those with a value above 0 (the rest are `missing` or `not_positive` and left out); `limited` values were so
    far from the rest that they count as one at the limit. `spread` is the sd of log value that drivers leave open.
    `win_error` is the standard error of an account's log odds of winning apart from the effects of its own bins: that of
    the level, and what attributes outside the score leave open between accounts. `noise_ratio` is how much larger the
    noise is than the residuals of the wins say that the drivers were chosen on.
    """

    derived_in: str
    wins: int
    valued: int
    missing: int
    not_positive: int
    limited: int
    level: Estimate
    spread: float
    win_error: float
    drivers: tuple[ValueDriver, ...]
    tests: tuple[AttributeTest, ...]
    notes: tuple[str, ...] = ()
    noise_ratio: float = field(default=1.0, metadata=UNSAID)


@dataclass(frozen=True)
class LabelRule:
    """What counted as won: the kind of label, how long after the win it is judged, a good customer's rules, in words.

    `at_least` is the weight of the rules a customer must meet (None: every rule) and `weights` are those that are not 1.
    `version` identifies what people decided by hand about single customers; empty when nothing was.
    """

    kind: Literal["won", "good_customer", "best_customer"] = "won"
    horizon: int = 0
    rules: Mapping[str, float] = field(default_factory=dict)
    words: str = "won against lost"
    at_least: float | None = field(default=None, metadata=UNSAID)
    weights: Mapping[str, float] = field(default_factory=dict, metadata=UNSAID)
    version: str = field(default="", metadata=UNSAID)

    def is_same_as(self, other: LabelRule) -> bool:
        """Whether both count the same outcomes as won."""
        return (self.kind, self.rules, self.words, self.version) == (
            other.kind,
            other.rules,
            other.words,
            other.version,
        )


@dataclass(frozen=True)
class Profile:
    """The ICP of one quarter, as code: what wins, how sure we are, and the points that score an account.

    `derived_in` is the quarter the points were last fitted in: a quiet quarter keeps them (state "kept").
    `change_points` maps an attribute to the quarter its effect was confirmed to have changed in.
    State "no_icp" means the data support no criterion; scorecards are then empty. State "hypotheses" means the points
    rest on what people believe (`icp.hypotheses`), no outcome confirms them yet, and no win probability is published.
    `fading` counts, per criterion, the quarters running in which its evidence could have been chance.
    `value` is None when nothing can be said about what a win is worth, or nobody asked. `label` is the rule the outcomes
    of its quarter were counted by, None in profiles of before it was recorded.
    `contrast` says what was compared: won with lost deals or, where losses are not recorded, customers with accounts
    that are none (`icp.customers`). Then `opportunities` counts the accounts compared and `wins` the customers, odds are
    of being a customer, the base rate and tier rates are not known, and no win probability is published.
    """

    icp: str
    quarter: str
    state: ProfileState
    derived_in: str
    window: tuple[str, ...]
    opportunities: int
    wins: int
    base_rate: Estimate
    bins: BinDictionary
    fit: Scorecard
    intent: Scorecard
    tiers: tuple[Tier, ...]
    intent_levels: tuple[int, ...]
    tests: tuple[AttributeTest, ...]
    paragraph: str
    change_points: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fading: Mapping[str, int] = field(default_factory=dict)
    disqualifiers: tuple[Disqualifier, ...] = ()
    value: Value | None = None
    label: LabelRule | None = None
    contrast: Contrast = "won_or_lost"
    population: str = field(default="", metadata=UNSAID)

    @property
    def gives_probability(self) -> bool:
        """Whether outcomes say how often an account is won; otherwise the points only put accounts in order."""
        return self.state != "hypotheses" and self.contrast == "won_or_lost"

    def scorecard(self, axis: Axis) -> Scorecard:
        return self.fit if axis == "fit" else self.intent

    @property
    def headline_criteria(self) -> tuple[Criterion, ...]:
        return tuple(c for c in self.fit.criteria if c.headline)
