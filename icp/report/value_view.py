"""What a win is worth and how large the market is, in words."""

from __future__ import annotations

from icp.profile import Estimate, Profile, Value
from icp.report.wording import clean, count, listing, plural
from icp.tam import Market

NO_RATE = "Customers are compared with all accounts, so how often a deal is won is not known, and"


def money(amount: float) -> str:
    """An amount as people say it: 12,300 or 1.2 M, in the reporting currency."""
    if amount >= 1e6:
        return f"{amount / 1e6:,.1f} M"
    return count(float(f"{amount:.3g}"))


def interval_money(estimate: Estimate) -> str:
    """The interval of an amount."""
    return f"[{money(estimate.low)}–{money(estimate.high)}]"


def value_sentence(profile: Profile) -> str:
    """Whether a win is worth the same everywhere, and how much."""
    value = profile.value
    if profile.contrast == "customer_or_not":
        return f"{NO_RATE} accounts have no expected value."
    if value is None:
        return "Too few wins carry a value to say what a win is worth; accounts have no expected value."
    level = f"{money(value.level.value)} {interval_money(value.level)}"
    named = [clean(d.label) for d in value.drivers if d.grade == "confirmed"]
    if not named:
        return f"A win is worth {level}, for every account the same: no attribute is shown to move its value."
    return f"A win in the middle is worth {level}. What a win is worth is shown to be moved by {listing(named)}."


def counts_sentence(value: Value | None) -> str:
    """On how many wins this rests and which were left out."""
    if value is None:
        return ""
    parts = [f"From {count(value.valued)} of {plural(value.wins, 'win')}"]
    if value.missing:
        parts.append(f"{count(value.missing)} without a value left out")
    if value.not_positive:
        parts.append(f"{count(value.not_positive)} worth 0 or less left out")
    if value.limited:
        parts.append(f"{count(value.limited)} extreme ones counted at the limit")
    kept = " Multipliers are those of " + value.derived_in + "; the level is today's."
    return f"{'; '.join(parts)}.{kept}"


def market_sentence(market: Market | None, profile: Profile) -> str:
    """TAM, SAM and SOM in one breath."""
    if profile.contrast == "customer_or_not":
        return f"{NO_RATE} the market is not sized: what a line of the ICP costs is counted in wins."
    if market is None:
        return "Without a confirmed criterion there is no ICP to size."
    return (
        f"Of {plural(market.tam, 'account')} ({count(market.tam_prospects)} of them not customers yet), "
        f"{count(market.sam)} lie inside the ICP ({count(market.sam_prospects)} not customers yet). The two best tiers hold "
        f"{plural(market.som, 'prospect')}; working each once would win about {count(market.som_wins.value)} "
        f"[{count(market.som_wins.low)}–{count(market.som_wins.high)}]."
    )


def rung_rows(market: Market | None) -> list[dict[str, object]]:
    """The ladder as rows of text and estimates."""
    words = {"as is": "the ICP as it is", "drop": "without", "require": "and also"}
    if market is None:
        return []
    return [
        {
            "rule": f"{words[r.action]} {clean(r.label)}".strip(),
            "accounts": count(r.accounts),
            "change": "–" if r.action == "as is" else f"{r.change:+,}",
            "wins": f"{count(r.expected_wins.value)} [{count(r.expected_wins.low)}–{count(r.expected_wins.high)}]",
            "value": "–"
            if r.expected_value is None
            else f"{money(r.expected_value.value)} {interval_money(r.expected_value)}",
            "precision": r.precision,
            "recall": r.recall,
            "marginal": r.marginal_rate,
        }
        for r in market.ladder
    ]
