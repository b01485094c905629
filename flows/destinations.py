"""What each destination is sent: left in the revision by its sync_ model, and let through by its own suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from icp.errors import GateFailed

if TYPE_CHECKING:
    from expectations.gate import GateResult

FOLDER, PREFIX = "destinations", "sync_"


@contextmanager
def room_for_destinations(working: Path) -> Iterator[None]:
    """The folder sync_ models write into while dbt runs; a project without any leaves none behind."""
    folder = working / FOLDER
    folder.mkdir(exist_ok=True)
    yield
    if not any(folder.iterdir()):
        folder.rmdir()


def check_destinations(working: Path, project: Path) -> dict[str, GateResult]:
    """By destination, what its suite `outbound/<name>` found in what it will be sent.

    Raises:
        ConfigError: a destination has no suite.
        GateFailed: a critical rule does not hold; nothing is published.
    """
    import pandas as pd

    from expectations.gate import run_suite, suite_path

    found = {}
    for path in sorted((working / FOLDER).glob(f"{PREFIX}*.parquet")):
        name = path.stem.removeprefix(PREFIX)
        suite = suite_path(f"outbound/{name}", project)
        frame = pd.read_parquet(path)
        found[name] = run_suite(suite, frame, label=f"list for {name}", index_columns=("account_id",))
        if not found[name].success:
            raise GateFailed(f"Nothing was published.\n{found[name].summary()}")
    return found
