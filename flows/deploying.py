"""From deployments.yaml to something that runs: on a server with a worker, or in one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.local_server import local_server, wait_for_server
from icp.errors import ConfigError, TryLater

if TYPE_CHECKING:
    from icp.config import Settings

FILE, POOL, PATIENCE = "deployments.yaml", "icp", 15.0


def deploy(settings: Settings, home: Path, *, automations: bool) -> list[str]:
    """Create the work pool if it is not there and apply deployments.yaml; answers what was done. Safe to repeat.

    Raises:
        ConfigError: there is no deployments.yaml in `home`, or no server is named.
        TryLater: the server does not answer or refused; its words are in the message.
    """
    _file(home)
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError(
            "PREFECT_API_URL names no server. Set it to yours, such as http://127.0.0.1:4200/api; for a server and a worker "
            "on this machine: icp up"
        )
    environment = _environment(settings, home)
    if POOL not in _pools(_prefect(["work-pool", "ls", "--output", "json"], environment)):
        _prefect(["work-pool", "create", POOL, "--type", "process"], environment)
    # from `home`: entrypoints are read from the folder it runs in
    _prefect(["deploy", "--prefect-file", str(_file(home)), "--all"], environment, home)
    lines = [f"work pool {POOL}", *(f"deployment {entry['name']}" for entry in _deployments(home))]
    if automations:
        from flows.automations import apply

        lines += [f"automation {name}" for name in apply()]
    return lines


def _pools(listed: str) -> set[str]:
    """The names in what Prefect lists: a pool `icp-dev` is not the pool `icp`."""
    return {pool["name"] for pool in json.loads(listed)}


def keep_schedules(settings: Settings, home: Path) -> None:
    """Serve every deployment of deployments.yaml from this process until it is stopped.

    Where PREFECT_API_URL names no server one is started beside it: the embedded one that Prefect would bring up knows no
    schedules.

    Raises:
        ConfigError: there is no deployments.yaml in `home`.
        TryLater: the server did not come up.
    """
    _file(home)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until Prefect listens for it: end the server as well
    os.environ.update({k: v for k, v in _environment(settings, home).items() if k not in os.environ})
    with local_server(schedules=True) as ready:
        ready()
        from prefect import serve  # reads where the server is when it is imported

        serve(*served(settings, home), limit=1)


def served(settings: Settings, home: Path) -> list[Any]:
    """The deployments of deployments.yaml as Prefect's runner takes them: same flows, same schedules, this project.

    The limits of the file are left out, as a runner does not know them: it is told to run one at a time instead, and
    the lock of the lake holds whatever else runs.
    """
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.flows import load_flow_from_entrypoint

    found = []
    for entry in _deployments(home):
        path, name = entry["entrypoint"].split(":")
        flow = load_flow_from_entrypoint(f"{home.resolve() / path}:{name}")
        schedules = [CronSchedule(cron=s["cron"], timezone=s["timezone"]) for s in entry.get("schedules", ())]
        parameters = {**entry.get("parameters", {}), "project": str(settings.path)}
        found.append(
            flow.to_deployment(
                entry["name"], schedules=schedules, parameters=parameters, description=entry.get("description")
            )
        )
    return found


def up(settings: Settings, home: Path, port: int, tell: Callable[[str], None]) -> None:
    """A server and a worker on this machine until interrupted, or until one of them ends.

    Raises:
        TryLater: the server did not come up (the port may be taken), or one of the two ended by itself.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # asked to end by a supervisor: end both as Ctrl-C does
    address = f"http://127.0.0.1:{port}/api"
    os.environ |= {"PREFECT_API_URL": address, "PREFECT_SERVER_UI_API_URL": address}
    environment = _environment(settings, home)
    server = ["server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with _running(server, environment) as first:
        wait_for_server(first, address)
        for line in deploy(settings, home, automations=False):
            tell(line)
        with _running(["worker", "start", "--pool", POOL], environment) as second:
            tell(f"Prefect is on http://127.0.0.1:{port}. Stop with Ctrl-C.")
            _until_one_ends({"server": first, "worker": second})


def _until_one_ends(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    try:
        while True:
            for name, process in processes.items():
                if process.poll() is not None:
                    raise TryLater(
                        f"The {name} ended by itself (exit {process.returncode}). Start again with `icp up`."
                    )
            time.sleep(0.5)
    except KeyboardInterrupt:
        return


@contextmanager
def _running(arguments: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Prefect, asked to end when the block does, and ended when it does not listen."""
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _prefect(arguments: list[str], environment: dict[str, str], folder: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no reason given"]
        where = environment["PREFECT_API_URL"]
        raise TryLater(f"`prefect {' '.join(arguments[:2])}` failed on {where}: {words[0]}. Is the server up?")
    return done.stdout


def _environment(settings: Settings, home: Path) -> dict[str, str]:
    """What deployments.yaml and the runs of a worker need to find flows and project."""
    return {
        **os.environ,
        "ICP_HOME": str(home.resolve()),
        "ICP_PROJECT": str(settings.path),
        "PREFECT_LOGGING_LEVEL": "INFO",
    }


def _deployments(home: Path) -> list[dict[str, Any]]:
    from ruamel.yaml import YAML

    content = YAML(typ="safe").load(_file(home).read_text(encoding="utf-8"))
    return list(content["deployments"])


def _file(home: Path) -> Path:
    path = (home / FILE).resolve()
    if not path.exists():
        raise ConfigError(
            f"There is no {FILE} in {home.resolve()}. `icp init` lays one down; or name its folder with --home."
        )
    return path
