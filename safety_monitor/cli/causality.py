"""Causality instruments from file to file: Naranjo, WHO-UMC and RUCAM, an answer per item and row."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from safety_monitor.cli.terminal import AsJson, not_the_same, print_json, stderr, stdout


def register(app: typer.Typer) -> None:
    app.command("causality")(causality)


def causality(
    instrument: Annotated[Literal["naranjo", "who-umc", "rucam"], typer.Argument(help="Which scale.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="CSV: CASEID and an answer per item.")],
    out: Annotated[Path, typer.Option("--out", help="CSV to write.")],
    component: Annotated[
        str | None, typer.Option(help="Naranjo, WHO-UMC: fill blank items for this component from the columns of attribute.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Scores a causality instrument item by item; what is not known is named, with the totals it leaves open."""
    from safety_monitor.workflow.scoring import score_file

    not_the_same(source, out)
    tally = score_file(instrument, source, out, component=component)
    if as_json:
        print_json({"rows_in": tally.n_read, "rows_out": tally.n_written, "out": str(out),
                    "refused": [asdict(rejection) for rejection in tally.rejections]})  # fmt: skip
        return
    stdout.print(f"{tally.n_written} of {tally.n_read} cases scored: {out}")
    for fault in tally.rejections:
        stderr.print(f"row {fault.row}, {fault.field} {fault.value!r}: {fault.why}; {fault.remedy}", markup=False)
