"""`icp check` says without data what a refresh would stop at: names of attributes, rules of another kind, pins."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.project_check import check_project
from icp.config import load
from icp.errors import ConfigError
from icp.scaffold.project import init


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checked")
    init(folder)
    return folder


def checked(project: Path, icps: str) -> int:
    text = (project / "icp.yml").read_text(encoding="utf-8")
    own = project / "own.yml"
    own.write_text(text[: text.index("\nicps:")] + f"\nicps:\n  main:\n{icps}", encoding="utf-8")
    return check_project(load(own))


@pytest.mark.parametrize(
    ("icps", "said"),
    [
        ("    population: {employes: {min: 200}}\n", r"own\.yml, line 24: .*Did you mean `employees`"),
        ("    population: {employees: {in: [yes]}}\n", r"own\.yml, line 24: .*give `min` and `max`"),
        ("    attributes: {include: [emploees]}\n", "emploees"),
        ("    exclude_attributes: [nothing_like_it]\n", "nothing_like_it"),
        ("    label: {kind: good_customer, require: [{min_tenure_months: 3}], pins: pins.csv}\n", r"pins\.csv"),
    ],
)
def test_what_a_refresh_would_stop_at_is_said(project: Path, icps: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        checked(project, icps)


def test_a_filter_that_fits_is_sound(project: Path) -> None:
    assert checked(project, "    population: {employees: {min: 200}, country: {in: [US]}}\n") == 0
