"""Attributes that know the outcome: written down after the deal was decided, and no criterion of anything.

A profile that learns from such a column looks excellent on the past and is empty on accounts nobody has worked yet. Its
name may be innocent, so the audit looks at the data: every candidate alone, in the states it is seen in (its bins, and
known against unknown). Three patterns convict, and each is far from what an honest attribute does:

- *ranks_too_well*: alone it ranks won above lost (or below) with an AUC above .95: its bins out of fold, or the bare
  number, whose order nobody fitted;
- *only_won*: one state holds half of all wins and no loss (at most 2 % of them);
- *only_lost*: being known, or being unknown, holds half of all losses and no win (at most 2 % of them). A level or a
  range that never wins is no proof: it may be a true disqualifier.

The two shares must also be beyond chance (Fisher's exact test, p < 1e-4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import hypergeom

from icp.bins import encode, is_ordered, make_bins
from icp.errors import ConfigError
from icp.label_rows import hashed_share, require_won_or_lost
from icp.profile import MISSING, NO, Attribute, Bin, BinDictionary
from icp.stats import Interval, auc_with_interval

Pattern = Literal["ranks_too_well", "only_won", "only_lost"]
Mask = NDArray[np.bool_]

FEWEST_OF_A_CLASS = 20
AUC_LIMIT = 0.95
MOST_OF_A_CLASS, NEXT_TO_NONE = 0.5, 0.02
CHANCE = 1e-4
FOLDS = 5
PRIOR_ROWS = 2.0  # of the base rate, in the rate of a state seen rarely


@dataclass(frozen=True)
class Leak:
    """One column that knows the outcome, with the evidence in words. `column` is what to exclude or accept."""

    column: str
    attribute: str
    label: str
    pattern: Pattern
    evidence: str


def find_leaks(
    frame: pd.DataFrame, attributes: Sequence[Attribute], *, accepted: Sequence[str] = (), seed: int = 0
) -> tuple[Leak, ...]:
    """The candidates that only the outcome can explain, of each column its most telling pattern, sorted by column.

    Most telling: what alone ranks won above lost (or below) with the highest AUC, a state counting as a ranking in two.

    Nothing is convicted on fewer than 20 won or 20 lost outcomes: chance could look like this.

    Args:
        frame: the label rows.
        attributes: the declared candidates.
        accepted: columns a person has looked at and vouches for (`leak_audit: accept:` in icp.yml).
        seed: of the folds.

    Raises:
        ConfigError: `accepted` names something that is no attribute.
    """
    vouched = _columns(accepted, attributes)
    suspects = [a for a in attributes if a.column not in vouched]
    dictionary = make_bins(frame, suspects, "audit")
    outcomes = _outcomes(frame, dictionary, seed)
    if min(outcomes.won.sum(), (~outcomes.won).sum()) < FEWEST_OF_A_CLASS:
        return ()
    found: dict[str, tuple[float, Leak]] = {}
    for attribute in dictionary.attributes:
        leak = _leak(outcomes, dictionary.bins[attribute.name], attribute)
        if leak and (attribute.column not in found or leak[0] > found[attribute.column][0]):
            found[attribute.column] = leak
    return tuple(found[column][1] for column in sorted(found))


@dataclass(frozen=True)
class _Outcomes:
    """The rows with a known outcome: as they are, in bins, and which fold each is in."""

    frame: pd.DataFrame
    codes: pd.DataFrame
    won: Mask
    folds: NDArray[np.int64]


def _outcomes(frame: pd.DataFrame, dictionary: BinDictionary, seed: int) -> _Outcomes:
    require_won_or_lost(frame)
    known = frame[frame["is_won"].notna()]
    folds = [int(FOLDS * hashed_share(str(account), seed)) for account in known["account_id"]]
    won = known["is_won"].astype(bool).to_numpy()
    return _Outcomes(known, encode(known, dictionary), won, np.array(folds, dtype=np.int64))


def _columns(accepted: Sequence[str], attributes: Sequence[Attribute]) -> frozenset[str]:
    """The accepted columns, under the names icp.yml may use for them: with or without `attr_`."""
    names = {a.column.removeprefix("attr_"): a.column for a in attributes} | {a.column: a.column for a in attributes}
    unknown = sorted(set(accepted) - set(names))
    if unknown:
        raise ConfigError(
            f"leak_audit.accept names {', '.join(unknown)}, which is no attribute. "
            f"There are: {', '.join(sorted({a.column for a in attributes}))}."
        )
    return frozenset(names[name] for name in accepted)


@dataclass(frozen=True)
class _Sign:
    """A pattern that convicts. `auc` is how well it alone ranks won against lost: the one measure all patterns have."""

    auc: float
    pattern: Pattern
    evidence: str


def _leak(outcomes: _Outcomes, bins: Sequence[Bin], attribute: Attribute) -> tuple[float, Leak] | None:
    """The most telling sign of one attribute, with its AUC."""
    signs = list(_signs(outcomes, bins, attribute))
    if not signs:
        return None
    best = max(signs, key=lambda sign: round(sign.auc, 9))  # the first of equals: a state says more than a ranking
    return best.auc, Leak(attribute.column, attribute.name, attribute.label, best.pattern, best.evidence)


def _signs(outcomes: _Outcomes, bins: Sequence[Bin], attribute: Attribute) -> Iterator[_Sign]:
    codes, won = outcomes.codes[attribute.name].to_numpy(), outcomes.won
    known = codes != next(code for code, state in enumerate(bins) if state.key == MISSING)
    for is_it, state in (("known", known), ("unknown", ~known)):
        yield from _one_sided(won, state, f"it is {is_it}", may_lose=True)
    for words, state in _states(codes, known, bins, attribute):
        yield from _one_sided(won, state, words, may_lose=False)
    if attribute.kind == "numeric":
        yield from _sorts_too_well(won, outcomes.frame.get(attribute.column))
    yield from _ranks_too_well(won, codes, outcomes.folds)


def _states(
    codes: NDArray[np.int8], known: Mask, bins: Sequence[Bin], attribute: Attribute
) -> Iterator[tuple[str, Mask]]:
    """Every bin, and of an ordered attribute everything above and below every edge: a total is spread over many bins."""
    for code, state in enumerate(bins):
        if state.key not in (MISSING, NO):
            yield f"it is {state.label}", codes == code
    if is_ordered(attribute):
        for code in range(1, len(bins) - 1):
            lower, upper = bins[code].lower, bins[code].upper
            yield f"it is {'more than 0' if lower is None else f'at least {lower:,.10g}'}", known & (codes >= code)
            if upper is not None:
                yield f"it is below {upper:,.10g}", known & (codes <= code)


def _one_sided(won: Mask, state: Mask, words: str, *, may_lose: bool) -> Iterator[_Sign]:
    """A state that holds half of one class and next to none of the other."""
    sides: list[tuple[Pattern, Mask, Mask, str]] = [("only_won", won, ~won, "won")]
    if may_lose:
        sides.append(("only_lost", ~won, won, "lost"))
    for pattern, own, other, name in sides:
        held, strays = int((state & own).sum()), int((state & other).sum())
        if held < MOST_OF_A_CLASS * own.sum() or strays > NEXT_TO_NONE * other.sum():
            continue
        if _chance(strays, int(other.sum()), held + strays, len(won)) < CHANCE:
            outcomes = f"{held:,} of {int(own.sum()):,} {name} outcomes"
            auc = (1 + held / own.sum() - strays / other.sum()) / 2
            yield _Sign(auc, pattern, f"{words} for {outcomes} and for {strays:,} of the {int(other.sum()):,} others")


def _chance(strays: int, of_the_class: int, in_the_state: int, rows: int) -> float:
    """Fisher's exact test, one-sided: so few of a class among so many rows drawn without regard to the outcome."""
    return float(hypergeom.cdf(strays, rows, of_the_class, in_the_state))


