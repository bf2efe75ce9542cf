"""The command line: one function per command, thin over ``workflow`` and ``jobs``.

Exit codes: 0 done, 1 refused or a problem found (the message says what, where, why and what to do), 2 wrong
usage. Every command takes ``--config`` and prints for people, or with ``--json`` for programs.
"""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from safety_monitor.cli import dictionary, files, operations, studies
from safety_monitor.cli.terminal import refusals, stderr

app = typer.Typer(
    name="safety-monitor",
    help="Adverse-event monitoring and CTCAE v4.03 grading for combination trials.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for part in (studies, files, operations):
    part.register(app)
app.add_typer(dictionary.app, name="ctcae")
app.add_typer(studies.report, name="report")
app.add_typer(operations.alerts, name="alerts")
app.add_typer(operations.audit, name="audit")


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except Exception as error:
        if not isinstance(error, refusals()):
            raise
        stderr.print(f"[bold red]Refused:[/] {escape(str(error))}", markup=True)
        sys.exit(1)
