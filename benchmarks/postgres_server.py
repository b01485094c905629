"""A PostgreSQL server of its own behind a socket file, where PostgreSQL is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER = next((path for path in map(shutil.which, ("pg_ctl", "/usr/lib/postgresql/15/bin/pg_ctl")) if path), None)
USER = {"user": "postgres"} if os.geteuid() == 0 else {}
PASSWORD = "pg-secret-do-not-print"


def is_installed() -> bool:
    return SERVER is not None and shutil.which("psql") is not None


@dataclass(frozen=True)
class PostgresServer:
    """Where it is."""

    home: Path
    programs: Path

    def dsn(self, database: str = "postgres", password: str = PASSWORD) -> str:
        return f"postgresql://icp:{password}@/{database}?host={self.home}"

    def psql(self, *arguments: str) -> str:
        """What psql prints, tab by tab."""
        asked = ["psql", self.dsn(), "-v", "ON_ERROR_STOP=1", "-qAt", "-F", "\t", *arguments]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        options = f"-c listen_addresses='' -k {self.home} -c fsync=off"
        self._control("-w", "-l", f"{self.home}/log", "-o", options, "start")

    def _control(self, *arguments: str) -> None:
        asked = [str(self.programs / "pg_ctl"), "-D", f"{self.home}/data", *arguments]
        subprocess.run(asked, check=True, stdout=subprocess.DEVNULL, **USER)  # type: ignore[call-overload]


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """It runs while the block does; there must be one (`is_installed`)."""
    assert SERVER is not None
    home = Path("/tmp") / f"icp-pg-{os.getpid()}"  # a socket's path may be 107 characters long
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    (home / "password").write_text(PASSWORD)
    server = PostgresServer(home, Path(SERVER).resolve().parent)
    made = [str(server.programs / "initdb"), "-D", f"{home}/data", "-A", "scram-sha-256", "-U", "icp", "-N"]
    try:
        subprocess.run([*made, f"--pwfile={home}/password"], check=True, capture_output=True, **USER)  # type: ignore[call-overload]
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home)
