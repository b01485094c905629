"""The command line as tests use it, and a finished run of the demo company to look at."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from icp.cli import main

ROOT = Path(__file__).resolve().parents[2]
QUARTERS = ("2024Q4", "2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1", "2026Q2", "2026Q3")


def icp(*arguments: str, home: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, with a home of its own and every proxy closed to the outside."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DBT_", "ICP_"))},
        "HOME": str(home),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "icp.cli", *arguments],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Said:
    """What the command line answered."""

    stdout: str
    stderr: str


def icp_here(*arguments: str, home: Path, expect: int = 0) -> Said:
    """The command line in this process: the same words and exit codes without a second start of every library."""
    out, err, code, own = io.StringIO(), io.StringIO(), 0, sys.argv
    sys.argv = ["icp", *arguments]
    try:
        with contextlib.chdir(home), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ending:
        code = int(ending.code or 0)
    finally:
        sys.argv = own
    assert code == expect, f"exit {code}\n{out.getvalue()}\n{err.getvalue()}"
    return Said(out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class DemoRun:
    """A finished `icp demo` and what it printed."""

    project: Path
    home: Path
    output: str
    errors: str

    @property
    def published(self) -> Path:
        return self.project / "lake/published/main"

    def revision(self, quarter: str) -> Path:
        return self.published / quarter / "r1"

    def copy(self, target: Path, *, keep_quarters_before: str | None = None) -> Path:
        """The project with its landed loads and, if asked, the quarters published before one; no warehouse."""
        shutil.copytree(self.project, target, ignore=shutil.ignore_patterns("cache", ".prefect", "published"))
        if keep_quarters_before:
            self._copy_published(target / "lake/published/main", keep_quarters_before)
        return target

    def _copy_published(self, target: Path, before: str) -> None:
        for quarter in [q for q in QUARTERS if q < before]:
            shutil.copytree(self.published / quarter, target / quarter)
        lines = (self.published / "approvals.jsonl").read_text().splitlines()
        (target / "approvals.jsonl").write_text("".join(f"{li}\n" for li in lines if _quarter(li) < before))


def _quarter(line: str) -> str:
    return str(json.loads(line)["quarter"])


def tree_hash(folder: Path) -> dict[str, str]:
    """Every file below a folder with the hash of its bytes."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
