"""The ICP as one plain SQL statement: what every engine runs to score every account.

The statement is the only place where attributes become points outside `icp.derive`; dbt runs it, people paste it
into their warehouse, and a test holds it equal to `icp.bins.encode` row by row. It reads three steps down:
`facts` (the columns it needs), `states` (which bin an account is in), `points` (what that bin is worth).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import sqlglot

from icp.errors import ConfigError
from icp.expected_value import log_error
from icp.profile import (
    MISSING,
    NO,
    OTHER,
    YES,
    ZERO,
    Attribute,
    Axis,
    Bin,
    BinDictionary,
    Criterion,
    Profile,
    Scorecard,
)
from icp.stats import normal_quantile

PLACEHOLDER = "__account_features__"
LONGEST_NAME = 50
DIALECTS = ("duckdb", "snowflake", "bigquery", "postgres", "redshift", "spark", "databricks")
_AUTHORED_IN = "duckdb"
VALUE_TERMS = ("log_value", "log_value_variance", "log_odds_variance")
_AXES: tuple[Axis, ...] = ("fit", "intent")
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_RESERVED = frozenset(  # words some engine refuses as a bare column name
    "all and any as asc between both by case cast check collate column constraint create cross cube current default "
    "delete desc distinct drop else end escape except exists false fetch following for foreign from full grant group "
    "grouping groups having hash if in inner insert intersect interval into is join lateral left like limit lookup "
    "merge natural new no not null nulls of offset on only or order outer over partition preceding primary proto "
    "qualify range recursive references respect right rollup row rows select set some start struct table tag then to "
    "trailing treat true unbounded union unique unnest update user using values when where window with within".split()
)


@dataclass(frozen=True)
class CriterionColumns:
    """Where one criterion is found in the scored table: the bin an account is in and the points it earned.

    `source_column` is empty for a segment, which is read from several.
    """

    attribute: str
    label: str
    axis: Axis
    source_column: str
    bin_column: str
    points_column: str


def compile_scoring_sql(profile: Profile, relation: str = PLACEHOLDER, dialect: str = "duckdb") -> str:
    """The statement that scores every account of a feature table with this ICP.

    One row per row of `relation`, which must have `account_id` and the profile's source columns: the bin and the
    points of each criterion, `fit_score` and `intent_score` (sums of the points, 0-100), `win_probability` (of
    an opportunity worked at an account with that fit; of no meaning for accounts nobody would work), and
    `expected_value` with its 95 % interval (null without a value part). It ends without a semicolon so that it can be
    embedded.

    Args:
        profile: The ICP to compile. Without criteria every account scores 0.
        relation: The table, written as the target engine wants it.
        dialect: One of DIALECTS.
    """
    if dialect not in DIALECTS:
        raise ConfigError(f"No scoring SQL for the dialect '{dialect}'. Choose one of: {', '.join(DIALECTS)}.")
    authored = _statement(profile)
    compiled = sqlglot.transpile(authored, read=_AUTHORED_IN, write=dialect, pretty=True)[0]
    return f"{_header(profile, relation)}\n{compiled.replace(PLACEHOLDER, relation)}\n"


def criteria_columns(profile: Profile) -> tuple[CriterionColumns, ...]:
    """The columns of the scored table that carry each criterion, in the order of the scorecards.

    Column names are plain (`bin_…`, `points_…` and the attribute's name reduced to letters, digits and
    underscores) because warehouses and Parquet readers disagree about anything else, and short because Postgres drops
    what goes beyond 63 characters: two segments that differ only in their last condition would become one column.
    """
    taken: set[str] = set()
    columns = []
    for axis, criterion in _criteria(profile):
        name = _unused(_plain(criterion.attribute)[:LONGEST_NAME].rstrip("_"), taken)
        attribute = profile.bins.attribute(criterion.attribute)
        source = "" if attribute.conditions else attribute.column
        columns.append(
            CriterionColumns(criterion.attribute, criterion.label, axis, source, f"bin_{name}", f"points_{name}")
        )
    return tuple(columns)


def _criteria(profile: Profile) -> Iterator[tuple[Axis, Criterion]]:
    for axis in _AXES:
        yield from ((axis, criterion) for criterion in profile.scorecard(axis).criteria)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "attribute"


def _unused(name: str, taken: set[str]) -> str:
    candidates = (name if n == 1 else f"{name}_{n}" for n in range(1, len(taken) + 2))
    free = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(free)
    return free


def _header(profile: Profile, relation: str) -> str:
    lines = (
        f"ICP {profile.icp}, {profile.quarter} (points of {profile.derived_in}).",
        "Scores every account: one row per account_id with the bin and the points of each criterion,",
        "fit_score and intent_score (sums of points, 0-100), win_probability and expected_value with its interval.",
        f"To use: {relation} is your table of account features, one row per account",
        "(it needs account_id and the columns read in `facts`).",
        "Compiled from the published profile. Do not edit: change the profile and compile again.",
    )
    return "\n".join(f"-- {' '.join(line.split())}" for line in lines)


def _statement(profile: Profile) -> str:
    columns = criteria_columns(profile)
    criteria = [criterion for _, criterion in _criteria(profile)]
    places = {c.attribute: c.bin_column for c in columns} | _driver_columns(profile, columns)
    attributes = {name: profile.bins.attribute(name) for name in places}
    states = [f"{_state(attributes[name], profile.bins)} AS {place}" for name, place in places.items()]
    points = [
        f"{_points(criterion, c.bin_column)} AS {c.points_column}"
        for criterion, c in zip(criteria, columns, strict=True)
    ]
    value = [f"{term} AS {name}" for name, term in _value_terms(profile, places).items()]
    chance = _probability(profile.fit) if profile.gives_probability else "CAST(NULL AS DOUBLE)"
    bins = list(places.values())
    passed = (*bins, *(c.points_column for c in columns), "fit_score", "intent_score")
    return (
        f"WITH facts AS (SELECT {_list('account_id', _facts(_read(attributes.values(), profile.bins)))} FROM {PLACEHOLDER}), "
        f"states AS (SELECT {_list('account_id', states)} FROM facts), "
        f"points AS (SELECT {_list('account_id', bins, points, value)} FROM states), "
        f"scores AS (SELECT {_list('points.*', _sums(columns))} FROM points), "
        f"chances AS (SELECT scores.*, {chance} AS win_probability FROM scores) "
        f"SELECT {_list('account_id', passed, ['win_probability'], _expected_value())} FROM chances"
    )


def _driver_columns(profile: Profile, columns: tuple[CriterionColumns, ...]) -> dict[str, str]:
    """Where the bins of value drivers that are no criteria are found: attribute -> column."""
    taken = {column.bin_column.removeprefix("bin_") for column in columns}
    known = {column.attribute for column in columns}
    drivers = profile.value.drivers if profile.value else ()
    return {d.attribute: f"bin_{_unused(_plain(d.attribute), taken)}" for d in drivers if d.attribute not in known}


def _value_terms(profile: Profile, places: Mapping[str, str]) -> dict[str, str]:
    """Log value of a win and the variances of it and of the log odds, each a sum over bins (`icp.expected_value`)."""
    value = profile.value
    if value is None:
        return dict.fromkeys(VALUE_TERMS, "CAST(NULL AS DOUBLE)")
    logs, log_variances, odds_variances = [], [], []
    for driver in value.drivers:
        estimates = {b.key: b.multiplier for b in driver.bins}
        logs.append(_cases(places[driver.attribute], {k: math.log(e.value) for k, e in estimates.items()}))
        log_variances.append(_cases(places[driver.attribute], {k: log_error(e) ** 2 for k, e in estimates.items()}))
    for criterion in profile.fit.criteria:
        errors = {b.key: log_error(b.odds) ** 2 for b in criterion.bins}
        odds_variances.append(_cases(places[criterion.attribute], errors))
    starts = (math.log(value.level.value), log_error(value.level) ** 2, value.win_error**2)
    sums = (
        " + ".join([_number(start), *terms])
        for start, terms in zip(starts, (logs, log_variances, odds_variances), strict=True)
    )
    return dict(zip(VALUE_TERMS, sums, strict=True))


def _cases(column: str, numbers: Mapping[str, float]) -> str:
    cases = " ".join(f"WHEN {_literal(key)} THEN {_number(number)}" for key, number in numbers.items())
    return f"CASE {column} {cases} ELSE 0 END"


def _expected_value() -> Iterator[str]:
    """The mean and both ends of its interval, the chance's made in log odds (`icp.expected_value.ExpectedValues`)."""
    mean, z = "win_probability * EXP(log_value)", _number(normal_quantile())
    yield f"{mean} AS expected_value"
    for name, sign, other in (("low", "-", ""), ("high", "", "-")):
        moved = f"LN(win_probability + (1 - win_probability) * EXP({other}{z} * SQRT(log_odds_variance)))"
        error = f"SQRT(POWER({moved}, 2) + POWER({z} * SQRT(log_value_variance), 2))"
        yield f"{mean} * EXP({sign}{error}) AS expected_value_{name}"


