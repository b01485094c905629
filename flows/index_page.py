"""Keeps `published/<icp>/index.html` true: read anew from what is published and from the looks between quarters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.compared import UNREADABLE, write_comparisons
from icp.errors import ConfigError

if TYPE_CHECKING:
    from icp.config import Settings
    from icp.drift_report import DriftReport
    from icp.published import Decision, PublishedStore
    from icp.report.index_data import IndexData, IndexedRevision, Standing
    from icp.track_record import TrackedQuarter

INDEX = "index.html"
HEAD_TO_HEAD = "beside-{}.html"
LINKED = ("report.html", "workbook.xlsx", "accounts.csv", "profile.yml")


def write_index(settings: Settings, icp: str) -> Path:
    """Write the index page of one ICP in one step, and what stands beside it; call it under the lock of the lake.

    The pages and files that hold it against the project's other ICPs in force follow every decision: they are made again,
    or go where one of the two is in force no longer.

    Nothing published is touched. What cannot be read (files of an older version) is named on the page, never an error:
    a view must not make a finished refresh fail.
    """
    from icp.published import PublishedStore
    from icp.report.index_page import render_index

    data = index_data(settings, icp)
    path = settings.lake / "published" / icp / INDEX
    _write(path, render_index(data))
    for other in [name for name in settings.icps if name != icp]:
        if other in data.beside:
            _write_head_to_head(settings, icp, other)
        else:
            _drop_head_to_head(settings, icp, other)
        if PublishedStore(settings.lake, other).quarters():
            _write(settings.lake / "published" / other / INDEX, render_index(index_data(settings, other)))
    write_comparisons(settings, icp)
    return path


def _write(path: Path, page: str) -> None:
    from icp import atomic

    if not path.exists() or path.read_bytes() != page.encode():
        atomic.write_bytes(path, page.encode())


def _others_in_force(settings: Settings, store: PublishedStore) -> tuple[str, ...]:
    """The project's other ICPs, where they and this one are in force."""
    from icp.published import PublishedStore

    if store.current() is None:
        return ()
    named = [other for other in settings.icps if other != store.icp]
    return tuple(other for other in named if PublishedStore(settings.lake, other).current() is not None)


def _write_head_to_head(settings: Settings, icp: str, other: str) -> None:
    """The page that holds two ICPs in force against each other, in both their folders; nothing where files are damaged."""
    import pandas as pd

    from flows.reading import find_revision, held_together
    from icp.published import PublishedStore
    from icp.report.head_to_head_page import render_head_to_head

    for one, two in ((icp, other), (other, icp)):
        try:
            first, second = (find_revision(PublishedStore(settings.lake, name), None) for name in (one, two))
            found = held_together(first, second)
            listed = pd.read_parquet(first / "accounts.parquet", columns=["account_id", "account_name"])
        except UNREADABLE:
            continue
        named = listed[listed["account_id"].isin(found.accounts)].dropna()
        names = dict(zip(named["account_id"].astype(str), named["account_name"].astype(str), strict=True))
        page = render_head_to_head(settings.company, found, names)
        _write(settings.lake / "published" / one / HEAD_TO_HEAD.format(two), page)


def _drop_head_to_head(settings: Settings, icp: str, other: str) -> None:
    for one, two in ((icp, other), (other, icp)):
        (settings.lake / "published" / one / HEAD_TO_HEAD.format(two)).unlink(missing_ok=True)


def index_data(settings: Settings, icp: str) -> IndexData:
    """Everything on the page, from the files of the lake alone."""
    from icp.published import PublishedStore
    from icp.report.index_data import IndexData

    store = PublishedStore(settings.lake, icp)
    numbers = [(quarter, number) for quarter in store.quarters() for number in store.revisions(quarter)]
    revisions = tuple(_revision(store, quarter, number) for quarter, number in numbers)
    looks, unread = _looks(settings.lake / "monitor" / icp)
    return IndexData(settings.company, icp, revisions, looks, _record(store), unread, _others_in_force(settings, store))


def _revision(store: PublishedStore, quarter: str, number: int) -> IndexedRevision:
    from flows.reading import read_profile
    from icp.report.index_data import IndexedRevision

    folder, decision = store.path(quarter, number), store.decision_on(quarter, number)
    files = tuple(name for name in LINKED if (folder / name).exists())
    facts: dict[str, Any] = {}
    try:
        body = json.loads((folder / "diff.json").read_text(encoding="utf-8"))
        moves = body["tier_moves"]
        facts = {
            "sentence": str(body["comparison"]["sentence"]),
            "moved": int(moves["moved"]),
            "compared": int(moves["compared"]),
            "profile": read_profile(folder),
        }
    except UNREADABLE:
        facts = {}
    return IndexedRevision(
        quarter, number, _standing(store, decision, quarter, number), decided=_decided(decision), files=files, **facts
    )


def _standing(store: PublishedStore, decision: Decision | None, quarter: str, number: int) -> Standing:
    """What a revision is now: the newest approval is in force, the standing one of an earlier quarter was."""
    current = store.current()
    if decision is None:
        return "undecided"
    if decision.decision == "rolled_back":
        return "rolled back"
    if decision.decision == "held" and store.replaced_by(quarter, number):
        return "replaced"
    if decision.decision != "approved":
        return decision.decision
    if current and (current["quarter"], current["revision"]) == (quarter, number):
        return "in force"
    stands = store.standing_in(quarter)
    return "was in force" if stands is not None and stands.revision == number else "approved"


def _decided(decision: Decision | None) -> str:
    if decision is None:
        return ""
    return f"{decision.decision.replace('_', ' ').capitalize()} {decision.at[:10]} by {decision.by}: {decision.reason}"


def _record(store: PublishedStore) -> tuple[TrackedQuarter, ...]:
    """How each ICP in force did on the next quarter's outcomes."""
    from icp.publication import read_history

    found: dict[str, TrackedQuarter] = {}
    for quarter in store.quarters():
        standing = store.standing_in(quarter)
        folder = store.path(quarter, standing.revision) if standing else store.latest(quarter)
        try:
            found |= {line.quarter: line for line in read_history([folder] if folder else [])}
        except UNREADABLE:
            continue
    return tuple(found[quarter] for quarter in sorted(found))


def _looks(folder: Path) -> tuple[tuple[DriftReport, ...], tuple[str, ...]]:
    """The weekly looks oldest first, and the names of files that cannot be read."""
    from icp.drift_report import DriftReport
    from icp.serialize import from_json

    looks, unread = [], []
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]-*.json")):
        try:
            looks.append(from_json(DriftReport, path.read_text(encoding="utf-8")))
        except (ConfigError, OSError, UnicodeDecodeError):
            unread.append(f"monitor/{folder.name}/{path.name}")
    return tuple(looks), tuple(unread)
