"""A made-up market with a known truth: what wins, and in which quarter that changes. Seeded; for tests of the core."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from icp.profile import Attribute

INDUSTRIES = ("Software", "Finance", "Health", "Retail", "Logistics", "Media", "Public", "Energy")
COUNTRIES = ("US", "GB", "DE", "FR", "NL")
TECHNOLOGIES = ("aws", "azure", "snowflake", "hubspot", "salesforce", "segment", "kafka", "looker")
SIZE_CUTS = (11.0, 51.0, 201.0, 501.0, 1001.0)
ATTRIBUTES = (
    Attribute("employees", "numeric", "firmographic", "Company size", cuts=SIZE_CUTS),
    Attribute("annual_revenue", "numeric", "firmographic", "Annual revenue", unit="USD", cuts=(1e6, 1e7, 5e7, 2e8)),
    Attribute("industry", "category", "firmographic", "Industry"),
    Attribute("country", "category", "firmographic", "Country"),
    Attribute("company_age_years", "numeric", "firmographic", "Company age", cuts=(3.0, 7.0, 15.0, 30.0)),
    Attribute("technologies", "set", "technographic", "Uses"),
    Attribute("technology_count", "numeric", "technographic", "Technologies in use", cuts=(2.0, 3.0, 5.0)),
    Attribute("is_partner_sourced", "flag", "relationship", "Came through a partner"),
    Attribute("noise_score", "numeric", "firmographic", "A number about nothing"),
    Attribute("noise_level", "category", "firmographic", "A level of nothing"),
    Attribute("visits_30d", "numeric", "behavioural", "Visits in 30 days", cuts=(1.0, 5.0, 20.0)),
)
SIZE_EFFECTS = np.array([-0.8, 0.0, 0.7, 0.5, -0.2, -0.6])

LogOdds = Callable[[pd.DataFrame], "np.ndarray"]


def size_band(frame: pd.DataFrame) -> np.ndarray:
    """Number of the size band, 0 to 5; accounts of unknown size sit in the second."""
    return np.searchsorted(SIZE_CUTS, frame["employees"].fillna(20).to_numpy(), side="right")


def usual_log_odds(frame: pd.DataFrame) -> np.ndarray:
    """What wins in a quiet quarter: mid-sized software and finance companies that use snowflake and visit the site."""
    eta = SIZE_EFFECTS[size_band(frame)]
    eta = eta + frame["industry"].map({"Software": 0.6, "Finance": 0.4, "Public": -0.7}).fillna(0.0).to_numpy()
    eta = eta + 0.6 * frame["technologies"].fillna("").str.contains("|snowflake|", regex=False).to_numpy()
    return eta + 0.3 * (frame["visits_30d"].to_numpy() >= 5)


def flipped_size(frame: pd.DataFrame) -> np.ndarray:
    """The same, except that the size bands have turned round."""
    return usual_log_odds(frame) - 2 * SIZE_EFFECTS[size_band(frame)]


def make_accounts(count: int, rng: np.random.Generator, software_share: float = 0.2) -> pd.DataFrame:
    """Accounts as they come: skewed sizes, revenue that follows size, gaps, a set of technologies."""
    employees = np.exp(rng.normal(4.2, 1.6, count)).round() + 1
    shares = np.array([software_share, *[(1 - software_share) / 7] * 7])
    revenue = employees * np.exp(rng.normal(11.5, 0.6, count))
    uses = rng.random((count, len(TECHNOLOGIES))) < np.array([0.5, 0.3, 0.25, 0.3, 0.35, 0.12, 0.08, 0.2])
    frame = pd.DataFrame(
        {
            "employees": np.where(rng.random(count) < 0.08, np.nan, employees),
            "annual_revenue": np.where(rng.random(count) < 0.2, np.nan, revenue),
            "industry": rng.choice(INDUSTRIES, count, p=shares),
            "country": rng.choice(COUNTRIES, count, p=[0.5, 0.2, 0.15, 0.1, 0.05]),
            "company_age_years": np.exp(rng.normal(2.2, 0.8, count)),
            "technologies": [f"|{'|'.join(np.array(TECHNOLOGIES)[row])}|" for row in uses],
            "technology_count": uses.sum(axis=1).astype(float),
            "is_partner_sourced": rng.random(count) < 0.15,
            "noise_score": rng.normal(0, 1, count),
            "noise_level": rng.choice(["red", "green", "blue"], count),
            "visits_30d": rng.poisson(rng.gamma(0.6, 8, count)).astype(float),
        }
    )
    frame.loc[rng.random(count) < 0.1, ["technologies", "technology_count"]] = [None, np.nan]
    return frame


def make_outcomes(
    quarters: Sequence[str],
    per_quarter: int,
    seed: int,
    *,
    win_rate: float = 0.2,
    log_odds: Callable[[str], LogOdds] | None = None,
    accounts: Callable[[str, int, np.random.Generator], pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """A label frame: `per_quarter` outcomes in each quarter, won with the log odds that hold in that quarter."""
    rng = np.random.default_rng(seed)
    parts = []
    for quarter in quarters:
        frame = accounts(quarter, per_quarter, rng) if accounts else make_accounts(per_quarter, rng)
        eta = (log_odds(quarter) if log_odds else usual_log_odds)(frame)
        level = np.log(win_rate / (1 - win_rate)) - 0.35 + rng.normal(0, 0.1)
        frame["is_won"] = rng.random(per_quarter) < 1 / (1 + np.exp(-(eta - eta.mean() + level)))
        frame["outcome_quarter"] = quarter
        parts.append(frame)
    rows = pd.concat(parts, ignore_index=True)
    rows["observation_id"] = [f"o{i:06d}" for i in range(len(rows))]
    rows["account_id"] = [f"a{i:06d}" for i in range(len(rows))]
    rows["outcome_value"] = np.where(rows["is_won"], 10_000.0, np.nan)
    rows["role"] = "label"
    return rows
