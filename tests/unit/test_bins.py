import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icp.bins import encode, kernel, make_bins, nice_number
from icp.errors import ConfigError
from icp.profile import Attribute


def attribute(name, kind, **more):
    return Attribute(name, kind, more.pop("family", "firmographic"), name.title(), **more)


def binned(values, kind="numeric", **more):
    """Dictionary of one column, its bins without `missing`, and its codes."""
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    dictionary = make_bins(frame, [attribute("x", kind, **more)], "2026Q1")
    name = dictionary.attributes[0].name if dictionary.attributes else "x"
    return dictionary, dictionary.bins[name][:-1], encode(frame, dictionary)[name].tolist()


def test_stated_cuts_are_half_open_and_read_as_people_say_them():
    _, bins, codes = binned([10, 11, 50, 51, 5001, None] * 20, cuts=(11, 51, 201))
    assert [b.label for b in bins] == ["up to 10", "11-50", "51-200", "201 or more"]
    assert [b.key for b in bins] == ["..11", "11..51", "51..201", "201.."]
    assert codes[:6] == [0, 1, 1, 2, 3, 4]


def test_stated_cuts_without_rows_between_them_are_merged():
    _, bins, _ = binned([5, 30, 300] * 40, cuts=(11, 51, 201, 501, 1001))
    assert [b.label for b in bins] == ["up to 10", "11-200", "201 or more"]


def test_money_is_written_as_money():
    _, bins, _ = binned([4e5, 6e5, 2e6] * 30, cuts=(500_000, 1_500_000), unit="USD")
    assert [b.label for b in bins] == ["under $500k", "$500k to $1.5M", "$1.5M or more"]


def test_quantile_cuts_are_nice_numbers_and_no_bin_is_thin():
    values = np.exp(np.random.default_rng(0).normal(5, 1.5, 2000))
    dictionary, bins, codes = binned(list(values))
    assert 5 <= len(bins) <= 8
    assert all(nice_number(b.lower) == b.lower for b in bins[1:])
    assert np.bincount(codes).min() >= 60
    assert dictionary.made_in == "2026Q1"


def test_many_zeros_are_a_bin_of_their_own():
    _, bins, codes = binned([0] * 30 + [1] * 30 + [2] * 30 + [7] * 30 + [None] * 10)
    assert bins[0].key == "zero"
    assert [b.label for b in bins] == ["none", "1", "2", "3 or more"] or bins[1].label.startswith("1")
    assert set(codes[:30]) == {0}
    assert 0 not in codes[30:]


def test_few_zeros_are_ordinary_numbers():
    _, bins, _ = binned([0] * 5 + list(range(1, 96)))
    assert bins[0].key != "zero"


def test_rare_levels_and_levels_never_seen_are_other():
    dictionary, bins, codes = binned(["saas"] * 300 + ["retail"] * 200 + ["mining"] * 2 + [None] * 5 + [""], "category")
    assert [b.key for b in bins] == ["saas", "retail", "other"]
    assert codes[-8:] == [2, 2, 3, 3, 3, 3, 3, 2]
    later = encode(pd.DataFrame({"x": ["fintech", "saas", None]}), dictionary)
    assert later["x"].tolist() == [2, 0, 3]


def test_a_level_called_missing_is_not_the_missing_bin():
    _, bins, codes = binned(["missing", "a", None] * 30, "category")
    assert codes[:3] != [2, 0, 2]
    assert len({*codes[:3]}) == 3
    assert len({b.key for b in bins} | {"missing"}) == len(bins) + 1


def test_flags_in_every_spelling():
    _, bins, codes = binned([True, False, None, 1, 0, "yes", "No"] * 5, "flag")
    assert [b.key for b in bins] == ["no", "yes"]
    assert codes[:7] == [1, 0, 2, 1, 0, 1, 0]


def test_common_members_of_a_set_become_candidates():
    values = ["|aws|snowflake|", "|aws|", "||", None] * 50 + ["|cobol|"]
    frame = pd.DataFrame({"tech": values})
    dictionary = make_bins(frame, [attribute("tech", "set", family="technographic")], "2026Q1")
    assert [a.name for a in dictionary.attributes] == ["tech=aws", "tech=snowflake"]
    aws = dictionary.attributes[0]
    assert (aws.kind, aws.source_column, aws.member, aws.column) == ("flag", "tech", "aws", "tech")
    assert encode(frame, dictionary)["tech=snowflake"].tolist()[:4] == [1, 0, 0, 2]


def test_a_member_is_not_found_inside_another():
    frame = pd.DataFrame({"tech": ["|awsx|", "|aws|"] * 10})
    dictionary = make_bins(frame, [attribute("tech", "set")], "2026Q1")
    assert encode(frame, dictionary)["tech=aws"].tolist()[:2] == [0, 1]


def test_infinite_nan_and_unreadable_numbers():
    dictionary, _, codes = binned([1.0, 2.0, 3.0, 4.0] * 20 + [float("nan"), "n/a", None], cuts=(3,))
    assert codes[-3:] == [2, 2, 2]
    extremes = pd.DataFrame({"x": [np.inf, -np.inf]})
    assert encode(extremes, dictionary)["x"].tolist() == [1, 0]


def test_constant_empty_and_absent_columns_have_one_state():
    frame = pd.DataFrame({"same": [3.0] * 10, "none": [None] * 10})
    attributes = [attribute("same", "numeric"), attribute("none", "category"), attribute("absent", "flag")]
    codes = encode(frame, make_bins(frame, attributes, "2026Q1"))
    assert (codes.nunique() == 1).all()
    assert encode(frame, make_bins(frame, [attribute("absent", "set")], "2026Q1")).shape == (10, 0)


def test_declared_twice_is_refused():
    with pytest.raises(ConfigError, match="declared twice"):
        make_bins(pd.DataFrame({"x": [1]}), [attribute("x", "numeric")] * 2, "2026Q1")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=1, max_size=60))
def test_bins_cover_the_line_and_codes_follow_them(values):
    _, bins, codes = binned(values)
    for value, code in zip(values, codes, strict=True):
        if value is None:
            assert code == len(bins)
        elif bins[0].key == "zero" and value == 0:
            assert code == 0
        else:
            state = bins[code]
            assert (state.lower is None or value >= state.lower) and (state.upper is None or value < state.upper)


@given(st.floats(1e-6, 1e12))
def test_nice_numbers_are_near_and_stay_put(value):
    nice = nice_number(value)
    assert 0.79 < nice / value < 1.27
    assert nice_number(nice) == nice


def test_kernels_by_kind():
    frame = pd.DataFrame({"n": range(100), "c": ["a", "b"] * 50, "s": ["|m|", "||", "||", None] * 25})
    attributes = [attribute("n", "numeric"), attribute("c", "category"), attribute("s", "set")]
    dictionary = make_bins(frame, attributes, "2026Q1")
    codes = encode(frame, dictionary)
    kernels = {a.name: kernel(a, dictionary.bins[a.name], codes[a.name].to_numpy()) for a in dictionary.attributes}
    assert kernels["n"][0, 1] > 0
    assert (kernels["c"] == np.eye(4)).all()
    assert kernels["s=m"][:, 2].tolist() == [0, 0, 0]
