"""Where a dbt project declares the features a team added, and what is wrong with them before dbt is asked."""

from __future__ import annotations

from pathlib import Path

from icp import yaml_lines
from icp.errors import ConfigError

PREFIX = "feat_account__"
LIST = "added_features"
PROJECT_FILE = "dbt_project.yml"


def added_models(dbt_project: Path) -> tuple[str, ...]:
    """The feature models `added_features` lists, in its order: `support` stands for feat_account__support.

    Raises:
        ConfigError: dbt_project.yml cannot be read, or the list is no list of names.
    """
    document = yaml_lines.read(dbt_project / PROJECT_FILE)
    names = yaml_lines.plain((document.get("vars") or {}).get(LIST) or [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        line = yaml_lines.line_of(document, ("vars", LIST))
        raise ConfigError(f"{PROJECT_FILE}, line {line}: {LIST} is a list of names, such as [support]. Mend it.")
    return tuple(PREFIX + name for name in names)