def _sorts_too_well(won: Mask, values: pd.Series | None) -> Iterator[_Sign]:
    """The bare number as a ranking, in whichever direction: with few won a bin mixes what the number keeps apart."""
    if values is None:
        return
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    known = np.isfinite(numbers)
    if min(won[known].sum(), (~won[known]).sum()) < FEWEST_OF_A_CLASS:
        return
    auc = auc_with_interval(won[known], numbers[known])
    if not auc.value > AUC_LIMIT:
        auc = auc_with_interval(won[known], -numbers[known])
    yield from _telling(auc)


def _telling(auc: Interval) -> Iterator[_Sign]:
    if auc.value > AUC_LIMIT:
        words = f"alone it tells won from lost with an AUC of {auc.value:.3f} [{auc.low:.3f}-{auc.high:.3f}]"
        yield _Sign(auc.value, "ranks_too_well", words)


def _ranks_too_well(won: Mask, codes: NDArray[np.int8], folds: NDArray[np.int64]) -> Iterator[_Sign]:
    states = int(codes.max()) + 1
    if _auc_in_sample(won, codes, states) <= AUC_LIMIT:  # out of fold it ranks no better
        return
    score = np.empty(len(won))
    for fold in range(FOLDS):
        held_out = folds == fold
        rest = ~held_out
        base = won[rest].mean() if rest.any() else won.mean()
        wins = np.bincount(codes[rest], weights=won[rest], minlength=states)
        count = np.bincount(codes[rest], minlength=states)
        # Log odds against the base rate of the same rows, so that folds with other base rates rank together.
        rate = (wins + PRIOR_ROWS * base) / (count + PRIOR_ROWS)
        score[held_out] = (np.log(rate / (1 - rate)) - np.log(base / (1 - base)))[codes[held_out]]
    yield from _telling(auc_with_interval(won, score))


def _auc_in_sample(won: Mask, codes: NDArray[np.int8], states: int) -> float:
    """AUC of the states ranked by their own win rate, from counts alone."""
    wins = np.bincount(codes[won], minlength=states)
    losses = np.bincount(codes[~won], minlength=states)
    order = np.argsort(wins / np.maximum(wins + losses, 1), kind="stable")
    lost_below = np.cumsum(losses[order]) - losses[order] / 2
    return float((wins[order] * lost_below).sum() / (wins.sum() * losses.sum()))
