"""A new destination: the list one system is sent, its exposure in dbt docs, and a gate of its own."""

from __future__ import annotations

from pathlib import Path

from icp.errors import ConfigError
from icp.scaffold.writing import Scaffold, require_macro, require_name, require_own, template, write_new

_SENDING = """destinations:
  {name}: {{kind: webhook, list: {name}, url_env: {upper}_URL, secret_env: {upper}_SECRET}}"""


def new_destination(dbt_project: Path, name: str) -> Scaffold:
    """Write the serving model `sync_<name>`, its page with a unit test and an exposure, and its outbound suite.

    Every refresh then publishes `destinations/sync_<name>.parquet` with the revision, when the suite lets it through.

    Raises:
        ConfigError: the name is none, or a file of that destination exists.
    """
    require_own(dbt_project)
    require_name(name, "destination")
    require_macro(dbt_project, "export_destination")
    if found := [path.relative_to(dbt_project.parent) for path in (dbt_project / "models").rglob(f"sync_{name}.sql")]:
        raise ConfigError(f"{found[0].as_posix()} exists already; nothing was written. Choose another name.")
    words = {"name": name, "label": name.replace("_", " ").capitalize()}
    serving, root = dbt_project / "models/serving", dbt_project.parent
    written = write_new(
        root,
        {
            serving / f"sync_{name}.sql": template("destination.sql", words),
            serving / f"sync_{name}.yml": template("destination.yml", words),
            root / f"expectations/outbound/{name}.yml": template("destination_suite.yml", words),
        },
    )
    return Scaffold(written, (), _next_steps(written, name))


def _next_steps(written: tuple[Path, ...], name: str) -> tuple[str, ...]:
    sql, page, suite = (path.as_posix() for path in written)
    return (
        f"{sql}: choose the columns and rows {name} is sent, under the names it uses.",
        f"{page}: describe them and their types, and name the owner of the exposure.",
        f"{suite}: allow exactly these columns; what the suite refuses stops the revision.",
        f"icp refresh: the revision holds destinations/sync_{name}.parquet.",
        "icp.yml: say how it is sent (webhook, postgres or storage), or point a loader of your own at that file:\n"
        + _SENDING.format(name=name, upper=name.upper()),
        f"icp sync plan {name}: what would be sent; `icp sync apply {name} PLAN` sends it.",
    )
