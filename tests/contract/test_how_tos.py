"""The how-tos name commands, options and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from icp.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs/how-to").glob("*.md"))


def test_there_is_one_for_everything_that_can_be_added() -> None:
    kinds = set(get_command(app).commands["new"].commands)  # type: ignore[attr-defined]
    assert {f"add-a-{kind}" for kind in kinds} == {p.stem for p in PAGES if p.stem.startswith("add-a-")} and len(
        kinds
    ) == 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_one_the_command_line_knows(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    commands = re.findall(r"^(?:`)?icp ((?:new )?[a-z][a-z-]*)([^`\n]*)", text, re.MULTILINE)
    assert commands
    for verb, rest in commands:
        done = CliRunner().invoke(app, [*verb.split(), "--help"], env={"COLUMNS": "200"})
        assert done.exit_code == 0, f"icp {verb}"
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in re.sub(r"\x1b\[[0-9;]*m", "", done.output), f"icp {verb} {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_it_names_is_scaffolded_or_there(page: Path, tmp_path: Path) -> None:
    import shutil

    from icp.scaffold.destination import new_destination
    from icp.scaffold.feature import new_feature
    from icp.scaffold.source import new_source

    own = tmp_path / "dbt_project"
    shutil.copytree(ROOT / "dbt_project", own, ignore=shutil.ignore_patterns("target", "logs"))
    new_feature(own, "events_sponsored", family="relationship", kind="numeric")
    new_source(own, "tickets")
    new_destination(own, "helpdesk")
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:dbt_project|expectations|tests)/[\w/.]+\.\w+)`", text))
    assert named or not page.stem.startswith("add-a-")
    assert [name for name in sorted(named) if not (tmp_path / name).exists() and not (ROOT / name).exists()] == []
    links = re.findall(r"\]\(([^)#]+)", text)
    assert [link for link in links if not (page.parent / link).resolve().exists()] == []
