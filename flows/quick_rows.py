"""The rows of a file nobody described: who won, when, worth what, of which account, and which rows do not count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date as Day
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from icp.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from icp.sources.whole_csv import WholeCsv

WON = frozenset(
    {"won", "closed won", "closed-won", "closedwon", "win", "yes", "y", "true", "t", "1", "1.0", "converted"}
)
LOST = frozenset({"lost", "closed lost", "closed-lost", "closedlost", "loss", "no", "n", "false", "f", "0", "0.0"})
UNDECIDED = frozenset({"open", "pending", "in progress", "in-progress", "ongoing", "undecided", "unknown"})
NAMES_ACCOUNT = re.compile(r"(company|account|customer|client|organi[sz]ation)([ _]?name)?", re.IGNORECASE)
VALUES_SHOWN = 12
LARGEST_AMOUNT = 1e15
MOST_UNREAD = 0.5  # of the rows with an outcome; with more of them unread a column is not what its option says


@dataclass(frozen=True)
class Columns:
    """Which columns of the file play which part, and which values of the outcome mean won and lost."""

    outcome: str
    value: str | None = None
    date: str | None = None
    id: str | None = None
    won: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    def options(self) -> dict[str, str]:
        """The column each option names."""
        named = {"--outcome": self.outcome, "--value": self.value, "--date": self.date, "--id": self.id}
        return {option: name for option, name in named.items() if name is not None}


def require_columns(file: WholeCsv, columns: Columns) -> None:
    """Refuse options that name no column, or two options that name the same one.

    Raises:
        ConfigError: with the columns the file has, or the two options.
    """
    from icp.sources.inferred import require

    options = columns.options()
    for option, name in [*options.items(), *(("--keep", name) for name in columns.keep)]:
        require(file.columns, name, option)
        other = next((o for o, n in options.items() if n == name and o != option), None)
        if other:
            raise ConfigError(f"{option} and {other} both name the column {name!r}. Each needs a column of its own.")


def with_account(file: WholeCsv, columns: Columns) -> tuple[Columns, list[str]]:
    """Without --id, the one column that names the account: deals of one account are not independent of each other."""
    spoken_for = {*columns.options().values(), *columns.keep}
    named = [name for name in file.columns if NAMES_ACCOUNT.fullmatch(name) and name not in spoken_for]
    if columns.id is not None or len(named) != 1:
        return columns, []
    note = f"Rows with the same {named[0]!r} are counted as deals of one account (--id names another column)."
    return replace(columns, id=named[0]), [note]


def label_rows(file: WholeCsv, columns: Columns, today: Day) -> tuple[pd.DataFrame, list[str]]:
    """A row per row of the file that counts, with its place in the file as index, and what was done with the others.

    Raises:
        ConfigError: a column cannot be what its option says it is.
    """
    import pandas as pd

    from icp.sources.inferred import texts

    outcome = texts(file.columns[columns.outcome])
    won, notes = _won(outcome, columns)
    rows = len(outcome)
    labels = pd.DataFrame({"observation_id": [f"row {n + 1:09d}" for n in range(rows)], "is_won": won})
    ids = texts(file.columns[columns.id]) if columns.id else [None] * rows
    labels["account_id"] = [id_ or row for id_, row in zip(ids, labels["observation_id"], strict=True)]
    copies, told = _copies(file, labels["is_won"].notna())
    labels = labels[labels["is_won"].notna() & ~copies]
    labels["outcome_quarter"], dated = _quarters(file, columns, labels.index, today)
    labels = labels[labels["outcome_quarter"].notna()]
    labels["outcome_value"], valued = _values(file, columns, labels)
    labels["is_backfilled"] = False
    return labels, [*notes, *told, *dated, *valued, *_accounts(labels, ids, columns)]


def _won(values: Sequence[str | None], columns: Columns) -> tuple[pd.Series, list[str]]:
    """True, False, or nothing for rows whose outcome is not known yet."""
    import pandas as pd

    series = pd.Series(list(values), dtype=object)
    lower = series.str.lower()
    present = set(lower.dropna())
    if not present:
        raise ConfigError(f"Column {columns.outcome!r} (--outcome) has no value in any row.")
    won, lost, notes = _meanings(present, columns, series)
    known = lower.isin(won | lost)
    undecided = series[series.notna() & ~known]
    if len(undecided):
        notes.append(f"{_rows(len(undecided))} neither won nor lost and left out: {_listed(undecided, 5)}.")
    if series.isna().any():
        notes.append(f"{_rows(int(series.isna().sum()))} without an outcome and left out.")
    return lower.isin(won).where(known, None).astype(object), notes


def _meanings(present: set[str], columns: Columns, series: pd.Series) -> tuple[set[str], set[str], list[str]]:
    """The outcome values that mean won and lost, in lower case, and what was taken for lost without being told."""
    won, lost = (_said(present, values, option, columns.outcome, series)
                 for values, option in ((columns.won, "--won"), (columns.lost, "--lost")))  # fmt: skip
    if won & lost:
        raise ConfigError(f"{sorted(won & lost)[0]!r} is given as won and as lost. Keep one of --won and --lost.")
    if won and lost:
        return won, lost, []
    if won:
        lost = (present & LOST) - won
        return (won, lost, []) if lost else _all_but(won, present, series)
    usual_won, usual_lost = (present & WON) - lost, lost or (present & LOST)
    if (usual_won and usual_lost) or ((usual_won or usual_lost) and len(present) == 1):
        return usual_won, usual_lost, []
    raise ConfigError(
        f"What {columns.outcome!r} calls won is not clear. {_holds(series)} Say which values are won: --won VALUE, "
        "and which are lost: --lost VALUE (each as often as needed)."
    )


def _all_but(won: set[str], present: set[str], series: pd.Series) -> tuple[set[str], set[str], list[str]]:
    lower = series.str.lower()
    lost = present - won - UNDECIDED
    note = (
        f"Everything but {_listed(series[lower.isin(won)], 5, counts=False)} was counted as lost: "
        f"{_listed(series[lower.isin(lost)])}. If some of these are still open, say which are lost with --lost VALUE."
    )
    return won, lost, [note] if lost else []


def _said(present: set[str], values: Sequence[str], option: str, outcome: str, series: pd.Series) -> set[str]:
    chosen = {value.strip().lower() for value in values}
    for value in values:
        if value.strip().lower() not in present:
            near = get_close_matches(value.strip().lower(), present, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"No row of {outcome!r} is {value!r} ({option}).{hint} {_holds(series)}")
    return chosen


def _holds(series: pd.Series) -> str:
    return f"It holds {_listed(series)}."


def _listed(series: pd.Series, most: int = VALUES_SHOWN, *, counts: bool = True) -> str:
    found = series.value_counts()
    shown = ", ".join(f"{value} ({count:,})" if counts else str(value) for value, count in found.head(most).items())
    return f"{shown} and {len(found) - most:,} more" if len(found) > most else shown


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count:,} rows are"


def _copies(file: WholeCsv, decided: pd.Series) -> tuple[pd.Series, list[str]]:
    """Rows that repeat an earlier one in every column. Where some column tells rows apart they are copies of one deal
    and dropped; without such a column two deals can look alike, so they are kept."""
    import pandas as pd

    table = pd.DataFrame({name: column.text.to_pandas() for name, column in file.columns.items()})
    copies = table.duplicated() & decided
    if not copies.any():
        return copies, []
    single = table[~table.duplicated()]
    key = next((name for name in single if single[name].notna().all() and single[name].is_unique), None)
    if key is not None:
        return copies, [f"{_rows(int(copies.sum()))} a copy of an earlier row and left out ({key!r} names each row)."
                        .replace("are a copy of an earlier row", "are copies of earlier rows")]  # fmt: skip
    many = f"{_rows(int(copies.sum()))} equal to an earlier row in every column and kept"
    return copies & False, [f"{many}: no column names the single row, so they may be deals that look alike."]


def _quarters(file: WholeCsv, columns: Columns, index: pd.Index, today: Day) -> tuple[pd.Series, list[str]]:
    """The calendar quarter of the outcome of the rows that count; nothing where it is not known or lies ahead."""
    import pandas as pd

    from icp.quick import UNDATED
    from icp.sources.readings import cells, read_moments

    if columns.date is None:
        return pd.Series(UNDATED, index=index), []
    column = file.columns[columns.date]
    text = cells(column)
    reading = read_moments(column, text, file.number_format, is_date=True)
    moments = reading.values.to_pandas()
    if moments.isna().all():
        example = f"for example {reading.example!r}" if reading.example else "every cell is empty"
        raise ConfigError(
            f"No value of {columns.date!r} (--date) reads as a date, {example}. Write dates as YYYY-MM-DD."
        )
    if reading.mixed:
        raise ConfigError(f"{columns.date!r} (--date) holds {reading.mixed}. Write all of them as YYYY-MM-DD.")
    notes = reading.notes(columns.date, "a date")
    moments = moments.loc[index]
    undated = int(moments.isna().sum())
    _require_most(columns.date, "--date", "a date", undated, len(index), reading.example)
    if undated:
        notes.append(f"{_rows(undated)} without a date that can be read and left out.")
    ahead = moments > pd.Timestamp(today) + timedelta(days=2)  # a day is tomorrow's already east of here
    if ahead.sum() > MOST_UNREAD * len(index):
        raise ConfigError(
            f"{int(ahead.sum()):,} of {len(index):,} dates in {columns.date!r} (--date) lie after today ({today}), the "
            f"last on {moments.max():%Y-%m-%d}. --date is the day an outcome became known, not the day it is expected."
        )
    if ahead.any():
        notes.append(f"{_rows(int(ahead.sum()))} dated after today ({today}) and left out.")
    moments = moments.mask(ahead)
    quarters = moments.dt.year.map("{:04.0f}Q".format) + moments.dt.quarter.map("{:.0f}".format)
    return quarters.where(moments.notna(), None), notes


def _values(file: WholeCsv, columns: Columns, labels: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """What each row is worth; unknown where it cannot be read."""
    import pandas as pd

    from icp.sources.readings import cells, read_numbers

    if columns.value is None:
        return pd.Series(float("nan"), index=labels.index), []
    name, column = columns.value, file.columns[columns.value]
    text = cells(column)
    reading = read_numbers(column, text, file.number_format)
    if reading.mixed:
        raise ConfigError(f"{name!r} (--value) holds {reading.mixed}. Write all of them alike.")
    values = reading.values.to_pandas().astype(float).loc[labels.index]
    won = labels["is_won"].astype(bool)
    if won.any() and values[won].isna().all():
        example = f", for example {reading.example!r}" if reading.example else ": the cells are empty"
        raise ConfigError(
            f"No won row has a number in {name!r} (--value){example}. Name another column or drop --value."
        )
    _require_most(name, "--value", "a number", reading.failed, reading.known, reading.example)
    if values.abs().max() > LARGEST_AMOUNT:
        raise ConfigError(
            f"{name!r} (--value) holds {values[values.abs().idxmax()]:g}: no win is worth that much. Name another column or "
            "repair this cell."
        )
    notes = reading.notes(name, "a number")
    unknown, not_positive = int(values[won].isna().sum()), int((values[won] <= 0).sum())
    if unknown:
        notes.append(f"{unknown:,} won rows have no value in {name!r}; what a win is worth is learned without them.")
    if not_positive:
        negative = int((values[won] < 0).sum())
        notes.append(
            f"{not_positive:,} won rows have a value of 0 or less in {name!r} ({negative:,} negative); they count as won, "
            "but what a win is worth is learned without them."
        )
    return values, notes


def _require_most(name: str, option: str, what: str, unread: int, rows: int, example: str) -> None:
    if unread > MOST_UNREAD * rows:
        such = f", such as {example!r}" if example else ""
        raise ConfigError(
            f"{unread:,} of {rows:,} cells of {name!r} ({option}) do not read as {what}{such}. Name another column, or "
            "repair these cells."
        )


def _accounts(labels: pd.DataFrame, ids: Sequence[str | None], columns: Columns) -> list[str]:
    """How many rows share an account, and how many name none."""
    if columns.id is None:
        return []
    nameless = int((labels["account_id"] == labels["observation_id"]).sum())
    sizes = labels["account_id"].value_counts()
    several = sizes[sizes > 1]
    notes = []
    if len(several):
        notes.append(
            f"{int(several.sum()):,} of {len(labels):,} rows are of {len(several):,} accounts with several rows "
            f"({columns.id!r}). All of them count, but rows of one account are not taken for independent evidence."
        )
    if nameless:
        notes.append(f"{_rows(nameless)} without {columns.id!r}, each counted as an account of its own.")
    return notes
