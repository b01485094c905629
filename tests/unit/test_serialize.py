from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from report_sample import profile

from icp.errors import ConfigError
from icp.profile import Bin, BinDictionary, Estimate, LabelRule, Profile, Scorecard
from icp.serialize import from_json, profile_from_yaml, profile_to_yaml, rounded, to_json

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
NUMBERS = st.floats(allow_nan=False)
SMALL = replace(
    profile(), fit=Scorecard("fit", 0.0, 0.1, ()), intent=Scorecard("intent", 0.0, 0.1, ()), tiers=(), tests=()
)


@dataclass(frozen=True)
class Result:
    share: float
    by_bin: tuple[float, ...] = ()
    pair: tuple[str, Estimate] | None = None


def test_a_profile_survives_yaml_in_every_field() -> None:
    original = replace(profile(), label=LabelRule("good_customer", 4, {"min_nps": 7.0}, "won and content"))
    assert profile_from_yaml(profile_to_yaml(original)) == original


def test_a_profile_of_before_labels_were_recorded_is_read() -> None:
    text = profile_to_yaml(profile())
    assert "label: null\n" in text
    assert profile_from_yaml(text.replace("\nlabel: null", "")) == profile()


@settings(max_examples=40, deadline=None)
@given(levels=st.lists(TEXTS, max_size=4), label=TEXTS, edge=NUMBERS, paragraph=TEXTS, name=TEXTS)
def test_any_text_and_number_survives_yaml(
    levels: list[str], label: str, edge: float, paragraph: str, name: str
) -> None:
    bins = BinDictionary("2026Q1", (), {name: (Bin("k", label, None, edge, tuple(levels)),)})
    original = replace(SMALL, bins=bins, paragraph=paragraph, change_points={name: label})
    text = profile_to_yaml(original)
    assert profile_from_yaml(text) == original
    assert profile_to_yaml(profile_from_yaml(text)) == text


@pytest.mark.parametrize(
    "text", ["NO", "yes", "null", "2026-01-01", "1e5", "0x1F", "12:30:00", "~", "", " ", "1_000", "=1"]
)
def test_older_yaml_readers_see_the_same_text(text: str) -> None:
    published = profile_to_yaml(replace(SMALL, change_points={"country": text}))
    assert yaml.safe_load(published)["change_points"] == {"country": text}


def test_a_profile_survives_json_when_rounded() -> None:
    original = rounded(profile())
    assert from_json(Profile, to_json(original)) == original
    assert rounded(original) == original


def test_json_has_sorted_keys_and_ten_digits() -> None:
    text = to_json(Estimate(2 / 3, 1e-12 / 3, 123456789.123456))
    assert list(json.loads(text)) == ["high", "low", "schema_version", "value"]
    assert json.loads(text)["value"] == 0.6666666667
    assert json.loads(text)["high"] == 123456789.1


def test_infinite_and_undefined_numbers_stay_valid_json() -> None:
    back = from_json(Result, to_json(Result(math.inf, (-math.inf, 1.0))))
    assert back == Result(math.inf, (-math.inf, 1.0))
    assert math.isnan(from_json(Result, to_json(Result(math.nan))).share)


def test_numpy_numbers_are_written_as_numbers() -> None:
    assert json.loads(to_json({"n": np.int64(3), "yes": np.bool_(True), "x": np.float64(0.5)})) == {
        "n": 3, "yes": True, "x": 0.5, "schema_version": 1,
    }  # fmt: skip


def test_the_last_bit_of_a_sum_does_not_reach_the_bytes() -> None:
    assert to_json(Result(0.1 + 0.2)) == to_json(Result(0.3))
    assert rounded(Result(0.1 + 0.2)) == Result(0.3)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"share": "much"}, "Result.share: expected a number, found 'much'"),
        ({"share": 1, "by_bin": [0.5, True]}, r"Result.by_bin\[1\]"),
        (
            {"share": 1, "pair": ["a", {"value": 1, "low": 1}]},
            r"Result.pair\[1\]: unknown fields \[\], missing fields \['high'\]",
        ),
        ({"share": 1, "extra": 2}, r"unknown fields \['extra'\]"),
        ({}, r"missing fields \['share'\]"),
    ],
)
def test_a_misfit_names_its_place(body: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_json(Result, json.dumps(body | {"schema_version": 1}))


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 2, "share": 1}', '{"share": 1}'])
def test_what_this_version_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        from_json(Result, text)


@pytest.mark.parametrize("text", ["a: [", "- 1", "schema_version: 1\nicp: main\n"])
def test_a_broken_profile_file_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        profile_from_yaml(text)


def test_a_wrong_grade_in_a_profile_file_names_the_choices() -> None:
    text = profile_to_yaml(profile()).replace("grade: confirmed", "grade: certain", 1)
    with pytest.raises(ConfigError, match=r"Profile.fit.criteria\[0\].grade: expected one of \['confirmed'"):
        profile_from_yaml(text)
