"""One page of a Bulk job's result: CSV whose header, row count and locator must fit together."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import httpx

from icp.errors import TryLater
from icp.sources.again import Again


def read_page(answer: httpx.Response, names: Sequence[str], sobject: str) -> tuple[list[dict[str, Any]], str]:
    """The records of a page, empty cells as None, and the locator of the next page.

    Raises:
        Again: The page is not whole, or no CSV.
        TryLater: It lacks a selected field.
    """
    try:
        text = answer.content.decode("utf-8-sig").replace("\x00", "")  # NUL bytes occur in what people typed
    except UnicodeDecodeError:
        raise Again("it answered text that is not UTF-8") from None
    if text.lstrip()[:1] in ("<", "{"):
        raise Again("it answered no CSV")
    try:
        header, *rows = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    except csv.Error as problem:
        raise Again(f"it answered broken CSV ({problem})") from None
    told = answer.headers.get("sforce-numberofrecords")
    if any(len(row) != len(header) for row in rows) or (told is not None and told != str(len(rows))):
        raise Again(f"it answered {len(rows):,} rows where it announced {told or 'others'}")
    lacking = [name for name in names if name not in header]
    if lacking and rows:
        raise TryLater(f"Salesforce left {', '.join(lacking)} out of its result for {sobject}. Run `icp ingest` again.")
    records = [{name: value or None for name, value in zip(header, row, strict=True)} for row in rows]
    return records, str(answer.headers.get("sforce-locator", "null"))
