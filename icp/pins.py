"""What a person has decided about single customers: good, bad, or not to be learned from, with reason, author and date."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Literal

import pandas as pd

from icp.label_rules import DEAL_WON, Labelled, LeftOut, Mask, is_true

Verdict = Literal["good", "bad", "exclude"]
NAMES = ("account_id", "company_domain", "account_name")


@dataclass(frozen=True)
class Pin:
    """One decision. `account` is an id, a domain or an exact name; `date` is ISO; `line` is that of the file."""

    account: str
    verdict: Verdict
    reason: str
    author: str
    date: str
    line: int = 0


def in_force(pins: Sequence[Pin], day: str) -> tuple[Pin, ...]:
    """The decisions known on a day: nothing dated later, and of several about one customer the last."""
    last: dict[str, Pin] = {}
    for pin in sorted((pin for pin in pins if pin.date <= day), key=lambda pin: pin.date):
        last[pin.account.casefold()] = pin
    return tuple(last[name] for name in sorted(last))


def version_of(pins: Sequence[Pin]) -> str:
    """What identifies these decisions; empty without any. Where they stand in the file does not matter."""
    if not pins:
        return ""
    text = "\n".join("\t".join(astuple(pin)[:-1]) for pin in pins)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def pinned(frame: pd.DataFrame, pins: Sequence[Pin]) -> pd.Series:
    """For each row the place of its decision in `pins`, -1 where nobody decided."""
    places = pd.Series(-1, index=frame.index)
    by_name = {pin.account.casefold(): place for place, pin in enumerate(pins)}
    for column in (name for name in NAMES if name in frame):
        found = frame[column].map(lambda value: by_name.get(str(value).casefold(), -1))
        places = places.where(places >= 0, found)
    return places


def rows_judged(frame: pd.DataFrame, pins: Sequence[Pin]) -> Mask:
    """Rows a person called good or bad: what is not known of them leaves them in."""
    return _rows(pinned(frame, pins), pins, "good", "bad")


def apply_pins(labelled: Labelled, pins: Sequence[Pin], every: pd.DataFrame) -> Labelled:
    """The labels with the decisions in them: won deals of a good customer are good outcomes, of a bad one they are not.

    A lost deal stays lost, a customer too young to judge stays out: a decision says what a customer is worth, not when
    outcomes count. Excluded customers are not learned from but are scored like every account.

    Args:
        labelled: what the label's rules gave.
        pins: the decisions in force.
        every: all label and score rows, where the accounts meant are looked for.
    """
    if not pins:
        return labelled
    frame, places = labelled.frame, pinned(labelled.frame, pins)
    is_label = (frame["role"] == "label").to_numpy()
    deal_won = is_label & is_true(frame[DEAL_WON] if DEAL_WON in frame else frame["is_won"])
    good, bad = (deal_won & _rows(places, pins, verdict) for verdict in ("good", "bad"))
    excluded = is_label & _rows(places, pins, "exclude")
    now = (is_true(frame["is_won"]) | good) & ~bad
    changed = frame.copy()
    changed["is_won"] = _outcomes(now, is_label, frame)
    changed[DEAL_WON] = _outcomes(deal_won, is_label, frame)
    if "outcome_value" in changed:
        changed["outcome_value"] = changed["outcome_value"].where(~bad)
    found = set(pinned(every, pins))
    strange = [pin for place, pin in enumerate(pins) if place not in found]
    left = [LeftOut("Excluded by hand", int(excluded.sum()), "A person decided that nothing is learned from them.")]
    if strange:
        names = ", ".join(f"{pin.account} (line {pin.line})" for pin in strange[:5])
        left.append(
            LeftOut("Decisions about accounts there are none of", len(strange), f"{names}: correct or remove them.")
        )
    kept = changed[~excluded].reset_index(drop=True)
    return Labelled(kept, (*labelled.left_out, *(one for one in left if one.rows)), labelled.young)


def _outcomes(won: Mask, is_label: Mask, frame: pd.DataFrame) -> pd.Series:
    """Yes or no for label rows, nothing for the others."""
    return pd.Series(won, index=frame.index).astype(object).where(pd.Series(is_label, index=frame.index), None)


def _rows(places: pd.Series, pins: Sequence[Pin], *verdicts: str) -> Mask:
    wanted = [place for place, pin in enumerate(pins) if pin.verdict in verdicts]
    return places.isin(wanted).to_numpy(dtype=bool)
