"""The dictionary: 26 classes, 790 terms, their MedDRA codes and the grades that exist for each.

Authority: NCI CTCAE v4.03 (14 June 2010), the published cells; MedDRA 12.0 codes as CTCAE prints them.
Names are found whatever their case, spacing or British spelling. Verbatim text is coded by exact name or
synonym, then without words of severity, then with slips of the pen corrected; a word that the dictionary
knows is never altered, so that *increased* cannot become *decreased*. What remains is not coded: a person
decides. Every number, synonym and rule of spelling is data (``data/coding.toml``, ``data/synonyms.csv``).

>>> term("hypertension").grades
(1, 2, 3, 4, 5)
>>> term("Diarrhoea").name, term(10002272).name
('Diarrhea', 'Anemia')
>>> code("low platelets").term.name
'Platelet count decreased'
>>> code("Fibrinogen increased").term is None
True
"""

from __future__ import annotations

import csv
import re
import tomllib
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import product
from math import log
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ctcae_v403.criteria import Criterion


class UnknownTerm(LookupError):
    """Not a CTCAE v4.03 term; the message names up to three that are near."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term. ``grades``: those that the standard has for it; ``soc``: its class (MedDRA primary SOC)."""

    name: str
    meddra_code: int
    soc: str
    grades: tuple[int, ...]
    other_specify: bool = False

    def has_grade(self, grade: int) -> bool:
        return grade in self.grades

    def criteria(self, grade: int) -> tuple[Criterion, ...]:
        """The criteria of *grade*, any of which suffices; empty where the standard has no such grade."""
        from ctcae_v403.criteria import criteria

        return criteria(self.name).get(grade, ())


@dataclass(frozen=True, slots=True)
class Coding:
    """What a verbatim text was coded to, for a person to check.

    ``score``: 0 to 100, likeness of the text to ``term``, or to ``runner_up`` where there is no term.
    ``runner_up``: the next term in likeness; where nothing was coded, the nearest one, if any.
    """

    term: Term | None
    score: float
    runner_up: Term | None


@cache
def terms() -> tuple[Term, ...]:
    """The 790 terms in the order of the standard."""
    return tuple(
        Term(
            name=row["term"],
            meddra_code=int(row["meddra_code"]),
            soc=row["soc"],
            grades=tuple(int(grade) for grade in row["grades"]),
            other_specify=row["other_specify"] == "Y",
        )
        for row in _rows("terms.csv")
    )


@cache
def socs() -> tuple[str, ...]:
    """The 26 classes in the order of the standard."""
    return tuple(dict.fromkeys(term.soc for term in terms()))


def term(name_or_code: str | int) -> Term:
    """The term of that name or MedDRA code; synonyms are for :func:`code`.

    Raises UnknownTerm, which names up to three near terms.
    """
    text = str(name_or_code).strip()
    found = _by_code().get(text) or _by_name().get(normal(text))
    if found is None:
        near = " or ".join(repr(each.name) for each in search(text, limit=3))
        raise UnknownTerm(f"{text!r} is not a CTCAE v4.03 term" + (f"; did you mean {near}?" if near else ""))
    return found


def search(text: str, limit: int = 10) -> list[Term]:
    """Terms that fit the words of *text*, best first: by their names and the synonyms that lead to them."""
    return [found for found, _ in _ranked(normal(text))[:limit]]


@lru_cache(maxsize=65_536)
def code(text: str) -> Coding:
    """The term that a verbatim *text* means; no term where none, or more than one, could be meant."""
    wanted = normal(text)
    plain = _without_qualifiers(wanted)
    ranked = _ranked(wanted)
    rules = _rules()["correction"]
    if wanted in _meanings():
        found, score = _meanings()[wanted], 100.0
    elif plain in _meanings():
        found, score = _meanings()[plain], float(_rules()["qualifiers"]["score"])
    else:
        (found, score), (_, next_score) = _corrections(plain)[:2]
        if score - next_score < rules["lead"]:
            found = None
    if found is None:
        nearest, score = ranked[0] if ranked else (None, 0.0)
        return Coding(None, round(score, 1), nearest)
    return Coding(found, round(score, 1), next((other for other, _ in ranked if other != found), None))


