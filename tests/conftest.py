"""One thread for linear algebra, set before numpy is imported: small matrices, and every run the same last digit."""

import os
from pathlib import Path

import pytest

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# xdist starts files with the most tests first, which leaves the slowest set-ups (few tests each) for the end, where one
# worker waits for the other. The order here is by seconds instead. Those that read the demo's run would only wait for it
# if they came sooner: they come last, the two long ones one for each worker.
_LONGEST_FIRST = (
    "test_demo_run.py",
    "test_adventureworks.py",
    "test_dbt_features.py",
    "test_bad_input.py",
    "test_dbt_serving.py",
    "test_dbt_project.py",
    "test_cold_start.py",
    "test_wins_only.py",
    "test_demo_vendors.py",
    "test_several_icps.py",
    "test_extending.py",
)
_LAST = ("test_scoring_elsewhere.py", "test_what_if_recount.py", "test_demo_copies.py", "test_prefect.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.path))


def _place(path: Path) -> int:
    if path.name in _LAST:
        return len(_LONGEST_FIRST) + 1 + _LAST.index(path.name)
    return _LONGEST_FIRST.index(path.name) if path.name in _LONGEST_FIRST else len(_LONGEST_FIRST)
