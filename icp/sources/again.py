"""An attempt that failed in a way that often passes: asked again soon, or left for the next pull."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from icp.errors import TryLater
from icp.sources.manners import retry_after, until

LONGEST_PAUSE = 120.0
"""Seconds a vendor may ask to be left alone; one that asks for more is asked again by the next pull."""


class Again(Exception):
    """This attempt failed in a way that often passes; `wait` is what the vendor asked for.

    `unpaid`: the vendor gave no answer that could have cost something, unlike one that broke off on its way.
    """

    def __init__(self, what: str, wait: float | None = None, *, unpaid: bool = False) -> None:
        super().__init__(what)
        self.wait, self.unpaid = wait, unpaid


def put_off(vendor: str, what: str, headers: Mapping[str, str], kept: str) -> Again | TryLater:
    """The error of an answer that means "not now": to be asked again after the pause it names, or by the next pull.

    Args:
        vendor: Its name.
        what: What it answered, in words.
        headers: Of the answer.
        kept: What becomes of the pull.
    """
    wait = retry_after(headers)
    if wait is None or wait <= LONGEST_PAUSE:
        return Again(what, wait)
    spell = until(headers, wait)
    return TryLater(f"{vendor} could not be read: {what} and asks to be left alone for {spell}. {kept}")


def as_json(answer: httpx.Response, shape: type = dict) -> Any:
    """The JSON object (or what `shape` says) an answer holds.

    Raises:
        Again: It holds something else.
    """
    try:
        content = answer.json()
    except ValueError:
        is_page = answer.text.lstrip()[:1] == "<"  # of some proxy on the way
        raise Again(f"it answered {'HTML' if is_page else 'text that is not JSON'}", unpaid=is_page) from None
    if not isinstance(content, shape):
        raise Again(f"it answered JSON that is no {'object' if shape is dict else 'list'}")
    return content
