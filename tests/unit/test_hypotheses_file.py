"""hypotheses.yml: every mistake is named with its line and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from icp import config
from icp.errors import ConfigError
from icp.hypotheses_file import read_hypotheses, resolve
from icp.profile import Attribute

GOOD = """hypotheses:
  - attribute: employees
    direction: in
    bins: [[51, 500], [1001, null]]
    strength: medium
    author: Ada
    date: 2026-01-15
    source: 12 interviews
    note: they have a buyer but no team of their own
  - {attribute: industry, direction: out, values: Public, strength: weak}
  - {attribute: model, direction: in, values: [B2B], strength: strong}
  - {attribute: uses, direction: in, values: [snowflake], strength: weak}
  - {attribute: has_parent, direction: out, strength: weak}
  - {attribute: age, direction: lower, strength: weak}
"""
ATTRIBUTES = (
    Attribute("employees", "numeric", "firmographic", "Employees"),
    Attribute("age", "numeric", "firmographic", "Age"),
    Attribute("industry", "category", "firmographic", "Industry"),
    Attribute("attr_model", "category", "firmographic", "Model"),
    Attribute("uses", "set", "technographic", "Uses"),
    Attribute("has_parent", "flag", "firmographic", "Parent"),
)


def read(folder: Path, text: str = GOOD):
    path = folder / "hypotheses.yml"
    path.write_text(text, encoding="utf-8")
    return resolve(read_hypotheses(path), ATTRIBUTES, path)


def test_beliefs_are_read_with_who_said_them_and_when(tmp_path):
    first, second, third, *_ = read(tmp_path)
    assert first.bins == ((51.0, 500.0), (1001.0, None)) and first.date == "2026-01-15" and first.author == "Ada"
    assert first.odds == 2.0 and second.odds == pytest.approx(1 / 1.5)
    assert second.values == ("Public",) and second.line == 10
    assert third.attribute == "attr_model"


WRONG = {
    "unknown attribute": ("attribute: industry", "attribute: sector", ["line 10", "sector", "employees", "model"]),
    "near miss": ("attribute: industry", "attribute: industri", ["line 10", "Did you mean `industry`"]),
    "unknown strength": ("strength: medium", "strength: huge", ["line 5", "strength"]),
    "unknown key": ("author: Ada", "auther: Ada", ["line 6", "auther", "author"]),
    "no direction": ("    direction: in\n", "", ["direction", "required"]),
    "values of a number": ("bins: [[51, 500], [1001, null]]", "values: [big]", ["line 2", "bins"]),
    "range upside down": ("[51, 500]", "[500, 51]", ["line 2", "least, most"]),
    "scale of a category": ("direction: out, values: Public", "direction: higher", ["line 10", "category", "values"]),
    "number without a range": (
        "    direction: in\n    bins: [[51, 500], [1001, null]]",
        "    direction: in",
        ["line 2", "higher"],
    ),
    "category without values": ("values: [B2B], ", "", ["line 11", "name the `values`"]),
    "the opposite": (
        "  - {attribute: age",
        "  - {attribute: industry, direction: in, values: [public], strength: weak}\n  - {attribute: age",
        ["line 14", "contradicts", "line 10"],
    ),
    "neither yes nor no": ("has_parent, direction: out", "has_parent, values: [maybe], direction: out",
                           ["line 13", "'maybe'", "values: [yes]"]),
    "yes and no": ("has_parent, direction: out", "has_parent, values: [true, no], direction: out",
                   ["line 13", "every account"]),
    "no number": ("[51, 500]", "[51, .nan]", ["line 2", "write null"]),
    "endless by name": ("[51, 500]", "[51, .inf]", ["line 2", "write null"]),
    "empty value": ("values: Public", "values: ''", ["line 10", "empty"]),
    "a date in words": ("date: 2026-01-15", "date: last spring", ["line 7", "'last spring'", "2026-01-15"]),
    "a year alone": ("date: 2026-01-15", "date: 2026", ["line 7", "2026 is not a day"]),
    "a member of no set": ("attribute: industry", "attribute: industry=Public", ["line 10", "one member of a set"]),
    "again under its full name": ("  - {attribute: age", "  - {attribute: attr_model, direction: in, values: [b2b], "
                                  "strength: weak}\n  - {attribute: age", ["line 14", "says again", "line 11", "b2b"]),
    "the opposite of a member": ("  - {attribute: age", "  - {attribute: uses=Snowflake, direction: out, "
                                 "strength: weak}\n  - {attribute: age", ["line 14", "contradicts", "line 12"]),
    "the opposite of a flag": ("  - {attribute: age", "  - {attribute: has_parent, values: [false], direction: out, "
                               "strength: weak}\n  - {attribute: age", ["line 14", "contradicts", "line 13"]),
    "the opposite of a range": ("  - {attribute: age", "  - {attribute: employees, direction: out, bins: [400, 900], "
                                "strength: weak}\n  - {attribute: age", ["line 14", "contradicts", "line 2", "400-900"]),
    "twice in one belief": ("values: [B2B]", "values: [B2B, b2b]", ["line 11", "says again what it says"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_named_with_its_line(tmp_path, name):
    old, new, said = WRONG[name]
    assert GOOD.count(old) == 1
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, GOOD.replace(old, new))
    for words in ("hypotheses.yml, line", *said):
        assert words in str(caught.value)


def test_beliefs_beside_each_other_are_no_contradiction(tmp_path):
    more = """  - {attribute: employees, direction: out, bins: [500, 1000], strength: weak}
  - {attribute: industry, direction: in, values: ["no", "yes"], strength: weak, date: "2026-01-31"}
  - {attribute: uses, direction: out, values: [dbt], strength: weak}
"""
    found = read(tmp_path, GOOD + more)
    assert len(found) == 9 and found[7].date == "2026-01-31"


def test_a_day_that_does_not_exist_is_no_traceback(tmp_path):
    with pytest.raises(ConfigError, match=r"hypotheses\.yml.*dates"):
        read(tmp_path, GOOD.replace("2026-01-15", "2026-02-30"))


ICP = """config_version: 1
company: Tiny
sources:
  crm:
    kind: files
    tables:
      accounts: {path: a.csv, columns: {account_id: id}}
icps:
  main: {hypotheses: hypotheses.yml}
"""


def test_what_is_believed_is_part_of_the_configuration(tmp_path):
    (tmp_path / "icp.yml").write_text(ICP)
    with pytest.raises(ConfigError, match=r"hypotheses\.yml does not exist"):
        config.load(tmp_path, {})
    (tmp_path / "hypotheses.yml").write_text(GOOD)
    one = config.load(tmp_path, {})
    (tmp_path / "hypotheses.yml").write_text(GOOD.replace("medium", "strong"))
    other = config.load(tmp_path, {})
    assert len(one.hypotheses["main"]) == 6 and one.config_hash != other.config_hash
