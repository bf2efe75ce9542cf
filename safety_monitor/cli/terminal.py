"""What the commands share: the options that all of them take, and how results and refusals are shown."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:  # commands import what they need: looking up a term must load neither the database nor rich
    from rich.console import Console
    from sqlalchemy import Engine

    from safety_monitor.config import Config

ConfigPath = Annotated[Path, typer.Option("--config", help="Configuration file.", show_default=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
ActingPerson = Annotated[str, typer.Option("--actor", help="Who decides: a person of the configuration.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit.")]
StudyId = Annotated[str | None, typer.Option("--study", help="Study; may be left out where there is one only.")]
Actor = Annotated[str | None, typer.Option("--actor", help="Who acts; the system user where left out.")]
DEFAULT_CONFIG = Path("config.yaml")  # config.DEFAULT, without loading it



@cache
def _console(stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


class _Terminal:
    """A console that is made when something is first printed with it."""

    def __init__(self, stderr: bool) -> None:
        self._stderr = stderr

    def __getattr__(self, name: str) -> Any:
        return getattr(_console(self._stderr), name)


stdout = _Terminal(stderr=False)
stderr = _Terminal(stderr=True)


class Refusal(Exception):
    """A command that found a problem and has said all that there is to say."""


def refusals() -> tuple[type[Exception], ...]:
    """The errors whose message is written for the person at the terminal."""
    from ctcae_v403 import UnknownFinding, UnknownTerm
    from ctcae_v403.official import OfficialFileError
    from safety_monitor.attribution import ProfileError
    from safety_monitor.intake import UnreadableFile
    from safety_monitor.rules.stopping import StoppingRuleError
    from safety_monitor.store import StoreError
    from safety_monitor.study import SettingsError
    from safety_monitor.workflow.attributing import AttributionFileError
    from safety_monitor.workflow.backing_up import BackupError
    from safety_monitor.workflow.deciding import DecisionError

    return (  # OSError: a path that cannot be written to; it names the path and why
        Refusal, AttributionFileError, BackupError, DecisionError, OfficialFileError, OSError, ProfileError, SettingsError,
        StoppingRuleError, StoreError, UnknownFinding, UnknownTerm, UnreadableFile,
    )  # fmt: skip


@contextmanager
def progress_bar(hidden: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """Shows what is being done and how far it is, on a terminal and for work that takes a second."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console(True), transient=True, disable=hidden or not _console(True).is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield report


def not_the_same(source: Path, out: Path) -> None:
    """Refuses to write over the file that is read."""
    if source.resolve() == out.resolve():
        raise Refusal(f"{out} is the input; name another file with --out.")


def now() -> datetime:
    return datetime.now(UTC)


def actor_or_user(actor: str | None) -> str:
    return actor or getpass.getuser()


def opened(path: Path) -> tuple[Config, Engine]:
    """The configuration and its database; StoreError where the database is not (up to date)."""
    from safety_monitor import config as configuration
    from safety_monitor import store

    config = configuration.load(path)
    return config, store.connect(config.database_url)


def print_json(payload: Any) -> None:
    print(json.dumps(payload, ensure_ascii=False, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """A table for people; numbers to the right, nothing cut."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    rows = [list(row) for row in rows]
    for index, column in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) for row in rows) and bool(rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    console = Console(highlight=False)
    if not console.is_terminal:  # a pipe or a file has no width: nothing is folded there
        console.width = 400
    console.print(table)
