"""What a report says, in its reader's language: English is written in place, other languages are looked up.

Text of ours goes through :func:`t` (in templates and figures) when it is printed, or is made by :func:`words` where it is
written long before (a table's rule). Both are English with the values in braces; ``templates/reports/<language>/*.toml`` has
``"English pattern" = "the same in that language"``. What people reported, CTCAE terms and names are never looked up.

>>> rule = words("N = {n} treated.", n=36) + " Events are records."
>>> rule
'N = 36 treated. Events are records.'
>>> with speaking("zh") as missing:
...     t("Deaths"), sorted(missing)
('死亡', [])
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from safety_monitor.resources import resource_dir

LANGUAGES = ("en", "zh")
_speaking: ContextVar[str] = ContextVar("language", default="en")
_missing: ContextVar[set[str]] = ContextVar("missing", default=set())  # noqa: B039 - replaced in speaking, never changed
_LETTER = re.compile(r"[^\W\d_]")


class Words(str):
    """English text that remembers the patterns and values it was made of; adding text keeps that memory."""

    parts: tuple[tuple[str, Mapping[str, Any]], ...]

    def __add__(self, other: str) -> Words:
        return _joined(str.__add__(self, other), (*self.parts, *_parts(other)))

    def __radd__(self, other: str) -> Words:
        return _joined(str.__add__(other, self), (*_parts(other), *self.parts))


def words(pattern: str, /, **values: Any) -> Words:
    """*pattern* with its *values* filled in, to be said later in any language."""
    return _joined(pattern.format(**values) if values else pattern, ((pattern, values),))


def t(text: str, /, **values: Any) -> str:
    """*text* in the language being spoken; English where that has none (and it is counted as missing)."""
    parts = text.parts if isinstance(text, Words) and not values else ((str(text), values),)
    return "".join(_said(pattern, given) for pattern, given in parts)


@contextmanager
def speaking(language: str) -> Iterator[set[str]]:
    """Everything within is said in *language*; gives the set of patterns that it has no words for."""
    if language not in LANGUAGES:
        raise ValueError(f"reports speak {' and '.join(LANGUAGES)}, not {language!r}")
    missing: set[str] = set()
    tokens = _speaking.set(language), _missing.set(missing)
    try:
        yield missing
    finally:
        _speaking.reset(tokens[0])
        _missing.reset(tokens[1])


def language() -> str:
    """The language being spoken."""
    return _speaking.get()


@cache
def catalogue(spoken: str) -> Mapping[str, str]:
    """English pattern to the same in *spoken*; the files of a language must not contradict each other."""
    found: dict[str, str] = {}
    for path in sorted((resource_dir("templates") / "reports" / spoken).glob("*.toml")):
        for english, other in tomllib.loads(path.read_text("utf-8")).items():
            if found.setdefault(english, other) != other:
                raise ValueError(f"{path}: {english!r} has other words in an earlier file; keep one of the two")
    return found


def _said(pattern: str, values: Mapping[str, Any]) -> str:
    spoken = _speaking.get()
    if spoken != "en" and _LETTER.search(pattern):
        key = pattern.strip()
        if (other := catalogue(spoken).get(key)) is None:
            _missing.get().add(key)
        else:
            pattern = other
    filled = {name: t(value) if isinstance(value, Words) else value for name, value in values.items()}
    return pattern.format(**filled) if values else pattern


def _parts(text: str) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    return text.parts if isinstance(text, Words) else ((text, {}),)


def _joined(text: str, parts: tuple[tuple[str, Mapping[str, Any]], ...]) -> Words:
    made = Words(text)
    made.parts = parts
    return made
