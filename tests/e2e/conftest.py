"""The demo company, run once for every worker together through the real command line, Prefect included."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from command_line import DemoRun, icp
from filelock import FileLock


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> DemoRun:
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    finished = shared / "demo_run.json"
    with FileLock(shared / "demo_run.lock"):
        if not finished.exists():
            run = _run_demo(shared)
            finished.write_text(json.dumps({k: str(v) for k, v in asdict(run).items()}))
    kept = json.loads(finished.read_text())
    return DemoRun(Path(kept["project"]), Path(kept["home"]), kept["output"], kept["errors"])


def _run_demo(shared: Path) -> DemoRun:
    home, project = shared / "demo_home", shared / "demo"
    home.mkdir(exist_ok=True)
    done = icp("demo", "--directory", str(project), home=home)
    return DemoRun(project, home, done.stdout, done.stderr)
