"""The container file, as far as it can be held without an engine: sources, user, and the commands it names exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from typer.main import get_command

from icp.cli import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
STEPS = [line.split(maxsplit=1) for line in TEXT.splitlines() if line and not line.startswith("#")]


def arguments(word: str) -> list[str]:
    return [rest for name, rest in STEPS if name == word]


def test_every_step_is_one_a_builder_knows_and_ends_as_a_plain_user() -> None:
    assert STEPS[0][0] == "FROM"
    assert {name for name, _ in STEPS} <= {"FROM", "ENV", "WORKDIR", "COPY", "RUN", "USER", "CMD"}
    assert arguments("USER")[-1] not in {"root", "0"}
    assert not any("apt-get" in run or "curl" in run for run in arguments("RUN"))
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (image,) = arguments("FROM")
    assert re.search(r":3\.11", image) and "3.11" in python


def test_what_is_copied_is_there_and_is_enough_to_run_from(tmp_path: Path) -> None:
    """The copied files alone, in a folder of their own, answer `icp schema` and `icp init`."""
    sources = [name for copy in arguments("COPY") for name in copy.split()[:-1]]
    ignored = (ROOT / ".dockerignore").read_text().split()
    for name in sources:
        assert (ROOT / name).exists() and name not in ignored, name
        (tmp_path / name).symlink_to(ROOT / name)
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {built["readme"], "pyproject.toml"} <= set(sources)
    code = "import sys; from icp.cli import main; sys.argv = ['icp', 'init', 'p']; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 0 and "deployments.yaml" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "p/dbt_project/dbt_project.yml").exists()


def test_the_command_it_runs_is_one_of_icp() -> None:
    program, verb, *options = json.loads(arguments("CMD")[0])
    command = get_command(app).commands[verb]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert program == "icp" and {option for option in options if option.startswith("--")} <= known
