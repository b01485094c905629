"""The shape of one ICP in icp.yml: whom it speaks of, what a good outcome is, how it is approved and watched."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from icp.config_base import Name, Scalar, Section
from icp.profile import Family


class RequireSection(Section):
    """What a good customer must have shown within the horizon after the win; all of it."""

    min_gross_margin: float | None = None
    min_revenue: float | None = None
    min_tenure_months: Annotated[float, Field(gt=0)] | None = None
    min_expansion: Annotated[float, Field(gt=0)] | None = None
    not_churned: Literal[True] | None = None
    repeat: Literal[True] | None = None
    min_nps: Annotated[float, Field(ge=0, le=10)] | None = None
    min_csat: float | None = None
    min_cs_rating: float | None = None
    weight: Annotated[float, Field(gt=0)] | None = None

    @property
    def rules(self) -> list[str]:
        """The rules this entry names."""
        return list(self.model_dump(exclude_none=True, exclude={"weight"}))

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.rules:
            raise ValueError("an entry of `require` names a rule, such as `not_churned: true`")
        if self.weight is not None and len(self.rules) > 1:
            raise ValueError("`weight` is that of one rule: give each rule an entry of its own")
        return self


class LabelSection(Section):
    """What counts as a good outcome: a won deal, one that brought a good customer, or being among the best customers.

    `contrast` is what good outcomes are compared with: `auto` takes lost deals, or all accounts where too few are recorded.
    `horizon_quarters` is how long after the win a good customer is judged (4), or how long best customers are (1).
    `at_least` is the weight of the rules of `require` it takes (all without it; every rule weighs 1 unless it says so).
    `pins` is a file of customers a person has judged, `best_customers` how many good customers are listed.
    """

    kind: Literal["won", "good_customer", "best_customer"] = "won"
    measure: Literal["revenue", "gross_margin"] = "revenue"
    top_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    horizon_quarters: Annotated[int, Field(ge=1, le=8)] | None = None
    require: tuple[RequireSection, ...] = ()
    at_least: Annotated[float, Field(gt=0)] | None = None
    pins: Annotated[str, Field(min_length=1)] | None = None
    best_customers: Annotated[int, Field(ge=1, le=10_000)] | None = None
    contrast: Literal["auto", "won_or_lost", "customer_or_not"] = "auto"

    @property
    def horizon(self) -> int:
        """Quarters until an outcome is known in full."""
        return self.horizon_quarters or (1 if self.kind == "best_customer" else 4)

    @model_validator(mode="after")
    def _rules_fit(self) -> Self:
        if bool(self.require) != (self.kind == "good_customer"):
            raise ValueError(
                "`require` says what a good customer is: give it with `kind: good_customer`, and only then"
            )
        self._weights_fit()
        for rule in self.require:
            if rule.min_expansion is not None and self.horizon < 2:
                raise ValueError("`min_expansion` compares quarters: it needs `horizon_quarters` of 2 or more")
            if (rule.min_tenure_months or 0) > 3 * self.horizon:
                raise ValueError(
                    f"`min_tenure_months: {rule.min_tenure_months:g}` can never be reached within a horizon of "
                    f"{3 * self.horizon} months; lengthen `horizon_quarters`"
                )
        return self

    def _weights_fit(self) -> None:
        if self.best_customers is not None and self.kind != "good_customer":
            raise ValueError("`best_customers` lists those who met the rules of `require`: use `kind: good_customer`")
        if self.pins is not None and self.kind == "best_customer":
            raise ValueError("`pins` judge won deals: use `kind: won` or `good_customer`")
        total = sum((entry.weight or 1.0) * len(entry.rules) for entry in self.require)
        if self.at_least is None:
            if any(entry.weight is not None for entry in self.require):
                raise ValueError("`weight` counts towards `at_least`: say how much weight a good customer needs")
        elif self.at_least > total + 1e-9:
            raise ValueError(f"`at_least: {self.at_least:g}` can never be reached: the rules weigh {total:g} together")
        elif len({name for entry in self.require for name in entry.rules}) < sum(len(e.rules) for e in self.require):
            raise ValueError("with `at_least` a rule may be named once only")


class ApprovalSection(Section):
    """Whether a candidate becomes the ICP by itself or waits for a person, and for how long it waits.

    In mode "auto" a candidate is held as well when more than `most_tier_moves` (a share of the accounts that have a tier
    before and after) change tier, or, with `hold_on_warnings`, when a gate warned. After `deadline_days` without an answer
    a held candidate lapses: the ICP in force stays.
    """

    mode: Literal["auto", "ask"] = "auto"
    most_tier_moves: Annotated[float, Field(ge=0, le=1)] | None = None
    hold_on_warnings: bool = False
    deadline_days: Annotated[int, Field(ge=1, le=90)] | None = 14


class ValueSection(Section):
    """Whether what a win is worth is estimated beside who wins: P(win) x value of a win, or left out."""

    kind: Literal["two_part", "none"] = "two_part"


class MinimumSection(Section):
    """Fewest outcomes a profile may be derived from."""

    wins: Annotated[int, Field(ge=1)] = 20
    losses: Annotated[int, Field(ge=1)] = 20


class MonitorSection(Section):
    """How often the weekly look between quarters may cry wolf, over everything watched together."""

    false_alarms_per_year: Annotated[float, Field(gt=0, le=2)] = 0.2


class LeakAuditSection(Section):
    """Attributes that look as if they knew the outcome, and that a person has looked at and vouches for."""

    accept: tuple[str, ...] = ()


class PopulationSection(Section):
    """Which values of one attribute are inside the population: names (`in`, `not_in`) or a range (`min`, `max`)."""

    in_: Annotated[tuple[Scalar, ...], Field(alias="in")] = ()
    not_in: tuple[Scalar, ...] = ()
    min: float | None = None
    max: float | None = None
    keep_unknown: bool = False

    @model_validator(mode="after")
    def _something(self) -> Self:
        has_range = self.min is not None or self.max is not None
        if has_range == bool(self.in_ or self.not_in):
            raise ValueError("give values (`in: [DE, FR]`, `not_in`) or a range (`min`, `max`), one of the two")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min: {self.min:g}` is above `max: {self.max:g}`: nobody can be inside")
        return self


def _population(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    return {"in": value if isinstance(value, list | tuple) else [value]}


PopulationOf = Annotated[
    PopulationSection, BeforeValidator(_population, json_schema_input_type=Scalar | list[Scalar] | PopulationSection)
]


class AttributesSection(Section):
    """Which attributes may become criteria of this ICP; nothing said means all."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()


