"""How large a change would have been seen: in odds, as the power of the change test, and as a share of the wins."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from icp.evidence import Evidence
from icp.profile import MISSING, NO, Bin
from icp.stats import Floats, share_under_odds
from icp.verdicts import ShareMove

DETECTABLE_BINS, DETECTABLE_FLAG = 8.0, 6.2  # sd of log odds change seen 80 % of the time, times sqrt(N p (1 - p))
USUAL_WINDOW = 4.0  # those two figures are for one quarter against four
LARGEST_DETECTABLE = 4.0
REFERENCE_SHARE = 1 / 3  # of the wins: the group a detectable move of odds is told for


def is_blind(odds: float | None) -> bool:
    """Whether even a large change would most likely have gone unseen, these odds being detectable."""
    return odds is None or odds > LARGEST_DETECTABLE


def information(evidence: Evidence, is_new: np.ndarray, since: int = 0) -> float:
    """N p (1 - p), N the new outcomes discounted for how few earlier ones, from period `since` on, they are compared with."""
    weights, won = evidence.weights, evidence.rows.won[is_new]
    now, before = float(weights[is_new].sum()), float(weights[~is_new & (evidence.rows.periods >= since)].sum())
    count = (1 + 1 / USUAL_WINDOW) * now * before / max(now + before, 1.0)
    rate = (float(won.sum()) + 0.5) / (len(won) + 1)
    return count * rate * (1 - rate)


def typical_move(known: float) -> float | None:
    """The odds multiplier by which an attribute's bins would typically have to move, at this `information`."""
    return _odds(DETECTABLE_BINS / math.sqrt(known)) if known > 0 else None


def detectable_move(known: float, bins: Sequence[Bin], shares: Floats) -> float | None:
    """The same for one attribute: of a flag the odds of yes against no, which depend on how its rows split."""
    if sum(b.key != MISSING for b in bins) > 2:
        return typical_move(known)
    states = shares[:2]
    spread = math.sqrt(float(states.prod())) / max(float(states.sum()), 1e-9)
    return _odds(DETECTABLE_FLAG / math.sqrt(known) / max(spread, 1e-3)) if known > 0 else None


def usual_share_move(won: Floats, odds: float | None) -> ShareMove | None:
    """Detectable odds as a move of a share of the wins, for a group with a third of them and the usual win rate."""
    if odds is None or not len(won):
        return None
    return ShareMove("", REFERENCE_SHARE, share_under_odds(REFERENCE_SHARE, float(won.mean()), odds))


def group_share_move(bins: Sequence[Bin], codes: np.ndarray, won: Floats, odds: float | None) -> ShareMove | None:
    """The same for an attribute's known group with the most wins (of a flag those that have it), on the newest rows."""
    wins = np.bincount(codes, weights=won, minlength=len(bins))
    told = [i for i, b in enumerate(bins) if b.key not in (MISSING, NO) and wins[i] > 0]
    if odds is None or not told:
        return None
    largest = max(told, key=lambda i: wins[i])
    rate, share = float(won[codes == largest].mean()), float(wins[largest] / wins.sum())
    return ShareMove(bins[largest].label, share, share_under_odds(share, rate, odds))


def _odds(log_odds: float) -> float:
    return math.exp(min(log_odds, 10.0))
