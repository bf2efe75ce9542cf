"""A PostgreSQL of the campaign's own: in a temporary folder, on a unix socket, stopped at once and started again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from safety_monitor import store


def programs() -> Path:
    """Where the server programs are; the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise SystemExit("PostgreSQL server programs are not installed (Debian: apt-get install postgresql)")
    return (found[-1] if found else Path(on_path or "")).parent


class Cluster:
    def __init__(self, folder_of_programs: Path) -> None:
        self.programs, self.folder = folder_of_programs, Path(tempfile.mkdtemp(prefix="sm-pg-"))
        self._as: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        self._run("initdb", "-D", self._data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-locale")
        self._start()
        self.n = 0

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def fresh(self) -> str:
        """The URL of a new database, brought up to date."""
        self.n += 1
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE torture_{self.n}".encode())
        store.upgrade(self._url(f"torture_{self.n}"))
        return self._url(f"torture_{self.n}")

    def restart(self) -> None:
        """As if the machine had lost power: no orderly end."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")
        self._start()

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def _start(self) -> None:
        settings = f"-k {self.folder} -c listen_addresses='' -c max_connections=60"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", str(self.folder / "log"), "-o", settings, "start")

    def _url(self, name: str) -> str:
        return f"postgresql://tester@/{name}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self.programs / program), *arguments]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL)
