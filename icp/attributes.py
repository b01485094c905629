"""Which columns of the feature frame may become criteria, as declared where the feature is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from icp.errors import ConfigError
from icp.profile import Attribute, Family, Kind

KINDS = tuple(kind for kind in get_args(Kind) if kind != "segment")  # segments are found, not declared
OUTCOME, NEVER = "outcome_", ("is_won", "is_worked", "is_customer")


def from_columns(columns: Mapping[str, Mapping[str, Any]], place: str) -> tuple[Attribute, ...]:
    """The attributes a dbt model declares with `meta: {icp: …}` on its columns; other columns are not candidates.

    Args:
        columns: By column name, its `description` and `meta`, as dbt's manifest holds them.
        place: The model's name, for error messages.

    Raises:
        ConfigError: a declaration names an unknown kind or family, cuts that do not ascend, or a column that knows the
            outcome.
    """
    return tuple(
        _attribute(name, column, f"{place}.{name}") for name, column in columns.items() if "icp" in column["meta"]
    )


def candidates(
    built_in: Sequence[Attribute],
    declared: Sequence[Attribute],
    excluded: Sequence[str],
    included: Sequence[str] = (),
    families: Sequence[Family] = (),
) -> tuple[Attribute, ...]:
    """All attributes an ICP may consider, sorted by name, without the ones its section excludes.

    Args:
        built_in: what the dbt project declares.
        declared: what icp.yml declares.
        excluded: names that must never become criteria.
        included: the only names that may; all when empty.
        families: the only families that may; all when empty.

    Raises:
        ConfigError: a name is no attribute, or nothing is left.
    """
    known = {attribute.name: attribute for attribute in (*built_in, *declared)}
    names = {name.removeprefix("attr_"): name for name in known} | {name: name for name in known}
    unknown = sorted(set(excluded) - set(names))
    if unknown:
        raise ConfigError(
            f"exclude_attributes names {', '.join(unknown)}, which is no attribute. There are: {', '.join(sorted(known))}."
        )
    left_out = {names[name] for name in excluded}
    strange = sorted(set(included) - set(names))
    if strange:
        raise ConfigError(
            f"attributes.include names {', '.join(strange)}, which is no attribute. There are: {', '.join(sorted(known))}."
        )
    allowed = {names[name] for name in included} or set(known)
    found = tuple(
        known[name]
        for name in sorted(known)
        if name in allowed - left_out and (not families or known[name].family in families)
    )
    if not found:
        raise ConfigError("`attributes` leaves no attribute to learn from. Include more, or exclude less.")
    return found


def _attribute(name: str, column: Mapping[str, Any], place: str) -> Attribute:
    meta = column["meta"]["icp"]
    if name in NEVER or name.startswith(OUTCOME):
        raise ConfigError(f"{place} is known only after the outcome and can be no attribute: take its meta.icp away.")
    _require(meta.get("kind"), KINDS, f"{place}: kind")
    _require(meta.get("family"), get_args(Family), f"{place}: family")
    given = meta.get("cuts", [])
    if not isinstance(given, list) or not all(isinstance(cut, (int, float)) for cut in given):
        raise ConfigError(f"{place}: cuts must be a list of numbers such as [1, 5, 20]; they are {given!r}.")
    cuts = tuple(float(cut) for cut in given)
    if list(cuts) != sorted(set(cuts)):
        raise ConfigError(f"{place}: cuts must ascend without repeats, they are {list(cuts)}.")
    return Attribute(
        name=name,
        kind=meta["kind"],
        family=meta["family"],
        label=str(meta.get("label") or "") or name.replace("_", " ").capitalize(),
        unit=str(meta.get("unit") or ""),
        cuts=cuts,
        description=" ".join(str(column.get("description", "")).split()),
    )


def _require(value: Any, allowed: Sequence[str], place: str) -> None:
    if value not in allowed:
        raise ConfigError(f"{place} is {value!r}; it must be one of {', '.join(allowed)}.")
