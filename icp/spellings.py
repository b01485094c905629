"""Values no seed knows: each is kept as a value of its own, so a misspelt one would split a group in silence."""

from __future__ import annotations

import csv
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

MOST = 10
# attribute: the seeds that name its values, and the one a spelling is added to, first
_SEEDS = {"country": ("country_synonyms",), "industry": ("industry_synonyms", "industry_codes")}


def unknown_spellings(accounts: pd.DataFrame, seeds: Path) -> tuple[str, ...]:
    """A sentence per attribute with values that are in none of its seeds: which, of how many accounts, what is near.

    Args:
        accounts: The score rows of the feature frame.
        seeds: Folder of the dbt project's seeds; an attribute whose seeds are not there is passed over.
    """
    told = []
    for attribute, names in _SEEDS.items():
        files = [seeds / f"{name}.csv" for name in names]
        if attribute not in accounts or not all(file.exists() for file in files):
            continue
        known, spellings = _known(files, attribute)
        counts = accounts[attribute].dropna().astype(str).value_counts()
        strange = sorted((-int(rows), str(value)) for value, rows in counts.items() if value not in known)
        if strange:
            listed = ", ".join(_told(value, -rows, spellings) for rows, value in strange[:MOST])
            more = f" and {len(strange) - MOST} more" if len(strange) > MOST else ""
            told.append(
                f"{attribute.capitalize()}: {len(strange)} spelling(s) that seeds/{files[0].name} does not know, each kept "
                f"as a value of its own: {listed}{more}. Add those that are another spelling of a known value."
            )
    return tuple(told)


def _known(files: list[Path], attribute: str) -> tuple[set[str], dict[str, str]]:
    """The values there are, and what each spelling (in lower case) means."""
    known: set[str] = set()
    spellings: dict[str, str] = {}
    for file in files:
        with file.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                known.add(row[attribute])
                spellings[row[attribute].lower()] = row[attribute]
                if key := row.get(f"{attribute}_key"):
                    spellings[key.lower()] = row[attribute]
    return known, spellings


def _told(value: str, rows: int, spellings: dict[str, str]) -> str:
    near = get_close_matches(value.lower(), spellings, n=1, cutoff=0.8)
    hint = f", perhaps {spellings[near[0]]}" if near else ""
    return f"{value} ({rows:,} account{'' if rows == 1 else 's'}{hint})"
