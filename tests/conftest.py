"""Fixtures that every test may use: the shared folder, and empty databases of both kinds."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import hypothesis
import psycopg
import pytest

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.records import Snapshot
from safety_monitor.workflow.importing import import_paths
from safety_monitor.workflow.studies import freeze_study, resolve

IMPORTED_AT = datetime(2026, 7, 1, 7, 0, tzinfo=UTC)


# Time is measured in benchmarks, not in tests; on CI the same cases every time.
hypothesis.settings.register_profile("anywhere", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("anywhere")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material beside the repository; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}, which is not here")
    return folder


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upgraded SQLite file; tests copy it."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    store.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def imported(
    shared: Path, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The SQLite file into which a shared study was imported, once; tests that write must copy it."""
    folder = tmp_path_factory.mktemp("imported")

    def file_of(name: str) -> Path:
        path = folder / f"{name}.db"
        if not path.exists():
            shutil.copy(sqlite_template, path)
            engine = store.connect(f"sqlite:///{path}")
            import_paths(engine, Config(), [shared / "data" / name], actor="tester", at=IMPORTED_AT)
            engine.dispose()
        return path

    return file_of


@pytest.fixture(scope="session")
def frozen(imported: Callable[[str], Path]) -> Callable[[str], Snapshot]:
    """The snapshot of a shared study as imported, at its own cut-off; made once."""

    @cache
    def snapshot_of(name: str) -> Snapshot:
        engine = store.connect(f"sqlite:///{imported(name)}")
        try:
            return freeze_study(engine, resolve(engine, None), None)
        finally:
            engine.dispose()

    return snapshot_of


class Cluster:
    """A private PostgreSQL in a temporary folder, on a unix socket; as the user postgres when root."""

    def __init__(self, bin_folder: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sm-pg-"))
        self.programs = bin_folder
        self.n_databases = 0
        self._as: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        settings = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
        self._run("pg_ctl", "-D", data, "-w", "-l", str(self.folder / "log"), "-o", settings, "start")
        self.create("migrated", "template1")
        store.upgrade(self.url("migrated"))

    def url(self, name: str) -> str:
        return f"postgresql://tester@/{name}?host={self.folder}"

    def create(self, name: str, template: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())

    def fresh(self, template: str) -> str:
        """The URL of a new database like *template* (``migrated``, or ``template1``: empty)."""
        self.n_databases += 1
        name = f"test_{self.n_databases}"
        self.create(name, template)
        return self.url(name)

    def drop(self, url: str) -> None:
        name = url.partition("@/")[2].partition("?")[0]
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self.programs / program), *arguments]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """This run's own PostgreSQL server; skipped where none is installed, except on CI, where that fails."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        message = "PostgreSQL server programs are not installed (Debian: apt-get install postgresql)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    cluster = Cluster(found[-1].parent if found else Path(on_path or "").parent)
    yield cluster
    cluster.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        yield from _fresh(request.getfixturevalue("postgresql"), "template1")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An upgraded database without rows, of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), tmp_path / 'test.db')}"
    else:
        yield from _fresh(request.getfixturevalue("postgresql"), "migrated")


def _fresh(cluster: Cluster, template: str) -> Iterator[str]:
    url = cluster.fresh(template)
    yield url
    cluster.drop(url)