def _list(first: str, *rest: Iterable[str]) -> str:
    return ", ".join([first, *(item for part in rest for item in part)])


def _read(attributes: Iterable[Attribute], dictionary: BinDictionary) -> Iterator[Attribute]:
    """The attributes that have a column: those of a segment's conditions in its place."""
    for attribute in attributes:
        if attribute.conditions:
            yield from (dictionary.attribute(condition.attribute) for condition in attribute.conditions)
        else:
            yield attribute


def _facts(attributes: Iterable[Attribute]) -> Iterator[str]:
    """The source columns, once each, with NaN as what it is: a number nobody knows."""
    kinds = {attribute.column: attribute.kind for attribute in attributes}
    for column, kind in kinds.items():
        name = _identifier(column)
        number = f"CAST({name} AS DOUBLE)"
        # NaN fails this comparison on engines that sort it above infinity and on those that compare it with nothing
        known = f"CASE WHEN {number} <= CAST('Infinity' AS DOUBLE) THEN {number} END AS {name}"
        yield known if kind == "numeric" else name


def _state(attribute: Attribute, dictionary: BinDictionary) -> str:
    if attribute.conditions:
        return _segment_state(attribute, dictionary)
    column, bins = _identifier(attribute.column), dictionary.bins[attribute.name]
    if attribute.member:
        cases = _member_cases(column, attribute.member)
    elif attribute.kind == "numeric":
        cases = _numeric_cases(column, bins)
    elif attribute.kind == "flag":
        cases = [f"WHEN {column} THEN '{YES}'", f"WHEN NOT {column} THEN '{NO}'"]
    else:
        cases = _level_cases(column, bins)
    return f"CASE WHEN {column} IS NULL THEN '{MISSING}' {' '.join(cases)} END"


