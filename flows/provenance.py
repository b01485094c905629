"""What a revision was made from: the code, the configuration and the accepted loads, each as one hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import icp

_SUFFIXES = {".py", ".sql", ".yml", ".yaml", ".csv", ".html", ".j2", ".css", ".txt"}
_SKIPPED = {"target", "logs", "__pycache__", "demo", "notify"}


def code_hash(dbt_project: Path) -> str:
    """One hash over every file whose change could change a published byte; the demo and alerts are not among them."""
    package = Path(icp.__file__).parent
    roots = [package, package.parent / "flows", package.parent / "expectations", dbt_project]
    own_suites = dbt_project.parent / "expectations"
    if own_suites.is_dir() and own_suites.resolve() != roots[2].resolve():
        roots.append(own_suites)
    digest = hashlib.sha256(icp.__version__.encode())
    for root in roots:
        for path in _sources(root):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def run_key(parts: Iterable[str]) -> str:
    """The identity of a refresh: equal parts mean an equal revision, so there is nothing to do."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _sources(root: Path) -> list[Path]:
    found = (p for p in root.rglob("*") if p.suffix in _SUFFIXES and p.is_file())
    return sorted(p for p in found if not _SKIPPED.intersection(p.relative_to(root).parts[:-1]))
