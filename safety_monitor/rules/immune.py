"""Whether an event is, or may be, immune-mediated: reported so, a candidate, no, or not known.

Reported by the investigator stands first. A candidate is a term (or a word of the report) on the list of
``immune.toml`` in somebody who was given a PD-1 inhibitor before the event, at any time: these drugs act for months after
the last dose. "No" needs a reason: no such drug before the event, an effect of another kind, or the investigator's own
no to an event that is on no list. Silence is not a no. A candidate is a question to a person; nothing is decided.

>>> immune("Colitis", "colitis", reported=None, exposed=True).answer
'candidate'
>>> immune("Nausea", "nausea", reported=None, exposed=True).answer
'not known'
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

Answer = Literal["reported", "candidate", "no", "not known"]


@dataclass(frozen=True, slots=True)
class Immune:
    """``organ`` of a candidate, ``why`` in words, ``source`` of the list."""

    answer: Answer
    why: str
    organ: str | None = None
    source: str | None = None


@cache
def _lists() -> dict[str, Any]:
    return tomllib.loads(files("safety_monitor.rules").joinpath("immune.toml").read_text("utf-8"))


def profiles() -> tuple[str, ...]:
    """The component profiles whose drugs cause immune-mediated events."""
    return tuple(_lists()["profiles"])


def immune(term: str, verbatim: str, *, reported: bool | None, exposed: bool | None) -> Immune:
    """The answer for an event of *term*, reported as *verbatim*. *reported*: the investigator's flag; *exposed*: whether a
    PD-1 inhibitor was given on or before the day of onset.
    """
    effect, organ = _found("drug_effect", term, verbatim), _found("organ", term, verbatim)
    if reported is True:
        doubt = ", although no PD-1 inhibitor is recorded before it" if exposed is False else ""
        return Immune("reported", f"by the investigator{doubt}", organ["name"] if organ else None)
    if exposed is False:
        return Immune("no", "no PD-1 inhibitor before the event")
    if effect is not None:
        return Immune("no", effect["why"], source=_source(effect))
    if organ is None:
        said_no = Immune("no", "the investigator says no")
        return said_no if reported is False else Immune("not known", "on no list, and nobody has said")
    why = f"{organ['name']}, after a PD-1 inhibitor"
    if exposed is None:
        why = f"{organ['name']}; whether a PD-1 inhibitor was given before is not known"
    return Immune("candidate", why + ("; the investigator says no" if reported is False else ""), organ["name"], _source(organ))


@lru_cache(maxsize=4096)  # the same few terms and words come again and again
def _found(kind: str, term: str, verbatim: str) -> dict[str, Any] | None:
    return next((row for row in _lists()[kind] if _has(row, term, verbatim)), None)


def _has(row: dict[str, Any], term: str, verbatim: str) -> bool:
    text = verbatim.casefold()
    if any(word in text for word in row.get("not_words", ())):
        return False
    return term in row.get("terms", ()) or any(word in text for word in row.get("words", ()))


def _source(row: dict[str, Any]) -> str:
    return str(_lists()["sources"][row["source"]]["text"])
