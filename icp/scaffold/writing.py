"""Writing scaffolded files: all of them or none, and never over something that is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from icp.errors import ConfigError

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,40}$")


@dataclass(frozen=True)
class Scaffold:
    """What was written (paths below the project's folder), what was edited, and what to do next, step by step."""

    written: tuple[Path, ...]
    edited: tuple[Path, ...]
    next_steps: tuple[str, ...]

    def in_words(self) -> str:
        """As the command line says it."""
        lines = [f"  {path.as_posix()}" for path in self.written]
        lines += [f"  {path.as_posix()} (edited)" for path in self.edited]
        steps = [f"  {number}. {step}" for number, step in enumerate(self.next_steps, start=1)]
        return "\n".join(["Written:", *lines, "Next:", *steps])


def require_name(name: str, what: str) -> None:
    """Refuse a name that could not be a column, a model and a file."""
    if not _NAME.match(name):
        raise ConfigError(
            f"{name!r} cannot name a {what}: use lower case letters, digits and _, such as support_tickets."
        )


def require_own(dbt_project: Path) -> None:
    """Refuse to write into an installed package: the next upgrade would lose it."""
    if dbt_project.parent.name == "_project":
        raise ConfigError(
            "This project uses the dbt project inside the installed package, which is not yours to edit. "
            "Run `icp init` in the folder of icp.yml: it lays a copy down there and overwrites nothing."
        )


def require_macro(dbt_project: Path, name: str) -> None:
    """Refuse a dbt project laid down before the scaffolded files had what they call."""
    texts = (path.read_text(encoding="utf-8") for path in (dbt_project / "macros").rglob("*.sql"))
    if not any(re.search(rf"macro {name}\(", text) for text in texts):
        raise ConfigError(
            f"{dbt_project.name}/macros has no {name}(): this dbt project was laid down by an older version. Run `icp init` "
            f"in an empty folder, copy its {dbt_project.name}/macros over, and compare {dbt_project.name}.yml."
        )


def template(name: str, words: Mapping[str, str]) -> str:
    """A file of `templates/` with every $word filled in."""
    text = (resources.files("icp.scaffold") / "templates" / name).read_text(encoding="utf-8")
    return Template(text).substitute(words)


def write_new(root: Path, files: Mapping[Path, str]) -> tuple[Path, ...]:
    """Write all files, none of which may exist; answers their paths below `root`.

    Raises:
        ConfigError: one of them exists; nothing was written.
    """
    existing = [path for path in files if path.exists()]
    if existing:
        names = ", ".join(path.relative_to(root).as_posix() for path in existing)
        raise ConfigError(f"{names} exists already; nothing was written. Choose another name, or remove it first.")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tuple(path.relative_to(root) for path in files)


def insert_after(path: Path, pattern: str, text: str, *, otherwise: str) -> str:
    """The content of `path` with `text` put behind the last match of `pattern`.

    Raises:
        ConfigError: nothing matches; `otherwise` says what to do by hand.
    """
    content = path.read_text(encoding="utf-8")
    matches = list(re.finditer(pattern, content, re.MULTILINE))
    if not matches:
        raise ConfigError(f"{path.name}: {otherwise}")
    end = matches[-1].end()
    return content[:end] + text + content[end:]
