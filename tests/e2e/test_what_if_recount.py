"""The what-if panel of the demo: numbers equal to the criteria table and to a recount in SQL for every combination."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from command_line import DemoRun

from flows.reading import read_profile
from icp.profile import Profile
from icp.scoring import compile_scoring_sql, criteria_columns
from icp.serialize import from_json
from icp.what_if import MOST_CRITERIA, WhatIf


@pytest.fixture(scope="module")
def revision(demo_run: DemoRun) -> Path:
    quarters = sorted(demo_run.project.glob("lake/published/main/*/r1"))
    return quarters[-1]


def test_every_combination_equals_a_recount_in_sql(revision: Path) -> None:
    """The engine of the recount shares no code with the panel: `scoring.sql` puts every row in its bins."""
    profile, found = read_profile(revision), published(revision)
    connection = duckdb.connect()
    features = f"read_parquet('{revision / 'features.parquet'}')"
    for table, role in (("universe", "score"), ("outcomes", "label")):
        connection.execute(f"create table {table} as select * from {features} where role = '{role}'")
        connection.execute(f"create table {table}_met as {counted_sql(profile, found, table)}")
    window = ", ".join(f"'{quarter}'" for quarter in profile.window)
    counted = connection.execute(
        f"""
        with asked as (select unnest(range({len(found.combinations)})) as asked),
        patterns as (
            select m.met, 1 as accounts, (not u.is_customer)::int as prospects, 0 as opportunities, 0 as wins
            from universe_met as m inner join universe as u using (account_id)
            union all
            select m.met, 0, 0, 1, (lower(o.is_won::varchar) = 'true')::int
            from outcomes_met as m inner join outcomes as o on m.account_id = o.observation_id
            where o.outcome_quarter in ({window})
        )
        select asked, sum(accounts), sum(prospects), sum(opportunities), sum(wins)
        from asked left join (
            select met, sum(accounts) as accounts, sum(prospects) as prospects, sum(opportunities) as opportunities,
                sum(wins) as wins
            from patterns group by met
        ) as p on (p.met & asked) = asked
        group by asked order by asked
        """
    ).fetchall()
    shown = [(c.asked, c.accounts, c.prospects, c.opportunities, c.wins) for c in found.combinations]
    assert [tuple(int(value or 0) for value in row) for row in counted] == shown
    assert len(found.combinations) == 2 ** len(found.choices) and 2 <= len(found.choices) <= MOST_CRITERIA


def test_one_criterion_gives_the_sum_of_its_lines_in_the_criteria_table(revision: Path) -> None:
    profile, found = read_profile(revision), published(revision)
    for place, choice in enumerate(found.choices):
        criterion = profile.fit.criterion(choice.attribute)
        assert criterion is not None
        lines = [line for line in criterion.bins if line.key in choice.keys]
        one = found.combinations[1 << place]
        assert one.accounts == sum(line.accounts for line in lines)
        if choice.attribute not in profile.change_points:  # whose table counts only outcomes since the change
            assert (one.wins, one.opportunities) == (
                sum(line.wins for line in lines),
                sum(line.opportunities for line in lines),
            )


def test_asking_for_nothing_gives_the_base_rate(revision: Path) -> None:
    profile, everything = read_profile(revision), published(revision).combinations[0]
    assert (everything.wins, everything.opportunities) == (profile.wins, profile.opportunities)
    assert everything.accounts == sum(tier.accounts for tier in profile.tiers)
    assert everything.precision is not None and everything.recall is not None and everything.recall.value == 1
    for own, base in zip(vars(everything.precision).values(), vars(profile.base_rate).values(), strict=True):
        assert own == pytest.approx(base, abs=1e-6)


def published(revision: Path) -> WhatIf:
    return from_json(WhatIf, (revision / "what_if.json").read_text(encoding="utf-8"))


def counted_sql(profile: Profile, found: WhatIf, table: str) -> str:
    """Per row of the table the choices it meets, as bits; outcomes go by their observation."""
    bins = {column.attribute: column.bin_column for column in criteria_columns(profile)}
    relation = "universe" if table == "universe" else "(select * replace (observation_id as account_id) from outcomes)"
    bits = [
        f"(case when {bins[choice.attribute]} in ({', '.join(map(quoted, choice.keys))}) then {1 << place} else 0 end)"
        for place, choice in enumerate(found.choices)
    ]
    return f"select account_id, {' + '.join(bits)} as met from ({compile_scoring_sql(profile, relation=relation)})"


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