def _segment_state(segment: Attribute, dictionary: BinDictionary) -> str:
    """No when a condition fails, yes when all hold, not known when none fails and something is not known."""
    states = [(_state(dictionary.attribute(c.attribute), dictionary), c.keys) for c in segment.conditions]
    fails = " OR ".join(f"{state} NOT IN ({_literals((*keys, MISSING))})" for state, keys in states)
    holds = " AND ".join(f"{state} IN ({_literals(keys)})" for state, keys in states)
    return f"CASE WHEN {fails} THEN '{NO}' WHEN {holds} THEN '{YES}' ELSE '{MISSING}' END"


def _member_cases(column: str, member: str) -> list[str]:
    delimited = f"CONCAT('|', {column}, '|')"
    return [f"WHEN STRPOS({delimited}, {_literal(f'|{member}|')}) > 0 THEN '{YES}'", f"ELSE '{NO}'"]


def _numeric_cases(column: str, bins: tuple[Bin, ...]) -> list[str]:
    zero = [f"WHEN {column} = 0 THEN '{ZERO}'" for state in bins if state.key == ZERO]
    ranges = [
        f"WHEN {_range(column, state)} THEN {_literal(state.key)}" for state in bins if state.key not in (ZERO, MISSING)
    ]
    return [*zero, *ranges, f"ELSE '{MISSING}'"]


def _range(column: str, state: Bin) -> str:
    low = [] if state.lower is None else [f"{column} >= {_number(state.lower)}"]
    high = [] if state.upper is None else [f"{column} < {_number(state.upper)}"]
    return " AND ".join(low + high) or f"{column} IS NOT NULL"


def _level_cases(column: str, bins: tuple[Bin, ...]) -> list[str]:
    named = [state for state in bins if state.levels and state.key != OTHER]
    cases = [f"WHEN {column} IN ({_literals(state.levels)}) THEN {_literal(state.key)}" for state in named]
    unseen = OTHER if any(state.key == OTHER for state in bins) else MISSING
    return [*cases, f"ELSE '{unseen}'"]


def _points(criterion: Criterion, bin_column: str) -> str:
    cases = " ".join(f"WHEN {_literal(effect.key)} THEN {effect.points}" for effect in criterion.bins)
    return f"CASE {bin_column} {cases} ELSE 0 END"


def _sums(columns: tuple[CriterionColumns, ...]) -> Iterator[str]:
    for axis in _AXES:
        total = " + ".join(c.points_column for c in columns if c.axis == axis) or "0"
        yield f"{total} AS {axis}_score"


def _probability(scorecard: Scorecard) -> str:
    line = f"{_number(scorecard.intercept)} + {_number(scorecard.slope)} * fit_score"
    return f"1.0 / (1.0 + EXP(-({line})))"


def _identifier(name: str) -> str:
    is_plain = _PLAIN_NAME.fullmatch(name) and name not in _RESERVED
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literals(texts: Iterable[str]) -> str:
    return ", ".join(_literal(text) for text in texts)


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
