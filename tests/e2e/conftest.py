"""The demo company, run once for the whole session through the real command line, Prefect included."""

from __future__ import annotations

import pytest
from command_line import DemoRun, icp


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    home = tmp_path_factory.mktemp("home")
    project = tmp_path_factory.mktemp("demo") / "demo"
    done = icp("demo", "--directory", str(project), home=home)
    return DemoRun(project, home, done.stdout, done.stderr)
