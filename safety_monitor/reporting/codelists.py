"""Words of CDISC codelists as a report says them, and the data of the tables on conduct (``conduct.toml``).

>>> said("WITHDRAWAL BY SUBJECT"), said("as the site wrote it"), said(None)
('Withdrawal by subject', 'as the site wrote it', '–')
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from safety_monitor.reporting.wording import t

CONDUCT: dict[str, Any] = tomllib.loads(files("safety_monitor.reporting").joinpath("conduct.toml").read_text("utf-8"))
_SAYS: dict[str, str] = {**CONDUCT["words"]["says"], **CONDUCT["reasons"]["says"]}


def said(word: str | None) -> str:
    """*word* of a codelist in the reader's language; a word that is in none as it was reported."""
    if not word:
        return "–"
    known = _SAYS.get(word.strip().upper())
    return word if known is None else t(known)
