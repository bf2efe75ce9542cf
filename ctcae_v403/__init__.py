"""NCI CTCAE v4.03 as a library: look up, code and search terms; grade numbers and findings with the reason.

    >>> import ctcae_v403 as ctcae
    >>> ctcae.term("Hypertension").soc
    'Vascular disorders'

It knows no study and no database, and can be used alone. Grading is imported when first asked for, so that
looking up a term does not load the units and the frames.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ctcae_v403.dictionary import Coding, Term, UnknownTerm, code, search, socs, term, terms

if TYPE_CHECKING:
    from ctcae_v403.columns import ColumnsError as ColumnsError
    from ctcae_v403.criteria import Check as Check
    from ctcae_v403.criteria import Criterion as Criterion
    from ctcae_v403.criteria import Proposal as Proposal
    from ctcae_v403.criteria import Verdict as Verdict
    from ctcae_v403.criteria import check_grade as check_grade
    from ctcae_v403.criteria import grade_findings as grade_findings
    from ctcae_v403.findings import Question as Question
    from ctcae_v403.findings import UnknownFinding as UnknownFinding
    from ctcae_v403.frame import grade_frame as grade_frame
    from ctcae_v403.grading import ADULT_FROM as ADULT_FROM
    from ctcae_v403.grading import REASONS as REASONS
    from ctcae_v403.grading import Grading as Grading
    from ctcae_v403.grading import grade as grade
    from ctcae_v403.official import Wording as Wording
    from ctcae_v403.rules import Policy as Policy
    from ctcae_v403.rules import numeric_criteria as numeric_criteria

__all__ = ["Coding", "Term", "UnknownTerm", "code", "search", "socs", "term", "terms"]

_GRADING = {
    "ADULT_FROM": "grading", "Check": "criteria", "ColumnsError": "columns", "Criterion": "criteria", "Grading": "grading",
    "Policy": "rules", "Proposal": "criteria", "Question": "findings", "REASONS": "grading", "UnknownFinding": "findings",
    "Verdict": "criteria", "Wording": "official", "check_grade": "criteria", "grade": "grading",
    "grade_findings": "criteria", "grade_frame": "frame", "numeric_criteria": "rules",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _GRADING:
        return getattr(import_module(f"{__name__}.{_GRADING[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_GRADING})
