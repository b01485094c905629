"""The three boundaries where Great Expectations may stop a run: landing, features, outbound lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icp.errors import GateFailed, NotEnoughEvidence

if TYPE_CHECKING:
    import pandas as pd

    from expectations.gate import GateResult
    from icp.lake import Lake, StagedLoad
    from icp.profile import Attribute, Profile


# Loads a source must have brought before its volume is judged, and how far below the smallest of them is suspicious.
HISTORY, SHRINKAGE = 4, 3


@dataclass(frozen=True)
class LandingGate:
    """What the gate found in every table of one load; one refused table refuses the load."""

    load_id: str
    results: tuple[GateResult, ...]

    @property
    def success(self) -> bool:
        return all(result.success for result in self.results)

    def to_dict(self) -> dict[str, Any]:
        """The report kept beside the load."""
        return {"schema_version": 1, "load_id": self.load_id, "results": [r.to_dict() for r in self.results]}

    def summary(self) -> str:
        """The refused tables in words, and what a person can do about the load."""
        refused = [result.summary() for result in self.results if not result.success]
        after = (
            f"  The load is kept in quarantine. Mend the file or its mapping and run `icp ingest` again, or accept it as "
            f'it is:\n  icp quarantine release {self.load_id} --reason "…"'
        )
        return "\n".join([*refused, after])


def check_landing(lake: Lake, staged: StagedLoad, project: Path | None = None) -> LandingGate:
    """Run each table's landing suite on what was staged; the suites of `project` come before the shipped ones."""
    from expectations.gate import read_landed, run_suite, suite_path

    manifest = staged.manifest
    results = []
    for name in staged.tables:
        parameters = {
            "effective_at": manifest.effective_at,
            "extracted_at": manifest.extracted_at,
            # a pull of what changed is as small as what changed
            "rows_min": None if manifest.cursors else _credible_rows(lake, staged.source, name),
        }
        frame = read_landed([staged.table_path(name)])
        label = f"{staged.source} {name} of {manifest.effective_at:%Y-%m-%d}"
        index = ("_source_file", "_row")
        suite = suite_path(f"landing/{name}", project)
        results.append(run_suite(suite, frame, label=label, index_columns=index, parameters=parameters))
    return LandingGate(staged.load_id, tuple(results))


def _credible_rows(lake: Lake, source: str, table: str) -> int | None:
    """The fewest rows a complete extract may hold: a third of the smallest of the last loads, none without history."""
    loads = [load for load in lake.accepted_loads() if load.source == source and table in load.tables]
    recent = [load.tables[table].rows for load in loads[-HISTORY:]]
    return min(recent) // SHRINKAGE if len(recent) == HISTORY else None


def check_features(
    labels: pd.DataFrame,
    universe: pd.DataFrame,
    attributes: Sequence[Attribute],
    *,
    as_of: datetime,
    quarter: str,
    may_lack_outcomes: bool = False,
    project: Path | None = None,
    why_none: str = "",
) -> GateResult:
    """Refuse a feature frame the statistics must not be given.

    `may_lack_outcomes`: the profile will rest on stated beliefs, so the quarter need not have brought an outcome.
    `why_none`: what may have kept its outcomes away, in sentences for whom it is refused.

    Raises:
        NotEnoughEvidence: the quarter brought no outcome at all; there is nothing to learn or to test.
        GateFailed: a rule of the features suite does not hold.
    """
    import pandas as pd

    from expectations.gate import run_suite, suite_path

    has_outcomes = bool((labels["outcome_quarter"] == quarter).any())
    if not has_outcomes and not may_lack_outcomes:
        raise NotEnoughEvidence(
            f"No outcome is known for {quarter}, so there is nothing to learn from it; nothing was published. "
            f"{why_none + ' ' if why_none else ''}"
            "Land the deals or the revenue of that quarter, then refresh again; a company without outcomes can start "
            "from what it believes (`hypotheses:` in icp.yml)."
        )
    columns = sorted({attribute.column for attribute in attributes})
    parameters = {
        "as_of": as_of,
        "newest_quarter": quarter if has_outcomes else None,
        "universe_rows": len(universe),
        "attributes": columns,
    }
    frame = pd.concat([labels, universe], ignore_index=True)
    index = ("observation_id",)
    result = run_suite(
        suite_path("features", project),
        frame,
        label=f"features of {quarter}",
        index_columns=index,
        parameters=parameters,
    )
    return _passed(result)


