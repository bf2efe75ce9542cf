"""File-to-file commands, without a database: grade-labs and attribute."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from safety_monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, not_the_same, print_json, progress_bar, stderr, stdout


def register(app: typer.Typer) -> None:
    app.command("grade-labs")(grade_labs)
    app.command("attribute")(attribute)


def grade_labs(
    source: Annotated[Path, typer.Argument(metavar="IN", help="CSV or Parquet: SDTM LB, VS or EG, or ADaM ADLB.")],
    out: Annotated[Path, typer.Option("--out", help="CSV or Parquet to write.")],
    policy: Annotated[
        Literal["standard", "literal"], typer.Option(help="Reading of what the standard leaves open.")
    ] = "standard",
    engine: Annotated[Literal["polars", "spark"], typer.Option(help="spark: for a cluster; needs pyspark.")] = "polars",
    beside: Annotated[
        list[Path] | None,
        typer.Option(help="Further results of the same subjects, for what a grade asks of the same day (VS beside LB)."),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Grades a file of results by CTCAE v4.03, with the reason where there is no grade. Larger than memory will do."""
    from safety_monitor.workflow.grading import grade_file

    not_the_same(source, out)
    with progress_bar(hidden=as_json) as report:
        tally = grade_file(source, out, policy=policy, engine=engine, beside=beside or (), progress=report)
    if as_json:
        print_json({"rows_in": tally.n_in, "rows_out": tally.n_out, "graded": tally.n_graded, "reasons": tally.reasons,
                    "unread": tally.unread, "out": str(out)})  # fmt: skip
        return
    stdout.print(f"{tally.n_in} results, {tally.n_out} rows of result and term, {tally.n_graded} graded: {out}")
    for reason, count in tally.reasons.items():
        stdout.print(f"  {count} without a grade: {reason}")
    for why in tally.unread:
        stderr.print(f"  {why}", markup=False)


def attribute(
    source: Annotated[Path, typer.Argument(metavar="IN", help="CSV of cases.")],
    out: Annotated[Path, typer.Option("--out", help="CSV to write.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Weighs the causes of each case in a file, with the reasons."""
    from safety_monitor.workflow.attributing import attribute_file

    not_the_same(source, out)
    tally = attribute_file(source, out)
    if as_json:
        print_json({"rows_in": tally.n_read, "rows_out": tally.n_written, "out": str(out),
                    "refused": [asdict(rejection) for rejection in tally.rejections]})  # fmt: skip
        return
    stdout.print(f"{tally.n_written} of {tally.n_read} events weighed: {out}")
    for fault in tally.rejections:
        stderr.print(f"row {fault.row}, {fault.field} {fault.value!r}: {fault.why}; {fault.remedy}", markup=False)
