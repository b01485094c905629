"""What was planted: the true ICP of the demo company, in log-odds, and the quarter each effect starts to hold.

A deal that closes in quarter q is won with the log-odds of that quarter: an intercept plus one number per attribute
and bin. Everything not named here has no effect at all. Sizes are what a careful analyst would call real: the visible
changes have at least 95 % power at about 850 outcomes a quarter, the small one next to none (docs/method.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from icp.demo.timeline import QUARTERS, Flags, Floats, Ints
from icp.demo.vocabulary import BUSINESS_MODELS, COUNTRIES, INDUSTRIES

FIRST = QUARTERS[0]


@dataclass(frozen=True)
class PlantedAttribute:
    """An attribute that truly matters, and how much each of its bins moves the log-odds of winning.

    `effects` maps the first quarter a set of effects holds in to one number per bin. Numeric bins start at `lower`.
    """

    name: str
    kind: Literal["numeric", "category", "flag"]
    axis: Literal["fit", "intent"]
    bins: tuple[str, ...]
    effects: Mapping[str, tuple[float, ...]]
    lower: tuple[float, ...] = ()

    def effects_in(self, quarter: str) -> tuple[float, ...]:
        """The log-odds of every bin for deals that close in `quarter`."""
        return self.effects[max(start for start in self.effects if start <= quarter)]

    def bin_of(self, values: NDArray[np.generic]) -> NDArray[np.int64]:
        """Index of the bin each value falls in; flags and categories come as indices already."""
        if self.kind == "numeric":
            return np.searchsorted(np.array(self.lower), values, side="right").astype(np.int64) - 1
        return values.astype(np.int64)

    def log_odds(self, values: NDArray[np.generic], quarter: str) -> Floats:
        """What this attribute adds to the log-odds of each deal."""
        return np.array(self.effects_in(quarter), dtype=np.float64)[self.bin_of(values)]


@dataclass(frozen=True)
class PlantedChange:
    """One change of the market between two quarters, and whether a year's data can show it."""

    quarter: str
    attribute: str
    what: Literal["criterion shifts", "segment enters", "attribute stops mattering", "too small to see"]
    visible: bool
    sentence: str
    segment: str = ""


@dataclass(frozen=True)
class Technology:
    """A technology companies use and how common it is.

    `capability` and `weight` repeat the dbt seed `technology_weights`; a technology without them counts for no
    maturity. A `demanding` one is run by mature companies far more often than by others.
    """

    name: str
    category: str
    share: float
    capability: str = ""
    weight: int = 0
    demanding: bool = False


