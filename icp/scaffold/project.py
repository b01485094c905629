"""A project in a folder of its own: configuration, dbt project, suites, flows, deployments, CI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from string import Template

import icp
from icp.scaffold.writing import Scaffold

_PACKAGE = Path(icp.__file__).resolve().parent
_MADE_BY_RUNS = {"target", "logs", "dbt_packages", "__pycache__"}


def init(folder: Path) -> tuple[Scaffold, tuple[str, ...]]:
    """Lay down what is missing of a project; answers what was written and what was there and stays as it is.

    A part that exists, a file or a whole folder such as dbt_project, is never touched.
    """
    written, kept = [], []
    for part, files in _parts():
        if (folder / part).exists():
            kept.append(part)
            continue
        for name, content in files:
            path = folder / part / name if name else folder / part
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        written.append(Path(part))
    return Scaffold(tuple(written), (), _next_steps()), tuple(kept)


def _parts() -> Iterator[tuple[str, Iterator[tuple[str, bytes]]]]:
    """By part, its files: name below the part (empty when the part is the file itself) and content."""
    yield "icp.yml", iter([("", _template("icp.yml"))])
    yield "dbt_project", _folder(_shipped("dbt_project"), "*")
    yield "expectations", _folder(_PACKAGE.parent / "expectations", "*.yml")
    yield "flows", iter([("deployed.py", _template("deployed.py"))])
    yield "deployments.yaml", iter([("", _deployments())])
    yield ".gitignore", iter([("", _template("gitignore"))])
    yield ".github/workflows/icp.yml", iter([("", _template("ci.yml"))])


def _shipped(name: str) -> Path:
    """Where this package keeps a part: beside it in a clone, inside it when installed."""
    candidates = (_PACKAGE / "_project" / name, _PACKAGE.parent / name)
    return next(path for path in candidates if path.exists())


def _folder(root: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(root.rglob(pattern)):
        relative = path.relative_to(root)
        if path.is_file() and path.suffix not in (".duckdb", ".wal") and not _MADE_BY_RUNS.intersection(relative.parts):
            yield relative.as_posix(), path.read_bytes()


def _template(name: str) -> bytes:
    text = (resources.files("icp.scaffold") / "templates" / "project" / name).read_text(encoding="utf-8")
    return (Template(text).substitute(version=icp.__version__) if name == "ci.yml" else text).encode()


def _deployments() -> bytes:
    """The shipped deployments, with every flow taken from the one file of flows a project has."""
    text = _shipped("deployments.yaml").read_text(encoding="utf-8")
    return re.sub(r"entrypoint: flows/\w+[.]py:", "entrypoint: flows/deployed.py:", text).encode()


def _next_steps() -> tuple[str, ...]:
    return (
        "icp.yml: name your company, and say which column of your exports is which; then put the exports in extracts/.",
        "icp check: says what is wrong with icp.yml and the feature pages, line by line.",
        "icp ingest, then icp refresh: the first report.",
        "git init && git add . : the project is code, the lake is not.",
    )
