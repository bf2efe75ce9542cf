"""NCI CTCAE v4.03 as a library: look up, code and search terms; grade numbers with the reason.

    >>> import ctcae_v403 as ctcae
    >>> ctcae.term("Hypertension").soc
    'Vascular disorders'

It knows no study and no database, and can be used alone. Grading is imported when first asked for, so that
looking up a term does not load the units and the frames.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ctcae_v403.dictionary import Coding, Term, UnknownTerm, code, search, socs, term, terms

__all__ = ["Coding", "Term", "UnknownTerm", "code", "search", "socs", "term", "terms"]

_GRADING = ("rules", "grading", "frame")
_GRADING_NAMES = frozenset({"REASONS", "ColumnsError", "Policy", "grade", "grade_frame", "numeric_criteria"})


def __getattr__(name: str) -> Any:
    if name in _GRADING_NAMES:
        for module in (f"{__name__}.{each}" for each in _GRADING):
            if find_spec(module) and hasattr(found := import_module(module), name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_GRADING_NAMES})
