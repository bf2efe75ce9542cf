"""NCI CTCAE v4.03 as a library: look up, code and search terms; grade numbers with the reason.

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
    from ctcae_v403.frame import grade_frame as grade_frame
    from ctcae_v403.grading import REASONS as REASONS
    from ctcae_v403.grading import Grading as Grading
    from ctcae_v403.grading import grade as grade
    from ctcae_v403.rules import Policy as Policy
    from ctcae_v403.rules import numeric_criteria as numeric_criteria

__all__ = ["Coding", "Term", "UnknownTerm", "code", "search", "socs", "term", "terms"]

_GRADING = {
    "ColumnsError": "columns", "Grading": "grading", "Policy": "rules", "REASONS": "grading", "grade": "grading",
    "grade_frame": "frame", "numeric_criteria": "rules",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _GRADING:
        return getattr(import_module(f"{__name__}.{_GRADING[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_GRADING})
