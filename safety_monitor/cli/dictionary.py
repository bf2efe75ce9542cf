"""``ctcae show``, ``ctcae search`` and ``ctcae code``: looking things up in the standard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import ctcae_v403
from safety_monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, Refusal, not_the_same, print_json, print_table, stdout

app = typer.Typer(help="The CTCAE v4.03 dictionary.", no_args_is_help=True)


@app.command()
def show(
    term: Annotated[str, typer.Argument(help="Term or MedDRA code.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """One term: class, MedDRA code, the grades that exist, and the numeric criteria of its grades."""
    found = ctcae_v403.term(term)
    criteria = ctcae_v403.numeric_criteria(found.name)
    if as_json:
        print_json(
            {"name": found.name, "meddra_code": found.meddra_code, "soc": found.soc, "grades": found.grades,
             "numeric_criteria": {str(grade): list(texts) for grade, texts in criteria.items()}}
        )  # fmt: skip
        return
    stdout.print(f"[bold]{found.name}[/]  (MedDRA {found.meddra_code})\n{found.soc}")
    stdout.print(f"Grades that exist: {', '.join(map(str, found.grades))}")
    if criteria:
        rows = [(grade, text) for grade, texts in sorted(criteria.items()) for text in texts]
        print_table(("grade", "numeric criterion"), rows)
    else:
        stdout.print("No numeric laboratory criterion.")


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Words to look for.")],
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Terms that fit some words, best first."""
    found = ctcae_v403.search(text, limit=limit)
    if as_json:
        print_json([{"name": t.name, "meddra_code": t.meddra_code, "soc": t.soc, "grades": t.grades} for t in found])
    elif found:
        rows = [(t.name, t.meddra_code, t.soc, "".join(map(str, t.grades))) for t in found]
        print_table(("term", "MedDRA", "class", "grades"), rows)
    if not found:
        raise Refusal(f"No CTCAE v4.03 term fits {text!r}. Try fewer or other words.")


@app.command()
def code(
    source: Annotated[Path, typer.Argument(metavar="IN", help="CSV with a column AETERM.")],
    out: Annotated[Path, typer.Option("--out", help="CSV to write.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Codes the verbatim terms of a file to CTCAE; what cannot be coded stays blank."""
    from safety_monitor.workflow.coding import code_file

    not_the_same(source, out)
    tally = code_file(source, out)
    if as_json:
        print_json({"rows": tally.n_rows, "coded": tally.n_coded, "out": str(out)})
    else:
        stdout.print(f"Coded {tally.n_coded} of {tally.n_rows} rows to CTCAE v4.03: {out}")
