"""``ctcae show``, ``search``, ``code`` and ``load-official``, and ``grade-event``: the standard and what it says of findings."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import ctcae_v403
from safety_monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, Refusal, not_the_same, print_json, print_table, stdout

if TYPE_CHECKING:
    from ctcae_v403 import Proposal, Term, Wording

app = typer.Typer(help="The CTCAE v4.03 dictionary.", no_args_is_help=True)
OURS = "CTCAE v4.03, NCI, 14 June 2010; criteria in the words of this system, any line of a grade suffices"


def register(root: typer.Typer) -> None:
    root.command("grade-event")(grade_event)
    root.add_typer(app, name="ctcae")


@app.command()
def show(
    term: Annotated[str, typer.Argument(help="Term or MedDRA code.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """One term: class, MedDRA code, the criteria of its five grades, the questions that settle the grade, the source."""
    found = ctcae_v403.term(term)
    wording = _wording(config, found)
    proposal = ctcae_v403.grade_findings(found.name, {})
    if as_json:
        numbers = ctcae_v403.numeric_criteria(found.name)
        print_json(
            {"name": found.name, "meddra_code": found.meddra_code, "soc": found.soc, "grades": found.grades,
             "criteria": {str(grade): [each.text for each in found.criteria(grade)] for grade in found.grades},
             "numeric_criteria": {str(grade): list(texts) for grade, texts in numbers.items()},
             "official": {str(grade): text for grade, text in wording.grades.items()} if wording else None,
             "definition": wording.definition if wording else None,
             "questions": [_as_json(each) for each in proposal.questions]}
        )  # fmt: skip
        return
    # plain text: a look-up must be there at once, and tables of the terminal library take their time to load
    typer.secho(f"{found.name}  (MedDRA {found.meddra_code})", bold=True)
    typer.echo(found.soc)
    if wording and wording.definition:
        typer.echo(_wrapped(wording.definition, ""))
    for grade in range(1, 6):
        texts = [each.text for each in found.criteria(grade)] or ["(the standard has no such grade)"]
        if wording and grade in wording.grades:
            texts = [wording.grades[grade]]
        typer.secho(f"\nGrade {grade}", bold=True)
        for text in texts:
            typer.echo(_wrapped(text, "  "))
    if not found.has_grade(5):
        typer.echo("\nA death is reported under the term that caused it; this term has no grade 5.")
    typer.secho("\nQuestions that settle the grade, the most telling first", bold=True)
    _print_questions(proposal)
    typer.echo(_wrapped(f"\nSource: {f'NCI wording loaded from {_kept(config)}' if wording else OURS}", ""))


def _wrapped(text: str, indent: str) -> str:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 400  # a pipe or a file has no width
    lines = (textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent + "  ") for line in text.split("\n"))
    return "\n".join(lines)


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


@app.command("load-official")
def load_official(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="NCI's CTCAE 4.03 spreadsheet (.xls, .xlsx) or CSV.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Reads NCI's own wording, checks it term by term, and shows it from then on; kept beside the configuration."""
    from ctcae_v403 import official

    wordings = official.read(source)
    found = official.differences(wordings)
    official.keep(wordings, _kept(config))
    if as_json:
        print_json(
            {"terms": len(wordings), "kept": str(_kept(config)),
             "differences": [{"term": d.term, "what": d.what, "here": d.here, "file": d.file} for d in found]}
        )  # fmt: skip
        return
    stdout.print(f"{len(wordings)} terms read from {source}; NCI's wording is kept in {_kept(config)} and shown from now on.")
    if found:
        print_table(("term", "difference in", "here", "in the file"), [(d.term, d.what, d.here, d.file) for d in found])
        stdout.print(f"{len(found)} differences: grading goes by the dictionary; tell us where the file is right.")
    else:
        stdout.print("No difference: every code, class, term and available grade is as in the dictionary.")


def grade_event(
    term: Annotated[str, typer.Option("--term", help="CTCAE term or MedDRA code.")],
    finding: Annotated[
        list[str] | None,
        typer.Option("--finding", help="KEY, KEY=Y, KEY=N, KEY=number; a test as KEY='{\"value\": 2.8, \"unit\": …}'. Repeat."),
    ] = None,
    assigned: Annotated[int | None, typer.Option("--assigned", min=0, max=5, help="A grade to check.")] = None,
    language: Annotated[Literal["en", "zh"], typer.Option("--language", help="Language of the questions: en or zh.")] = "en",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Proposes a grade from findings, says what is still unknown, and checks an assigned grade."""
    findings = dict(map(_finding, finding or ()))
    check = None if assigned is None else ctcae_v403.check_grade(term, assigned, findings)
    proposal = check.proposal if check else ctcae_v403.grade_findings(term, findings)
    if as_json:
        print_json(
            {"term": proposal.term.name, "grade": proposal.grade, "criteria": proposal.reasons,
             "possible": proposal.possible, "settled": proposal.settled, "notes": proposal.notes,
             "questions": [_as_json(each) for each in proposal.questions],
             "verdict": check.verdict if check else None, "reason": check.reason if check else None}
        )  # fmt: skip
        return
    stdout.print(f"[bold]{proposal.term.name}[/]: {_proposed(proposal)}")
    for reason in proposal.reasons:
        stdout.print(f"  met: {reason}", markup=False)
    for note in proposal.notes:
        stdout.print(f"  note: {note}", markup=False)
    if check:
        stdout.print(f"Assigned grade {assigned}: [bold]{check.verdict}[/] ", end="")
        stdout.print(f"({check.reason})", markup=False)
    if not proposal.settled:
        stdout.print("To ask, the most telling first:")
        _print_questions(proposal, language)


def _proposed(proposal: Proposal) -> str:
    if proposal.grade is None and not proposal.settled:
        return f"no grade is proven yet; possible: {_grades(proposal.possible)}"
    if proposal.grade is None:
        return "no criterion of any grade is met" if 0 in proposal.possible else "the findings fit no grade"
    return f"grade {proposal.grade}" + ("" if proposal.settled else f"; possible: {_grades(proposal.possible)}")


def _grades(possible: tuple[int, ...]) -> str:
    return ", ".join("none" if grade == 0 else str(grade) for grade in possible)


def _print_questions(proposal: Proposal, language: str = "en") -> None:
    for number, each in enumerate(proposal.questions, start=1):
        typer.echo(f"  {number}. {each.text(language)}  [{each.key}]")


def _as_json(question: ctcae_v403.Question) -> dict[str, Any]:
    options = [{"key": key, "en": en, "zh": zh} for key, en, zh in question.options]
    return {"key": question.key, "en": question.ask, "zh": question.zh, "unit": question.unit, "options": options}


def _finding(text: str) -> tuple[str, object]:
    """``KEY`` is true; ``KEY={…}`` and ``KEY=[…]`` are measured values in JSON."""
    key, given, value = text.partition("=")
    if not given:
        return key.strip(), True
    if value.lstrip()[:1] in ("{", "["):
        try:
            return key.strip(), json.loads(value)
        except json.JSONDecodeError as error:
            example = '{"value": 2.8, "unit": "mmol/L", "lln": 3.5}'
            raise Refusal(f"--finding {text}: {error}; write {key}='{example}'") from None
    return key.strip(), value.strip()


def _kept(config: Path) -> Path:
    from ctcae_v403.official import FILE_NAME

    return config.parent / FILE_NAME


def _wording(config: Path, term: Term) -> Wording | None:
    path = _kept(config)
    if not path.exists():
        return None
    from ctcae_v403 import official

    return official.load(path).get(term.meddra_code)
