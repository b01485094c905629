"""Answers read from what has been published; nothing here computes a feature or writes to the lake but a decision."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icp.errors import ConfigError

if TYPE_CHECKING:
    from icp.head_to_head import HeadToHead
    from icp.profile import Profile
    from icp.published import DecisionKind, PublishedStore

_REFERENCE = re.compile(r"(?P<quarter>\d{4}Q[1-4])(/r(?P<revision>\d+))?")


def find_revision(store: PublishedStore, reference: str | None) -> Path:
    """The folder a person means: `2026Q1/r2`, the last revision of `2026Q1`, or the ICP in force when nothing is named.

    Raises:
        ConfigError: there is no such revision; the message lists what there is.
    """
    if reference is None:
        current = store.current()
        if current is None:
            raise ConfigError(
                f"No ICP '{store.icp}' is in force yet. Run `icp refresh`, or name a quarter with --quarter."
            )
        return store.require(current["quarter"], current["revision"])
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ConfigError(f"{reference!r} is not a revision. Write 2026Q3, or 2026Q3/r2 for an older revision.")
    if match["revision"]:
        return store.require(match["quarter"], int(match["revision"]))
    latest = store.latest(match["quarter"])
    if latest is None:
        published = ", ".join(store.quarters()) or "nothing yet"
        raise ConfigError(f"{store.icp} {match['quarter']} has not been published; published: {published}.")
    return latest


def read_profile(revision: Path) -> Profile:
    """The profile a revision published."""
    return _parsed((revision / "profile.yml").read_text(encoding="utf-8"))


@lru_cache(maxsize=32)
def _parsed(text: str) -> Profile:
    """One run reads the same profiles again and again, for the comparison, the record and the index page."""
    from icp.serialize import profile_from_yaml

    return profile_from_yaml(text)


def compare_revisions(store: PublishedStore, before: str, after: str, *, as_json: bool) -> str:
    """What differs between two published profiles, tested on the outcomes the later one was derived from."""
    from icp.customers import untested_diff
    from icp.decomposition import with_decomposition
    from icp.diff import compare
    from icp.feature_frame import read_label_rows
    from icp.report import comparison_markdown
    from icp.serialize import to_json
    from icp.window import comparable_outcomes

    earlier, later = find_revision(store, before), find_revision(store, after)
    old, new = read_profile(earlier), read_profile(later)
    if old.quarter >= new.quarter:
        raise ConfigError(f"{before} is not earlier than {after}: a change is tested on the later quarter's outcomes.")
    labels = read_label_rows(later)
    if old.contrast == new.contrast == "won_or_lost":
        labels, _ = comparable_outcomes(labels, new.quarter)
        found = with_decomposition(compare(old, new, labels, new.quarter), old, new, labels)
    else:
        found = untested_diff(old, new, labels)
    return to_json(found) if as_json else comparison_markdown(found, old, new)


def compare_icps(one: PublishedStore, other: PublishedStore, reference: str | None, *, as_json: bool) -> str:
    """Two ICPs of one project side by side, in force or of one quarter: shared accounts, and the same figures of both."""
    from icp.head_to_head import head_to_head_text
    from icp.serialize import to_json

    if one.icp == other.icp:
        raise ConfigError(f"{one.icp} is named twice: name two ICPs, such as `icp compare emea americas`.")
    result = held_together(find_revision(one, reference), find_revision(other, reference))
    return to_json(result) if as_json else head_to_head_text(result)


def held_together(first: Path, second: Path) -> HeadToHead:
    """The head-to-head of two revisions of different ICPs."""
    import pandas as pd

    from icp.backtest import Backtest
    from icp.head_to_head import head_to_head
    from icp.serialize import from_json

    def judged(revision: Path) -> Backtest | None:
        body = json.loads((revision / "backtest.json").read_text(encoding="utf-8"))
        if body["backtest"] is None:
            return None
        return from_json(Backtest, json.dumps({**body["backtest"], "schema_version": body["schema_version"]}))

    one, other = (pd.read_parquet(f / "accounts.parquet", columns=["account_id", "tier"]) for f in (first, second))
    return head_to_head((read_profile(first), read_profile(second)), (one, other), (judged(first), judged(second)))


def decide_by_hand(
    store: PublishedStore, reference: str, decision: DecisionKind, *, by: str, reason: str, at: datetime
) -> str:
    """Record a person's decision on a published revision; answers what is in force now."""
    if not reason.strip():
        raise ConfigError("--reason is empty: whoever reads the log in a year needs to know why.")
    revision = find_revision(store, reference)
    manifest = store.manifest(revision)
    name = f"{manifest['quarter']}/r{manifest['revision']}"
    new = store.record_decision(manifest["quarter"], manifest["revision"], decision, by=by, reason=reason, at=at)
    current = store.current()
    in_force = f"{current['quarter']}/r{current['revision']} is the ICP in force." if current else "No ICP is in force."
    return f"{name} {decision} by {by}. {in_force}" if new else f"{name} was {decision} already. {in_force}"


def quarantined(lake_root: Path, *, as_json: bool) -> str:
    """Every refused load with the rules it broke, oldest first."""
    from icp.lake import Lake

    loads = Lake(lake_root).quarantined()
    if as_json:
        return json.dumps([{"load": q.manifest.to_json(), "report": q.report} for q in loads], indent=2)
    if not loads:
        return "Quarantine is empty."
    return "\n".join(line for load in loads for line in _quarantined_lines(load))


def _quarantined_lines(load: Any) -> list[str]:
    head = f"{load.manifest.load_id}  {load.manifest.source}, {', '.join(load.manifest.tables)}"
    failures = [f for result in load.report.get("results", []) for f in result.get("failures", [])]
    return [head, *(f"    {f['rule']}: {f['unexpected_count'] or f['detail']} in {f['column']}" for f in failures)]
