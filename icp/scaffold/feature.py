"""A new attribute: a feature model, the page that declares and tests it, and its name on the project's list."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from icp import feature_pages
from icp.attributes import KINDS
from icp.errors import ConfigError
from icp.profile import Family
from icp.scaffold.writing import Scaffold, require_macro, require_name, require_own, template, write_new

# Per kind: the column's type, how the example computes it, and what its unit test expects before and after two deals.
_EXAMPLES = {
    "numeric": ("double", "cast(count(history.account_id) as double)", "0", "2"),
    "flag": ("boolean", "count(history.account_id) > 0", "false", "true"),
    "category": ("string", "max_by(history.what, history.happened_at)", "null", "won"),
    "set": (
        "string",
        "'|' || coalesce(max(case when history.what = 'lost' then 'lost|' end), '')\n"
        "        || coalesce(max(case when history.what = 'won' then 'won|' end), '')",
        '"|"',
        '"|lost|won|"',
    ),
}


def new_feature(dbt_project: Path, name: str, *, family: str, kind: str, label: str | None = None) -> Scaffold:
    """Write the model and page of attribute `name`, with a unit test that passes, and put it on `added_features`.

    The files hold a working example (deals decided before the observation) to be replaced.

    Raises:
        ConfigError: the name, family or kind is none; the attribute exists; the list cannot be found.
    """
    require_own(dbt_project)
    require_name(name, "feature")
    require_macro(dbt_project, "join_added_features")
    _require(family, get_args(Family), "family")
    _require(kind, KINDS, "kind")
    _require_free(dbt_project, name)
    project_file = dbt_project / feature_pages.PROJECT_FILE
    listed = _with_name(project_file, name)
    data_type, expression, before, after = _EXAMPLES[kind]
    words = {
        "name": name,
        "model": feature_pages.PREFIX + name,
        "family": family,
        "kind": kind,
        "label": label or name.replace("_", " ").capitalize(),
        "data_type": data_type,
        "expression": expression,
        "before": before,
        "after": after,
    }
    folder = dbt_project / feature_pages.FOLDER
    files = {folder / f"{words['model']}{ending}": template(f"feature{ending}", words) for ending in (".sql", ".yml")}
    root = dbt_project.parent
    written = write_new(root, files)
    project_file.write_text(listed, encoding="utf-8")
    return Scaffold(written, (project_file.relative_to(root),), _next_steps(dbt_project, written, name))


def _require(value: str, allowed: tuple[str, ...], what: str) -> None:
    if value not in allowed:
        raise ConfigError(f"There is no {what} {value!r}; use one of {', '.join(allowed)}.")


def _require_free(dbt_project: Path, name: str) -> None:
    for model, page in feature_pages.pages(dbt_project).items():
        if name in feature_pages.declared(page):
            raise ConfigError(f"{model} has an attribute {name} already. Choose another name, or edit that model.")


def _with_name(project_file: Path, name: str) -> str:
    """dbt_project.yml with the name on the list: behind the others, or on a list of its own under `vars:`."""
    text = project_file.read_text(encoding="utf-8")
    key = feature_pages.LIST
    if found := re.search(rf"^( +{key}:\s*\[)([^\]\n]*)\]", text, re.MULTILINE):
        names = [part.strip() for part in found.group(2).split(",") if part.strip()]
        return f"{text[: found.start()]}{found.group(1)}{', '.join([*names, name])}]{text[found.end() :]}"
    if found := re.search(rf"^( +){key}:[^\n]*\n(?:\1 *- [^\n]*\n)+", text, re.MULTILINE):
        last = found.group(0).rstrip("\n").rsplit("\n", maxsplit=1)[-1]
        return f"{text[: found.end()]}{last[: last.index('-')]}- {name}\n{text[found.end() :]}"
    if key not in text and (found := re.search(r"^vars:[^\n]*\n", text, re.MULTILINE)):
        return f"{text[: found.end()]}  {key}: [{name}]\n{text[found.end() :]}"
    raise ConfigError(
        f"{project_file.name}: the list {key} under `vars:` cannot be read. Write it on one line:  {key}: [{name}]"
    )


def _next_steps(dbt_project: Path, written: tuple[Path, ...], name: str) -> tuple[str, ...]:
    sql, page = (path.as_posix() for path in written)
    folder = dbt_project.name
    return (
        f"{sql}: replace the example with your own fact; one row per observation, nothing dated after it.",
        f"{page}: describe it, give it cuts if its numbers have natural ones, make its unit test yours.",
        f"Test it on no data: dbt build --project-dir {folder} --profiles-dir {folder} --select "
        f"+{feature_pages.FRAME} +fct_account_declared_attributes",
        f"icp refresh: {name} is a candidate of the next profile, on the coverage table and in dbt docs. No Python.",
    )
