"""One thread for linear algebra, set before numpy is imported: small matrices, and every run the same last digit."""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest  # noqa: E402


@pytest.hookimpl(tryfirst=True)  # before the workers read the groups, which they do in a hook of the same name
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests on one worker, and those that look at the one demo run together, so that it runs once."""
    for item in items:
        group = "demo" if "demo_run" in getattr(item, "fixturenames", ()) else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
