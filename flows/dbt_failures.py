"""What failed in the dbt project, in words: the file, the line, what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from icp import yaml_lines

# Per generic test of this project, what its failing rows mean and the remedy.
MEANINGS = {
    "primary_key": (
        "{model} has {failures} key(s) that are empty or on more than one row. "
        "Make it one row per {columns}: group by it, or keep the newest row."
    ),
    "known_before_observation": (
        "{model} reads the future: {failures} row(s) are made of facts dated after their observation. "
        "Join only rows dated before observed_at."
    ),
    "observed_in_time": (
        "{model} has {failures} observation(s) on more than one row, or made of facts dated after them. "
        "Make it one row per observation, and join only rows dated before observed_at."
    ),
}


def described(project: Path, failed: Sequence[Any]) -> str:
    """One line per failed model or test."""
    return "\n".join(f"  {_place(project, result.node)}: {_what(result)}" for result in failed)


def _what(result: Any) -> str:
    node = result.node
    metadata = getattr(node, "test_metadata", None)
    meaning = MEANINGS.get(metadata.name) if metadata and str(result.status) == "fail" else None
    if metadata is None or meaning is None:
        return f"{node.name}: {_without_macros(result.message or str(result.status))}"
    columns = ", ".join(metadata.kwargs.get("columns", ()))
    return meaning.format(model=_model(node), failures=result.failures, columns=columns)


def _without_macros(message: str) -> str:
    """dbt's words without the trail of its own macros: the remedy is not in them."""
    lines = [line for line in message.splitlines() if not line.lstrip().startswith(("> in macro", "> called by"))]
    return "\n".join(lines).rstrip()


def _place(project: Path, node: Any) -> str:
    path = project / node.original_file_path
    return f"{path.relative_to(project.parent).as_posix()}, line {_line(path, _model(node))}"


def _model(node: Any) -> str:
    attached = getattr(node, "attached_node", None)
    return str(attached).split(".")[-1] if attached else str(node.name)


def _line(path: Path, model: str) -> int:
    """Where the page begins to speak of the model; the first line of anything that is no page."""
    if path.suffix not in (".yml", ".yaml"):
        return 1
    document = yaml_lines.read(path)
    names = [str(entry.get("name")) for entry in document.get("models") or ()]
    return yaml_lines.line_of(document, ("models", names.index(model))) if model in names else 1