def check_leaks(
    labels: pd.DataFrame, attributes: Sequence[Attribute], *, accepted: Sequence[str], quarter: str
) -> dict[str, Any]:
    """Refuse attributes that know the outcome; the answer is the report kept with the revision.

    Raises:
        GateFailed: an attribute was written down after the outcome, with the evidence and what to do about it.
        ConfigError: `accepted` names something that is no attribute.
    """
    from icp.leaks import find_leaks

    leaks = find_leaks(labels, attributes, accepted=accepted)
    if leaks:
        told = [f"  FAILED  {leak.label} ({leak.column}): {leak.evidence}" for leak in leaks]
        columns = ", ".join(leak.column for leak in leaks)
        remedy = (
            "          do: find out when it is written down. If it is filled in or changed once the outcome is known, "
            f"leave it out (`exclude_attributes: [{columns}]` in icp.yml) or map the value as it was before; if it is "
            f"honest, vouch for it (`leak_audit: {{accept: [{columns}]}}`)."
        )
        names = "1 attribute knows" if len(leaks) == 1 else f"{len(leaks)} attributes know"
        head = f"gate leaks on features of {quarter}: refused, {names} the outcome"
        raise GateFailed("\n".join(["Nothing was published.", head, *told, remedy]))
    audited = sorted({attribute.column for attribute in attributes})
    return {"schema_version": 1, "success": True, "audited": audited, "accepted": sorted(accepted), "leaks": []}


def check_past(
    labels: pd.DataFrame,
    before: pd.DataFrame,
    attributes: Sequence[Attribute],
    *,
    accepted: Sequence[str],
    own: Callable[[], set[str]],
    quarter: str,
) -> dict[str, Any]:
    """Whether deals looked at before are explained as they were then; the answer is the report kept with the revision.

    Args:
        labels: Label rows of this quarter.
        before: Label rows as the incumbent saw them, made by the same code.
        attributes: The candidates.
        accepted: Columns a person vouches for (`leak_audit.accept`).
        own: Columns of the team's own features, asked for when something is wrong.
        quarter: For the message.

    Raises:
        GateFailed: a feature of the team's own is another than it was. A column of a vendor or the CRM that is gets a note:
            they restate history.
    """
    from icp.restated import restated

    found = restated(before, labels, attributes, accepted=accepted)
    theirs = own() if found else set()
    wrong = [each for each in found if each.column in theirs]
    if wrong:
        told = [f"  FAILED  {each.sentence}" for each in wrong]
        columns = ", ".join(each.column for each in wrong)
        remedy = (
            "          do: join only rows dated before observed_at, whatever newest_fact_at says; if a source restated its "
            f"history, vouch for it (`leak_audit: {{accept: [{columns}]}}` in icp.yml)."
        )
        head = f"gate past on features of {quarter}: refused, {len(wrong)} feature(s) read what happened later"
        raise GateFailed("\n".join(["Nothing was published.", head, *told, remedy]))
    notes = [f"{each.sentence}. If no source restated its history, find out what fills it in." for each in found]
    shared = len(set(labels["observation_id"]) & set(before["observation_id"]))
    return {"schema_version": 1, "success": True, "compared": shared, "notes": notes}


def check_outbound(
    accounts: pd.DataFrame,
    profile: Profile,
    capacities: Mapping[str, float],
    universe: int,
    project: Path | None = None,
) -> GateResult:
    """Refuse an account list that is not fit to leave.

    Raises:
        GateFailed: a rule of the outbound suite does not hold.
    """
    from expectations.capacity import tier_limits
    from expectations.gate import run_suite, suite_path

    parameters = {
        "universe_rows": universe,
        "tier_limits": tier_limits(capacities) if profile.tiers else None,
    }
    label = f"accounts of {profile.quarter}"
    index = ("account_id",)
    result = run_suite(
        suite_path("outbound/accounts", project), accounts, label=label, index_columns=index, parameters=parameters
    )
    return _passed(result)


def check_lists(lists: pd.DataFrame, accounts: pd.DataFrame, quarter: str, project: Path | None = None) -> GateResult:
    """Refuse lists that name a stranger, repeat an account, or let through one that asked not to be contacted.

    Raises:
        GateFailed: a rule of the outbound suite of lists does not hold.
    """
    from expectations.gate import run_suite, suite_path

    guarded = set(accounts.loc[accounts["do_not_contact"], "account_id"])
    is_outreach = ~lists["list"].isin(["do_not_contact", "customers_no_longer_fit"])
    frame = lists.assign(
        is_account=lists["account_id"].isin(set(accounts["account_id"])),
        breaks_guard=is_outreach & lists["account_id"].isin(guarded),
    )
    return _passed(
        run_suite(
            suite_path("outbound/lists", project),
            frame,
            label=f"lists of {quarter}",
            index_columns=("list", "account_id"),
        )
    )


def _passed(result: GateResult) -> GateResult:
    if not result.success:
        raise GateFailed(f"Nothing was published.\n{result.summary()}")
    return result
