"""Who changes tier and whose doing it was: the account's own change, the ICP's, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

CAUSES = {"account changed": "account", "ICP changed": "ICP", "both": "both"}


@dataclass(frozen=True)
class TierMoves:
    """How many accounts are in another tier than under the ICP before; `scored` counts all accounts with a tier now."""

    scored: int
    compared: int
    moved: int
    account_changed: int
    icp_changed: int
    both: int
    entered: int


@dataclass(frozen=True)
class Cell:
    """The accounts that went from one tier to one tier, split by cause."""

    accounts: int
    share_of_row: float
    is_stay: bool
    causes: tuple[tuple[str, int], ...]

    @property
    def depth(self) -> int:
        """Shade of the cell, 0-45 percent of the page's accent."""
        return 0 if self.is_stay else round(45 * self.share_of_row**0.5)


@dataclass(frozen=True)
class MatrixRow:
    """Where the accounts of one tier of the ICP before are now."""

    name: str
    total: int
    cells: tuple[Cell, ...]


def tier_moves(migration: pd.DataFrame) -> TierMoves:
    """The totals behind "212 of 4,180 accounts change tier"."""
    rows = _rows(migration)
    compared = [row for row in rows if row["previous_tier"] and row["tier"]]
    moved = [row for row in compared if row["previous_tier"] != row["tier"]]
    by_cause = {cause: sum(r["accounts"] for r in moved if r["cause"] == cause) for cause in CAUSES}
    return TierMoves(
        scored=sum(row["accounts"] for row in rows if row["tier"]),
        compared=sum(row["accounts"] for row in compared),
        moved=sum(row["accounts"] for row in moved),
        account_changed=by_cause["account changed"],
        icp_changed=by_cause["ICP changed"],
        both=by_cause["both"],
        entered=sum(row["accounts"] for row in rows if row["tier"] and not row["previous_tier"]),
    )


def migration_matrix(migration: pd.DataFrame, tiers: Sequence[str]) -> tuple[MatrixRow, ...]:
    """From which tier (rows, best first, newcomers last) to which tier (columns)."""
    rows = _rows(migration)
    known = list(dict.fromkeys([*tiers, *sorted({r["previous_tier"] for r in rows if r["previous_tier"]})]))
    matrix = [_matrix_row(rows, name, name, tiers) for name in known]
    newcomers = _matrix_row(rows, "", "new", tiers)
    return tuple(row for row in [*matrix, newcomers] if row.total or row.name != "new")


def _matrix_row(rows: list[dict[str, Any]], previous: str, name: str, tiers: Sequence[str]) -> MatrixRow:
    own = [row for row in rows if row["previous_tier"] == previous]
    total = sum(row["accounts"] for row in own if row["tier"] in tiers)
    return MatrixRow(
        name, total, tuple(_cell([r for r in own if r["tier"] == tier], tier == name, total) for tier in tiers)
    )


def _cell(rows: list[dict[str, Any]], is_stay: bool, total: int) -> Cell:
    accounts = sum(row["accounts"] for row in rows)
    split = {short: sum(r["accounts"] for r in rows if r["cause"] == cause) for cause, short in CAUSES.items()}
    causes = () if is_stay else tuple((short, number) for short, number in split.items() if number)
    return Cell(accounts, accounts / total if total else 0.0, is_stay, causes)


def _rows(migration: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "previous_tier": _text(row["previous_tier"]),
            "tier": _text(row["tier"]),
            "cause": _text(row["migration_cause"]),
            "accounts": int(row["accounts"]),
        }
        for row in migration.to_dict("records")
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
