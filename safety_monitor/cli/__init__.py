"""The command line: one function per command, thin over ``workflow`` and ``jobs``.

Exit codes: 0 done, 1 refused or a problem found (the message says what, where, why and what to do), 2 wrong
usage. Every command takes ``--config`` and prints for people, or with ``--json`` for programs.
"""

from __future__ import annotations

import sys
from types import ModuleType

import typer

from safety_monitor.cli import cases, causality, dictionary, files, operations, reports, serious, studies
from safety_monitor.cli.terminal import refusals, stderr


def application(*parts: ModuleType) -> typer.Typer:
    """The commands of *parts* of the command line."""
    made = typer.Typer(
        name="safety-monitor",
        help="Adverse-event monitoring and CTCAE v4.03 grading for combination trials.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for part in parts:
        part.register(made)
    return made


app = application(studies, reports, cases, serious, files, causality, dictionary, operations)


def main() -> None:
    """Entry point of the console script."""
    # a look-up is asked many times an hour: the rest of the command line is not built for it
    wanted = application(dictionary) if sys.argv[1:2] == ["ctcae"] else app
    try:
        wanted()
    except Exception as error:
        if not isinstance(error, refusals()):
            raise
        from rich.markup import escape

        stderr.print(f"[bold red]Refused:[/] {escape(str(error))}", markup=True)
        sys.exit(1)