class IcpSettings(Section):
    """One ICP: whom it speaks of, what it explains, from how much history, and how it is approved."""

    population: dict[Name, PopulationOf] = {}
    label: LabelSection = LabelSection()
    lookback_quarters: Annotated[int, Field(ge=1, le=40)] = 8
    attributes: AttributesSection = AttributesSection()
    exclude_attributes: tuple[str, ...] = ()
    tiers: dict[str, Annotated[float, Field(gt=0, lt=1)]] = {"A": 0.05, "B": 0.15, "C": 0.30}
    qualified_tiers: Annotated[tuple[Literal["A", "B", "C"], ...], Field(min_length=1)] = ("A", "B")
    approval: ApprovalSection = ApprovalSection()
    minimum: MinimumSection = MinimumSection()
    value: ValueSection = ValueSection()
    hypotheses: Annotated[str | None, Field(min_length=1)] = None
    personas: Annotated[str | None, Field(min_length=1)] = None
    case_studies: Annotated[str | None, Field(min_length=1)] = None
    survey: Annotated[str | None, Field(min_length=1)] = None
    monitor: MonitorSection = MonitorSection()
    leak_audit: LeakAuditSection = LeakAuditSection()

    @field_validator("tiers")
    @classmethod
    def _leave_a_rest(cls, tiers: dict[str, float]) -> dict[str, float]:
        if list(tiers) != ["A", "B", "C"]:
            raise ValueError("name the tiers A, B and C, in this order; D is the rest")
        if sum(tiers.values()) >= 1:
            raise ValueError(f"the tiers' shares add up to {sum(tiers.values()):g}; they must leave a rest below 1")
        return tiers
