"""An ICP from one table: derived on all of it, and tested on rows it had not seen.

With dated rows the newest quarter judges a profile of the quarters before; without dates, or with too few rows in the
newest quarters, one half of the accounts judges a profile of the other. Nothing is compared with an earlier ICP: there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from icp.backtest import MIN_LOSSES, MIN_WINS, Backtest, backtest
from icp.bins import make_bins
from icp.derive import derive
from icp.diff import compare
from icp.errors import NotEnoughEvidence
from icp.label_rows import DEFAULT_MINIMUM, hashed_share, read_label_rows
from icp.paragraph import axis_note
from icp.profile import Attribute, Profile
from icp.value import value_of_wins
from icp.verdicts import ProfileDiff

LEAST_SHARE = 0.1  # of the rows, for the newest quarters that judge
UNDATED = "all rows"
LEARNED_FROM, HELD_OUT = "the half learned from", "the held-out half"  # in this order also as text


@dataclass(frozen=True)
class QuickResult:
    """The profile of all rows, and how one that had not seen some of them did on those (None: too few to tell).

    `notes` say what a reader of the test must know about the rows it was done on.
    """

    profile: Profile
    diff: ProfileDiff
    backtest: Backtest | None
    notes: tuple[str, ...] = ()


def quick(frame: pd.DataFrame, attributes: Sequence[Attribute], *, name: str, seed: int = 0) -> QuickResult:
    """Derive and test an ICP on one table.

    Args:
        frame: label rows as `icp.derive` wants them; all in one `outcome_quarter` when they are not dated.
        attributes: the candidates, columns of the frame.
        name: what the profile is called.
        seed: of folds and bootstrap.

    Raises:
        NotEnoughEvidence: too few won or lost rows, or no column that could be an attribute.
    """
    if not attributes:
        raise NotEnoughEvidence(
            "No column of the file can be an attribute, so there is nothing to tell won from lost by."
        )
    _require_enough(frame)
    newest = str(frame["outcome_quarter"].max())
    dictionary = make_bins(frame, attributes, newest)
    profile = derive(frame, dictionary, icp=name, quarter=newest, seed=seed)
    no_intent = axis_note("intent", ())  # one table says nothing of what accounts do now, and need not say so
    profile = replace(
        profile,
        value=value_of_wins(profile, read_label_rows(frame, dictionary)),
        notes=tuple(note for note in profile.notes if note != no_intent),
    )
    rows, why = (frame, ()) if _first_held_out(frame) else (_halved(frame, seed), _why_halved(newest))
    judged, notes = _judged(rows, attributes, name, seed)
    notes = (*why, *notes) if judged else notes
    return QuickResult(profile, _first(compare(None, profile, frame, newest), profile), judged, notes)


def _require_enough(frame: pd.DataFrame) -> None:
    wins = int(frame["is_won"].astype(bool).sum())
    losses = len(frame) - wins
    least_wins, least_losses = DEFAULT_MINIMUM["wins"], DEFAULT_MINIMUM["losses"]
    if wins < least_wins or losses < least_losses:
        raise NotEnoughEvidence(
            f"Too few rows to derive an ICP: {wins:,} won and {losses:,} lost, at least {least_wins} won and "
            f"{least_losses} lost are needed."
        )


def _first(diff: ProfileDiff, profile: Profile) -> ProfileDiff:
    """The verdict in words: there is no earlier ICP, so it is about what was found."""
    found = [criterion.label for criterion in profile.fit.criteria if criterion.grade == "confirmed"]
    if found:
        names = " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else found[0]
        verb = "tells" if len(found) == 1 else "tell"
        counts = f"{profile.opportunities:,} rows, {profile.wins:,} of them won"
        return replace(diff, sentence=f"{names} {verb} won from lost beyond chance ({counts}).")
    tested = sum(test.p_value is not None for test in profile.tests)
    sentence = (
        f"The data support no ICP: of {tested} attributes that could be tested none tells won from lost beyond chance."
    )
    return replace(diff, sentence=sentence)


def _halved(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    shares = np.array([hashed_share(str(account), seed + 1) for account in frame["account_id"]])
    return frame.assign(outcome_quarter=np.where(shares < 0.5, LEARNED_FROM, HELD_OUT))


def _why_halved(newest: str) -> tuple[str, ...]:
    """Why dated rows are tested like undated ones."""
    if newest == UNDATED:
        return ()
    few = "The newest quarters hold too few rows, or all there are, so the test is on one half of the accounts"
    return (f"{few} instead of on the newest quarter.",)


def _judged(
    frame: pd.DataFrame, attributes: Sequence[Attribute], name: str, seed: int
) -> tuple[Backtest | None, tuple[str, ...]]:
    """The newest quarter (or half) judged by a profile that saw only what came before, and a note on its accounts."""
    first = _first_held_out(frame)
    if first is None:
        return None, ()
    is_held_out = frame["outcome_quarter"] >= first
    newest, before = str(frame["outcome_quarter"].max()), frame[~is_held_out].reset_index(drop=True)
    last = str(before["outcome_quarter"].max())
    try:
        earlier = derive(before, make_bins(before, attributes, last), icp=name, quarter=last, seed=seed)
    except NotEnoughEvidence:
        return None, ()
    label = newest if first == newest else f"{first} to {newest}"
    frame = frame.assign(outcome_quarter=frame["outcome_quarter"].mask(is_held_out, label))
    is_known = is_held_out & frame["account_id"].isin(before["account_id"])
    frame, note = _strangers(frame, is_held_out, is_known)
    return backtest(earlier, frame, label), note


def _strangers(
    frame: pd.DataFrame, is_held_out: pd.Series, is_known: pd.Series
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows without those that test a profile on accounts it had learned from, where enough others are left."""
    known, held_out = int(is_known.sum()), int(is_held_out.sum())
    if not known:
        return frame, ()
    of = f"{known:,} of {held_out:,} rows kept for the test are of accounts that also have earlier rows"
    if _is_enough(frame.loc[is_held_out & ~is_known, "is_won"]):
        return frame[~is_known].reset_index(drop=True), (f"{of}; the test is on the others.",)
    return frame, (
        f"{of}. The others are too few to test on, so the test says little about accounts never met before.",
    )


def _first_held_out(frame: pd.DataFrame) -> str | None:
    """The newest quarter that makes, with those after it, enough outcomes to judge on; None when none leaves a past."""
    labels = sorted(frame["outcome_quarter"].unique())
    for label in reversed(labels[1:]):
        won = frame.loc[frame["outcome_quarter"] >= label, "is_won"]
        if len(won) >= LEAST_SHARE * len(frame) and _is_enough(won):
            return str(label)
    return None


def _is_enough(won: pd.Series) -> bool:
    """Whether so many outcomes can judge a profile."""
    wins = int(won.astype(bool).sum())
    return wins >= MIN_WINS and len(won) - wins >= MIN_LOSSES
