"""The criteria as a document: every term and grade in readable words, beside NCI's own text where that is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from ctcae_v403 import dictionary
from ctcae_v403.dictionary import Term
from ctcae_v403.official import Wording

_HEAD = """# Dictionary of CTCAE v4.03

The 26 classes, 790 terms and 3,049 grades of NCI's Common Terminology Criteria for Adverse Events v4.03
(14 June 2010) as this system computes them. Any line of a grade suffices. A number stands with its milder bound:
grades are tried from the worst down, so that the next grade's bound is the other one. NCI's own wording is not
part of this document; `safety-monitor ctcae load-official FILE` shows it. Made by `make dictionary` from
`ctcae_v403/data/`; do not edit.
"""


def markdown(wording: Mapping[int, Wording] | None = None) -> str:
    """The whole dictionary as Markdown, side by side with *wording* (by MedDRA code) where it is given."""
    parts = [_HEAD]
    for soc in dictionary.socs():
        parts.append(f"\n## {soc}\n")
        parts += [_term(term, wording) for term in dictionary.terms() if term.soc == soc]
    return "".join(parts)


def _term(term: Term, wording: Mapping[int, Wording] | None) -> str:
    official = wording.get(term.meddra_code) if wording else None
    head = ("grade", "here", "NCI") if official else ("grade", "any of")
    lines = [f"\n### {term.name} ({term.meddra_code})\n", _row(head), _row(["---"] * len(head))]
    for grade in term.grades:
        cells = [str(grade), "<br>".join(_escaped(each.text) for each in term.criteria(grade))]
        if official:
            cells.append("<br>".join(_escaped(part.strip()) for part in official.grades.get(grade, "").split(";")))
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
