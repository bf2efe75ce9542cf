"""The dictionary: 26 classes, 790 terms, their MedDRA codes and the grades that exist for each.

Authority: NCI CTCAE v4.03 (14 June 2010), the published cells; MedDRA 12.0 codes as CTCAE prints them. Names
are found whatever their case, spacing or British spelling; ``search`` finds terms by their words, for people.
Coding of verbatim text is in ``coding``, what a grade means in ``criteria``.

>>> term("hypertension").grades
(1, 2, 3, 4, 5)
>>> term("Diarrhoea").name, term(10002272).name
('Diarrhea', 'Anemia')
"""

from __future__ import annotations

import csv
import re
import tomllib
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import islice, takewhile
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
    return [found for found, _ in ranked(normal(text))[:limit]]


def code(text: str) -> Coding:
    """The term that a verbatim *text* means; no term where none, or more than one, could be meant."""
    from ctcae_v403 import coding  # looking up a term must not wait for the rules of coding

    return coding.code(text)


def normal(text: str) -> str:
    """*text* for comparison: one case, one spelling, words only; each Chinese character is a word.

    >>> normal("  Palmar-Plantar ERYTHRODYSAESTHESIA  syndrome ")
    'palmar plantar erythrodysesthesia syndrome'
    """
    return " ".join(re.findall(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+", folded(text)))


def folded(text: str) -> str:
    """*text* in one case, width of letters and spelling, its signs kept."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    for ours, standard in rules_of_coding()["spelling"]["fold"]:
        plain = plain.replace(ours, standard)
    return plain


@lru_cache(maxsize=65_536)
def alike(word: str, in_company: bool = False) -> tuple[tuple[str, float], ...]:
    """Words of the dictionary of which *word* may be a misspelling, with likeness 0 to 100, best first.

    *in_company*: other words of the text are known, so that a slip in a short word may be read too.
    """
    rules = rules_of_coding()["correction"]
    if not word.isascii() or not word.isalpha() or len(word) < rules["shortest_in_company"]:
        return ()
    if word in known_words() or word in rules["other_words"]:
        return ()
    from rapidfuzz.distance import OSA  # only slips of the pen need it

    start = rules["same_start"]
    found = dict.fromkeys(_swapped().get(word, ()), float(rules["same_letters"]))
    for known in _words_from(word[:start]):
        if not all(part in known for part in rules["parts"] if part in word):
            continue
        likeness = 100 * OSA.normalized_similarity(word, known)
        slips = OSA.distance(word, known)
        long = min(len(word), len(known)) >= rules["shortest_word"]
        if (likeness >= rules["at_least"] and (long or in_company)) or (in_company and slips == 1):
            found[known] = likeness
        elif len(word) > rules["shortest_in_company"] and _same_letters(word, known):
            found[known] = max(likeness, float(rules["same_letters"]))
    return tuple(sorted(found.items(), key=lambda each: -each[1]))[: rules["n_choices"]]


@cache
def _swapped() -> Mapping[str, tuple[str, ...]]:
    """Two letters of a known word in the wrong order, where the folding of spelling then takes one away: nausae."""
    shortest = rules_of_coding()["correction"]["shortest_in_company"]
    meant: defaultdict[str, list[str]] = defaultdict(list)
    for known in known_words():
        for at in range(1, len(known) - 1 if len(known) > shortest else 0):
            slip = known[:at] + known[at + 1] + known[at] + known[at + 2 :]
            if len(short := folded(slip)) < len(slip):
                meant[short].append(known)
    return {slip: tuple(words) for slip, words in meant.items()}


def _same_letters(word: str, known: str) -> bool:
    """Whether letters were only doubled, left single, or put in another order between the same two ends."""
    squeezed = re.sub(r"(.)\1", r"\1", word) == re.sub(r"(.)\1", r"\1", known)
    return squeezed or (word[-1] == known[-1] and sorted(word) == sorted(known))


@lru_cache(maxsize=65_536)
def ranked(wanted: str) -> tuple[tuple[Term, float], ...]:
    """Terms by how much of *wanted* their names or synonyms contain, best first; for people, not for coding.

    A word weighs the more, the fewer names have it: *platelet* says more than *increased*.
    """
    rules = rules_of_coding()["search"]
    words = wanted.split()
    matched: defaultdict[str, float] = defaultdict(float)
    whole = 0.0
    for word in words:
        near = dict(alike(word)) | {word: 100.0}
        if len(word) >= rules["shortest_start"]:
            begun = (known for known in _begun(word) if known != word)
            near |= dict.fromkeys(begun, float(rules["word_start"]))
        best: defaultdict[str, float] = defaultdict(float)
        for known, likeness in near.items():
            for phrase in _phrases_of_word().get(known, ()):
                best[phrase] = max(best[phrase], likeness)
        weight = log(1 + len(meanings()) / max(1, len(best)))
        whole += weight
        for phrase, likeness in best.items():
            matched[phrase] += weight * likeness
    scores: dict[Term, float] = {}
    share = rules["coverage_weight"]
    for phrase, likeness in matched.items():
        meant = meanings()[phrase]
        brevity = 100 * min(1.0, len(words) / (phrase.count(" ") + 1))
        score = share * likeness / whole + (1 - share) * brevity
        if meant and score >= rules["at_least"]:
            scores[meant] = max(scores.get(meant, 0.0), score)
    return tuple(sorted(scores.items(), key=lambda each: (-each[1], each[0].other_specify, each[0].name)))


@cache
def written() -> Mapping[str, Term | None]:
    """Names and synonyms as written, and the term each stands for; None where several could be meant."""
    synonyms = {
        row["verbatim"]: _by_name()[normal(row["term"])] if row["term"] else None for row in _rows("synonyms.csv")
    }
    return {**synonyms, **{each.name: each for each in terms()}}


@cache
def meanings() -> Mapping[str, Term | None]:
    """The same, normalised."""
    return {normal(phrase): meant for phrase, meant in written().items()}


@cache
def _phrases_of_word() -> Mapping[str, tuple[str, ...]]:
    """The words that the dictionary knows, and the phrases that have each."""
    index: defaultdict[str, list[str]] = defaultdict(list)
    for phrase in meanings():
        for word in dict.fromkeys(phrase.split()):
            index[word].append(phrase)
    return {word: tuple(phrases) for word, phrases in index.items()}


def _begun(start: str) -> Iterable[str]:
    words = _sorted_words()
    return takewhile(lambda known: known.startswith(start), islice(words, bisect_left(words, start), None))


@cache
def _sorted_words() -> tuple[str, ...]:
    return tuple(sorted(_phrases_of_word()))


@cache
def known_words() -> frozenset[str]:
    """Every word of the names, the synonyms and the rules of coding: none of them is a slip of the pen."""
    said = (" ".join(_strings(rules_of_coding())), *meanings())
    return frozenset(word for phrase in said for word in normal(phrase).split())


def _strings(data: Any) -> Iterable[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            if key != "source":
                yield key
                yield from _strings(value)
    elif isinstance(data, list):
        for value in data:
            yield from _strings(value)


@cache
def _words_from(start: str) -> tuple[str, ...]:
    shortest = rules_of_coding()["correction"]["shortest_in_company"]
    return tuple(
        sorted(word for word in known_words() if word.startswith(start) and word.isalpha() and len(word) >= shortest)
    )


@cache
def _by_code() -> Mapping[str, Term]:
    return {str(found.meddra_code): found for found in terms()}


@cache
def _by_name() -> Mapping[str, Term]:
    return {normal(found.name): found for found in terms()}


@cache
def rules_of_coding() -> Mapping[str, Any]:
    return tomllib.loads(files("ctcae_v403.data").joinpath("coding.toml").read_text("utf-8"))


def _rows(name: str) -> list[dict[str, str]]:
    text = files("ctcae_v403.data").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