def _category(names: tuple[str, ...], effects: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(effects.get(name, 0.0) for name in names)


_INDUSTRY = {"Computer Software": 0.6, "Financial Services": 0.5, "Internet": 0.4, "Construction": -0.9}
_YES_NO = ("no", "yes")

PLANTED: tuple[PlantedAttribute, ...] = (
    PlantedAttribute(
        "employees", "numeric", "fit",
        bins=("1-10", "11-50", "51-200", "201-500", "501-1000", "1001-5000", "5001+"),
        lower=(0, 11, 51, 201, 501, 1001, 5001),
        effects={
            FIRST: (-0.8, -0.2, 0.6, 0.5, -0.3, -0.6, -0.9),
            "2025Q2": (-0.8, -0.3, -0.5, 0.2, 0.9, 0.9, -0.4),
        },
    ),
    PlantedAttribute(
        "industry", "category", "fit", bins=INDUSTRIES,
        effects={
            FIRST: _category(INDUSTRIES, {**_INDUSTRY, "Hospital & Health Care": -0.3}),
            "2025Q4": _category(INDUSTRIES, {**_INDUSTRY, "Hospital & Health Care": 1.6}),
        },
    ),
    PlantedAttribute(
        "country", "category", "fit", bins=COUNTRIES,
        effects={FIRST: _category(COUNTRIES, {"US": 0.3, "GB": 0.5, "IN": -0.9})},
    ),
    PlantedAttribute(
        "attr_business_model", "category", "fit", bins=BUSINESS_MODELS,
        effects={FIRST: (0.8, 0.3, -0.5, -1.0), "2026Q2": (0.0, 0.0, 0.0, 0.0)},
    ),
    PlantedAttribute(
        "company_age_years", "numeric", "fit", bins=("under 6", "6-10", "11-20", "21 and more"), lower=(-99, 6, 11, 21),
        effects={FIRST: (-0.35, 0.35, 0.15, -0.3)},
    ),
    PlantedAttribute("technologies=snowflake", "flag", "fit", bins=_YES_NO, effects={FIRST: (0.0, 0.7)}),
    PlantedAttribute("technologies=segment", "flag", "fit", bins=_YES_NO, effects={FIRST: (0.0, 0.65)}),
    PlantedAttribute("technologies=wordpress", "flag", "fit", bins=_YES_NO, effects={FIRST: (0.0, -0.7)}),
    PlantedAttribute(
        "technologies=hubspot", "flag", "fit", bins=_YES_NO, effects={FIRST: (0.0, 0.5), "2026Q1": (0.0, 0.25)}
    ),
    PlantedAttribute(
        "technology_maturity", "numeric", "fit", bins=("0-1", "2-3", "4-7", "8 and more"), lower=(0, 2, 4, 8),
        effects={FIRST: (-0.35, -0.1, 0.3, 0.6)},
    ),
    PlantedAttribute(
        "visits_90d", "numeric", "intent", bins=("0", "1-2", "3-5", "6-11", "12 and more"), lower=(0, 1, 3, 6, 12),
        effects={FIRST: (-0.35, -0.1, 0.1, 0.35, 0.6)},
    ),
    PlantedAttribute(
        "key_events_90d", "numeric", "intent", bins=("0", "1", "2 and more"), lower=(0, 1, 2),
        effects={FIRST: (-0.1, 0.3, 0.5)},
    ),
)  # fmt: skip

CHANGES: tuple[PlantedChange, ...] = (
    PlantedChange(
        "2025Q2", "employees", "criterion shifts", True,
        "The enterprise edition moves the sweet spot from 51-500 to 501-5000 employees; 51-200 now loses.",
    ),
    PlantedChange(
        "2025Q4", "industry", "segment enters", True,
        "Health care, next to never worked before, becomes an eighth of the deals and wins strongly.",
        segment="Hospital & Health Care",
    ),
    PlantedChange(
        "2026Q1", "technologies=hubspot", "too small to see", False,
        "Using HubSpot helps a little less (0.25 in log-odds): no quarter of this size could show it.",
    ),
    PlantedChange(
        "2026Q2", "attr_business_model", "attribute stops mattering", True,
        "The self-service edition sells to every business model alike.",
    ),
)  # fmt: skip

TECHNOLOGIES: tuple[Technology, ...] = (
    Technology("Snowflake", "Data Warehouse", 0.22, "data warehouse", 3),
    Technology("Segment", "Customer Data Platform", 0.20, "customer data", 3),
    Technology("WordPress", "CMS", 0.24, "content", 1),
    Technology("HubSpot", "Marketing Automation", 0.22, "crm", 2),
    Technology("Kubernetes", "Containers", 0.17, "platform", 3, demanding=True),
    Technology("Terraform", "Infrastructure", 0.13, "platform", 3, demanding=True),
    Technology("Datadog", "Observability", 0.14, "observability", 3, demanding=True),
    Technology("Sentry", "Observability", 0.13, "observability", 2, demanding=True),
    Technology("dbt", "Data Transformation", 0.12, "data pipeline", 3, demanding=True),
    Technology("Airflow", "Orchestration", 0.11, "data pipeline", 3, demanding=True),
    Technology("Google Fonts", "Fonts", 0.28),
    Technology("jQuery", "JavaScript", 0.22),
    Technology("Bootstrap", "CSS", 0.16),
    Technology("reCAPTCHA", "Security", 0.14),
    Technology("Vimeo", "Video", 0.12),
    Technology("OneTrust", "Consent", 0.11),
    Technology("Cookiebot", "Consent", 0.09),
    Technology("Typeform", "Forms", 0.10),
    Technology("Calendly", "Scheduling", 0.09),
    Technology("Trustpilot", "Reviews", 0.08),
    Technology("Optimizely", "Experimentation", 0.06),
    Technology("Disqus", "Comments", 0.06),
    Technology("Gravatar", "Avatars", 0.05),
    Technology("Wistia", "Video", 0.05),
    Technology("Font Awesome", "Fonts", 0.05),
)

NOISE_ATTRIBUTES: tuple[str, ...] = (
    "region",
    "events_365d",
    "attr_crm_owner_team",
    "attr_fiscal_year_end_month",
    "attr_logo_style",
    "attr_office_count",
    "attr_has_parent_company",
    "sells_to",
    "operating_model",
    "ownership",
    "funding_stage",
    "funding_total",
    "months_since_funding",
    "is_subsidiary",
    "parent_is_customer",
    "events_attended_365d",
    "events_sponsored_365d",
    "uses_competitor",
    "evaluates_competitor",
    "dropped_competitor_90d",
    "is_referred",
    "investor_links",
    "customer_links",
    "best_customer_links",
    "contacts_known",
    "buying_role_count",
    "departments_known",
    "senior_contact_share",
)
"""Drawn independently of everything else: naming one of them a criterion is a false alarm."""

PROXIES: Mapping[str, str] = {
    "annual_revenue": "employees",
    "technology_count": "technology_maturity and the planted technologies",
    "employees_growth": "employees",
    "annual_revenue_growth": "employees",
    "site_traffic": "employees",
    "social_followers": "employees",
    "technology_spend": "employees",
    "has_own_domain": "visits_90d and the planted technologies",
    "visits_30d": "visits_90d",
    "visits_trend": "visits_90d",
    "key_events_30d": "key_events_90d",
    "key_events_trend": "key_events_90d",
    "pricing_views_90d": "visits_90d",
    "product_views_90d": "visits_90d",
    "content_views_90d": "visits_90d",
    "first_touch_channel": "visits_90d",
    "technology_capabilities": "technology_maturity",
    "technologies_added_90d": "technology_maturity",
    "technologies_added_365d": "technology_maturity",
    "technologies_dropped_90d": "technology_maturity",
    "technologies_dropped_365d": "technology_maturity",
    "lost_deals_before": "every planted attribute: who was turned down once was a weaker fit",
    "technologies=kubernetes": "technology_maturity",
    "technologies=terraform": "technology_maturity",
    "technologies=datadog": "technology_maturity",
    "technologies=dbt": "technology_maturity",
    "technologies=airflow": "technology_maturity",
    "technologies=sentry": "technology_maturity",
}
"""No effect of their own, but correlated with an attribute that has one: naming one is a near miss, not noise."""

WIN_RATES: Mapping[str, float] = dict(
    zip(QUARTERS, (0.195, 0.20, 0.205, 0.20, 0.20, 0.195, 0.20, 0.205, 0.215, 0.21, 0.205, 0.21), strict=True)
)
"""Expected win rate of each quarter: the intercept is set so, the effects above move deals around it."""


def planted(name: str) -> PlantedAttribute:
    """The planted attribute of that name."""
    return next(attribute for attribute in PLANTED if attribute.name == name)


def technology_maturity(in_use: Flags) -> Ints:
    """Sum over capabilities of the weight of the most advanced technology in use: the feature model's formula."""
    capabilities = sorted({t.capability for t in TECHNOLOGIES if t.capability})
    weights = np.array([t.weight for t in TECHNOLOGIES])
    best = [
        (in_use * weights * [t.capability == capability for t in TECHNOLOGIES]).max(axis=1)
        for capability in capabilities
    ]
    return np.asarray(np.sum(best, axis=0), dtype=np.int64)


def member_name(technology: str) -> str:
    """A technology's name as a set member: lower case, as the feature models write it."""
    return technology.lower()


def noise_technologies() -> tuple[str, ...]:
    """Technologies without any effect, direct or through maturity."""
    known = {attribute.name for attribute in PLANTED} | set(PROXIES)
    names = (f"technologies={member_name(t.name)}" for t in TECHNOLOGIES)
    return tuple(name for name in names if name not in known)


def log_odds(features: Mapping[str, NDArray[np.generic]], quarter: str) -> Floats:
    """Sum of all planted effects for deals that close in `quarter`, before the intercept."""
    parts = [attribute.log_odds(features[attribute.name], quarter) for attribute in PLANTED]
    return np.asarray(np.sum(parts, axis=0), dtype=np.float64)


@dataclass(frozen=True)
class QuarterTruth:
    """What happened in one quarter: deals decided, deals won, and the intercept that gave the win rate."""

    quarter: str
    opportunities: int
    wins: int
    intercept: float
