"""The what-if panel: a table of every combination, and the one script of the page that looks rows of it up."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from icp.profile import Profile
from icp.report.wording import clean, count, percent, plural, rate_with_interval
from icp.what_if import Combination, WhatIf

FIGURES = (
    ("Accounts", "meet all of it"),
    ("Prospects", "of them no customers"),
    ("Expected wins [95% CI]", "if every prospect is worked once"),
    ("Precision [95% CI]", "of such opportunities were won"),
    ("Recall [95% CI]", "of all wins were such"),
    ("Won / opps", "seen in the window"),
)
MOST_STATES = 6


def what_if_context(found: WhatIf | None, profile: Profile) -> dict[str, Any]:
    """What the panel needs, and the policy and the script of the page; neither script nor permission without a panel."""
    return {
        "what_if": found,
        "what_if_sentence": _sentence(found, profile) if found else "",
        "what_if_figures": FIGURES,
        "what_if_rows": [_row(combination, len(found.choices)) for combination in found.combinations] if found else (),
        "script": _script() if found else "",
        "script_policy": f"; script-src '{_fingerprint(_script())}'" if found else "",
    }


def states(labels: Sequence[str]) -> str:
    """The states that meet a criterion, as one phrase.

    >>> states(["DE", "FR"]), states(["yes"])
    ('DE or FR', 'yes')
    """
    shown = [clean(label) for label in labels]
    if len(shown) > MOST_STATES:
        shown = [*shown[:MOST_STATES], f"{len(shown) - MOST_STATES} more"]
    return " or ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _sentence(found: WhatIf, profile: Profile) -> str:
    everything, best = found.combinations[0], found.combinations[-1]
    return (
        f"Of {plural(everything.accounts, 'account')}, {count(best.accounts)} meet "
        f"{'all ' + str(len(found.choices)) if len(found.choices) > 1 else 'it'}; asking for nothing wins "
        f"{percent(profile.base_rate.value)} of opportunities. The numbers are looked up, not computed, in this page."
    )


def _row(one: Combination, choices: int) -> tuple[str, ...]:
    asked = ", ".join(str(place + 1) for place in range(choices) if one.asked >> place & 1)
    wins = one.expected_wins
    expected = f"{count(wins.value)} [{count(wins.low)}–{count(wins.high)}]" if wins else "not known"
    return (
        asked or "nothing", count(one.accounts), count(one.prospects), expected,
        rate_with_interval(one.precision), rate_with_interval(one.recall),
        f"{count(one.wins)} / {count(one.opportunities)}",
    )  # fmt: skip


@cache
def _script() -> Markup:
    """The script as it stands in the package: nothing of the data is ever in it."""
    return Markup((files("icp.report") / "templates" / "what_if.js").read_text(encoding="utf-8"))


def _fingerprint(script: str) -> str:
    """The hash by which a content policy lets exactly this script run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
