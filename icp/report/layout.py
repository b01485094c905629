"""The templates and what they may call: one environment for the page (HTML, escaped) and one for Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from icp.profile import Estimate
from icp.report import backtest_view, sections, what_if_view, wording

PARAGRAPH_LIMIT = 4000
_TYPED = re.compile(r"“(icp [^”]*)”|(lists/[a-z_]+\.csv)")
_MARKDOWN_ESCAPES = str.maketrans(
    {"\\": "\\\\", "|": "\\|", "*": "\\*", "_": "\\_", "`": "\\`", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
)


@cache
def html_environment() -> Environment:
    """Everything is escaped unless a chart made it; an unknown name is an error, never an empty cell."""
    return _with_filters(Environment(autoescape=True, **_options()))


@cache
def markdown_environment() -> Environment:
    """Everything a template prints is escaped for a Markdown table, mentions and links included."""
    return _with_filters(Environment(autoescape=False, finalize=markdown_safe, **_options()))


def markdown_safe(value: object) -> object:
    """Text that shows as itself in Markdown and notifies nobody.

    >>> markdown_safe("a|b @team [x](http://y)")
    'a\\\\|b &#64;team [x]\\\\(http://y)'
    """
    return value.translate(_MARKDOWN_ESCAPES).replace("](", "]\\(") if isinstance(value, str) else value


def commands(text: str) -> Markup:
    """The text with what is typed or opened set as code.

    >>> commands("Open lists/a.csv <now> or type “icp approve 2026Q3/r1”.")
    Markup('Open <code>lists/a.csv</code> &lt;now&gt; or type <code>icp approve 2026Q3/r1</code>.')
    """
    return Markup(_TYPED.sub(r"<code>\1\2</code>", str(escape(text))))


def _options() -> dict[str, Any]:
    return {
        "loader": PackageLoader("icp.report"),
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "keep_trailing_newline": True,
    }


def _with_filters(environment: Environment) -> Environment:
    filters: dict[str, Callable[..., Any]] = {name: getattr(wording, name) for name in wording.FILTERS}
    filters |= {
        "clean_paragraph": lambda text: wording.shorten(text, PARAGRAPH_LIMIT),
        "calibration_sentence": backtest_view.calibration_sentence,
        "commands": commands,
        "criteria_names": sections.criteria_names,
        "grade": lambda grade: sections.GRADES[grade],
        "odds": _odds,
        "rival_reading": backtest_view.rival_reading,
        "states": what_if_view.states,
        "test_reason": sections.test_reason,
        "tier_reading": sections.tier_reading,
    }
    environment.filters.update(filters)
    return environment


def _odds(estimate: Estimate | None) -> str:
    return "–" if estimate is None else f"{wording.times(estimate.value)} {wording.interval_times(estimate)}"
