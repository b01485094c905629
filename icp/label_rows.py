"""The label frame, checked and in a fixed order: what derive, tiers and re-fits work from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit

from icp.bins import encode
from icp.errors import ConfigError, NotEnoughEvidence
from icp.fit import AdditiveFit
from icp.profile import BinDictionary
from icp.stats import Floats

REQUIRED = ("observation_id", "account_id", "is_won", "outcome_quarter")
DEFAULT_MINIMUM = {"wins": 20, "losses": 20}
MIN_PAIRS, LARGEST_CORRELATION = 30, 0.95

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class LabelRows:
    """Known outcomes with the state of every candidate, sorted by observation_id; `periods` counts quarters from 0."""

    codes: pd.DataFrame
    won: Floats
    value: Floats
    accounts: NDArray[np.object_]
    periods: NDArray[np.int64]
    window: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.won)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """A number per account."""
        return np.asarray(np.unique(self.accounts.astype(str), return_inverse=True)[1], dtype=np.int64)

    @cached_property
    def repeats(self) -> Floats:
        """How many rows the account of each row has."""
        return np.asarray(np.bincount(self.groups)[self.groups], dtype=float)

    def folds(self, count: int, seed: int) -> NDArray[np.int64]:
        """Which fold each row is in: by account, so that no account is judged by a profile that saw it."""
        return np.array([hashed_share(str(a), seed) * count for a in self.accounts]).astype(np.int64)

    def where(self, rows: Mask) -> LabelRows:
        """Some of the rows, the window unchanged."""
        return LabelRows(
            self.codes[rows], self.won[rows], self.value[rows], self.accounts[rows], self.periods[rows], self.window
        )

    def is_before(self, quarter: str) -> Mask:
        """Rows whose outcome is from before this quarter."""
        labels = np.array(self.window)
        return np.asarray(labels[self.periods] < quarter)


def hashed_share(text: str, seed: int) -> float:
    """A number in [0, 1) that depends on the text and the seed only, on every machine."""
    digest = hashlib.blake2b(f"{seed}:{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def read_label_rows(frame: pd.DataFrame, dictionary: BinDictionary) -> LabelRows:
    """Check the frame and put it in order; score rows and rows without an outcome are left out.

    Raises:
        ConfigError: A required column is absent, an outcome is neither won nor lost, or an observation occurs twice.
    """
    absent = [c for c in REQUIRED if c not in frame]
    if absent:
        raise ConfigError(f"The label frame has no column {', '.join(absent)}; fct_account_features must provide it.")
    require_won_or_lost(frame)
    labelled = frame[frame["is_won"].notna() & frame["outcome_quarter"].notna()]
    if "role" in labelled:
        labelled = labelled[labelled["role"] == "label"]
    twice = labelled.loc[labelled["observation_id"].duplicated(), "observation_id"]
    if len(twice):
        raise ConfigError(
            f"{len(twice)} observations occur more than once in the label frame (first: {twice.iloc[0]}); "
            "observation_id must be unique, look for a join in the features that multiplies rows."
        )
    rows = labelled.sort_values("observation_id", key=lambda ids: ids.astype(str), kind="stable")
    window = tuple(sorted(set(rows["outcome_quarter"].astype(str))))
    return LabelRows(
        codes=encode(rows, dictionary),
        won=rows["is_won"].astype(bool).to_numpy().astype(np.float64),
        value=_amounts(rows),
        accounts=rows["account_id"].astype(str).to_numpy(dtype=object),
        periods=np.searchsorted(np.array(window), rows["outcome_quarter"].astype(str).to_numpy(dtype=str)),
        window=window,
    )


def require_won_or_lost(frame: pd.DataFrame) -> None:
    """Refuse outcomes that are neither: read as text, "False" would count as won.

    Raises:
        ConfigError: `is_won` holds something other than true, false or nothing.
    """
    odd = [value for value in frame["is_won"].dropna().unique() if value not in (0, 1)]
    if odd:
        raise ConfigError(
            f"is_won holds {odd[0]!r}, which is neither won nor lost: it must be true, false or empty. Look at the "
            "mapping of is_won, or at the model that makes the label rows."
        )


def _amounts(rows: pd.DataFrame) -> Floats:
    if "outcome_value" not in rows:
        return np.full(len(rows), np.nan)
    amounts = pd.to_numeric(rows["outcome_value"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(amounts), amounts, np.nan)


def require_enough(rows: LabelRows, quarter: str, minimum: Mapping[str, int]) -> None:
    """Refuse to derive anything from too few outcomes, saying how many there are and how many it takes.

    Raises:
        NotEnoughEvidence: Fewer wins or losses than the minimum.
    """
    if has_enough(rows, minimum):
        return
    wins = int(rows.won.sum())
    losses = len(rows) - wins
    least_wins, least_losses = (int({**DEFAULT_MINIMUM, **minimum}[k]) for k in ("wins", "losses"))
    window = f"{rows.window[0]} to {rows.window[-1]}" if rows.window else "the window"
    raise NotEnoughEvidence(
        f"Not enough outcomes to derive an ICP for {quarter}: {wins} won and {losses} lost in {window}, "
        f"at least {least_wins} won and {least_losses} lost are needed. "
        "Wait for more outcomes, lengthen lookback_quarters, or lower `minimum` in icp.yml."
    )


def has_enough(rows: LabelRows, minimum: Mapping[str, int]) -> bool:
    """Whether there are as many wins and losses as a profile needs (at least one of each)."""
    least = {**DEFAULT_MINIMUM, **minimum}
    wins = int(rows.won.sum())
    return wins >= max(int(least["wins"]), 1) and len(rows) - wins >= max(int(least["losses"]), 1)


def within_account_correlation(rows: LabelRows, fit: AdditiveFit) -> float:
    """How alike the outcomes of one account are beyond what its attributes explain: 0 not at all, 1 always the same.

    Moment estimate over all pairs of rows of one account, sum r_i r_j / sum sqrt(v_i v_j), the products averaged over
    the posterior of the effects: at their mean alone a flexible fit hides the correlation it has swallowed. 0 when there
    are few pairs.
    """
    if float((rows.repeats - 1).sum()) / 2 < MIN_PAIRS:
        return 0.0
    probability = expit(fit.linear_predictor)
    variance = probability * (1 - probability)
    together = _pairs(rows, (rows.won - probability)[:, None]) + _pairs(rows, _swallowed(fit, variance))
    return float(min(max(together / _pairs(rows, np.sqrt(variance)[:, None]), 0.0), LARGEST_CORRELATION))


def _pairs(rows: LabelRows, columns: Floats) -> float:
    """Sum over pairs of different rows of one account of the inner product of their columns (each pair twice)."""
    membership = csr_array((np.ones(len(rows)), (rows.groups, np.arange(len(rows)))))
    return float(((membership @ columns) ** 2).sum() - (columns**2).sum())


def _swallowed(fit: AdditiveFit, variance: Floats) -> Floats:
    """v_i x_i' C for covariance C C': the part of each residual that the uncertain effects may have taken."""
    values, vectors = np.linalg.eigh(fit.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    parts = [x @ root * variance[chunk, None] for chunk, x in fit.design.chunks()]
    return np.concatenate(parts)


def cluster_weights(rows: LabelRows, correlation: float) -> Floats:
    """What each row counts for: 1 for an account seen once, less for one whose outcomes repeat each other.

    1 / (1 + (m - 1) rho), the inverse design effect of m rows with correlation rho (Kish 1965).
    """
    return np.asarray(1 / (1 + (rows.repeats - 1) * correlation))