def normal(text: str) -> str:
    """*text* for comparison: one case, one spelling, words only; each Chinese character is a word.

    >>> normal("  Palmar-Plantar ERYTHRODYSAESTHESIA  syndrome ")
    'palmar plantar erythrodysesthesia syndrome'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    for ours, standard in _rules()["spelling"]["fold"]:
        folded = folded.replace(ours, standard)
    return " ".join(re.findall(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+", folded))


def _without_qualifiers(wanted: str) -> str:
    padded = f" {wanted} "
    for phrase in _qualifiers():
        padded = padded.replace(f" {phrase} ", " ")
    return padded.strip()


def _corrections(wanted: str) -> list[tuple[Term | None, float]]:
    """What *wanted* means with its unknown words corrected, most alike first; ends with two of no likeness.

    The likeness is that of the worst word. None: a phrase that the synonyms refuse to code.
    """
    choices = [((word, 100.0),) if word in _phrases_of_word() else _alike(word) for word in wanted.split()]
    found: dict[Term | None, float] = {}
    for chosen in product(*choices) if choices else ():
        key = _bag(word for word, _ in chosen)
        if key in _bags():
            meant = _bags()[key]
            found[meant] = max(found.get(meant, 0.0), min(likeness for _, likeness in chosen))
    return [*sorted(found.items(), key=lambda each: -each[1]), (None, 0.0), (None, 0.0)]


@lru_cache(maxsize=65_536)
def _alike(word: str) -> tuple[tuple[str, float], ...]:
    """Words of the dictionary of which *word* may be a misspelling, with likeness 0 to 100, best first."""
    rules = _rules()["correction"]
    start = rules["same_start"]
    if len(word) < rules["shortest_word"] or not word.isalpha() or word in rules["other_words"]:
        return ()
    cutoff = rules["at_least"] / 100
    from rapidfuzz import process  # only slips of the pen need it
    from rapidfuzz.distance import OSA

    near = process.extract(
        word, _long_words(), scorer=OSA.normalized_similarity, score_cutoff=cutoff, limit=None
    )
    kept = (
        (known, 100 * likeness)
        for known, likeness, _ in near
        if known[:start] == word[:start] and all(part in known for part in rules["parts"] if part in word)
    )
    return tuple(kept)[: rules["n_choices"]]


@lru_cache(maxsize=65_536)
def _ranked(wanted: str) -> tuple[tuple[Term, float], ...]:
    """Terms by how much of *wanted* their names or synonyms contain, best first; for people, not for coding.

    A word weighs the more, the fewer names have it: *platelet* says more than *increased*.
    """
    rules = _rules()["search"]
    words = wanted.split()
    matched: defaultdict[str, float] = defaultdict(float)
    whole = 0.0
    for word in words:
        near = dict(_alike(word)) | {word: 100.0}
        if len(word) >= rules["shortest_start"]:
            begun = (known for known in _phrases_of_word() if known.startswith(word) and known != word)
            near |= dict.fromkeys(begun, float(rules["word_start"]))
        best: defaultdict[str, float] = defaultdict(float)
        for known, likeness in near.items():
            for phrase in _phrases_of_word().get(known, ()):
                best[phrase] = max(best[phrase], likeness)
        weight = log(1 + len(_meanings()) / max(1, len(best)))
        whole += weight
        for phrase, likeness in best.items():
            matched[phrase] += weight * likeness
    scores: dict[Term, float] = {}
    share = rules["coverage_weight"]
    for phrase, likeness in matched.items():
        meant = _meanings()[phrase]
        brevity = 100 * min(1.0, len(words) / (phrase.count(" ") + 1))
        score = share * likeness / whole + (1 - share) * brevity
        if meant and score >= rules["at_least"]:
            scores[meant] = max(scores.get(meant, 0.0), score)
    return tuple(sorted(scores.items(), key=lambda each: (-each[1], each[0].other_specify, each[0].name)))


@cache
def _meanings() -> Mapping[str, Term | None]:
    """Normalised names and synonyms, and the term each stands for; None where several could be meant."""
    synonyms = {
        normal(row["verbatim"]): _by_name()[normal(row["term"])] if row["term"] else None
        for row in _rows("synonyms.csv")
    }
    return {**synonyms, **_by_name()}


@cache
def _bags() -> Mapping[str, Term | None]:
    """The same without regard to the order of words; None also where the order decides."""
    bags: dict[str, Term | None] = {}
    for phrase, meant in _meanings().items():
        key = _bag(phrase.split())
        bags[key] = meant if bags.get(key, meant) == meant else None
    return bags


def _bag(words: Iterable[str]) -> str:
    return " ".join(sorted(words))


@cache
def _phrases_of_word() -> Mapping[str, tuple[str, ...]]:
    """The words that the dictionary knows, and the phrases that have each."""
    index: defaultdict[str, list[str]] = defaultdict(list)
    for phrase in _meanings():
        for word in dict.fromkeys(phrase.split()):
            index[word].append(phrase)
    return {word: tuple(phrases) for word, phrases in index.items()}


@cache
def _long_words() -> tuple[str, ...]:
    shortest = _rules()["correction"]["shortest_word"]
    return tuple(word for word in _phrases_of_word() if len(word) >= shortest and word.isalpha())


@cache
def _qualifiers() -> tuple[str, ...]:
    return tuple(sorted(map(normal, _rules()["qualifiers"]["phrases"]), key=len, reverse=True))


@cache
def _by_code() -> Mapping[str, Term]:
    return {str(found.meddra_code): found for found in terms()}


@cache
def _by_name() -> Mapping[str, Term]:
    return {normal(found.name): found for found in terms()}


@cache
def _rules() -> Mapping[str, Any]:
    return tomllib.loads(files("ctcae_v403.data").joinpath("coding.toml").read_text("utf-8"))


def _rows(name: str) -> list[dict[str, str]]:
    text = files("ctcae_v403.data").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
