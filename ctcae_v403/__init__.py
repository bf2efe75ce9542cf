"""NCI CTCAE v4.03 as a library: look up, code and search terms; grade numbers with the reason.

    >>> import ctcae_v403 as ctcae
    >>> ctcae.term("Hypertension").soc
    'Vascular disorders'

It knows no study and no database, and can be used alone.
"""

from ctcae_v403.dictionary import Coding, Term, UnknownTerm, code, search, socs, term, terms

__all__ = ["Coding", "Term", "UnknownTerm", "code", "search", "socs", "term", "terms"]
