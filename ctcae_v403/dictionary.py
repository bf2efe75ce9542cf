"""The dictionary: 26 classes, 790 terms, their MedDRA codes and the grades that exist for each.

Authority: NCI CTCAE v4.03 (14 June 2010), the published cells; MedDRA 12.0 codes as CTCAE prints them.
Names are found whatever their case, spacing or British spelling; verbatim text is coded by exact name, then
synonym, then likeness above a threshold. What is not alike enough is not coded: a person decides.

>>> term("hypertension").grades
(1, 2, 3, 4, 5)
>>> term("Diarrhoea").name, term(10002272).name
('Diarrhea', 'Anemia')
>>> code("low platelets").term.name
'Platelet count decreased'
"""

from __future__ import annotations

import csv
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rapidfuzz import fuzz, process


class UnknownTerm(LookupError):
    """Not a CTCAE v4.03 term; the message names the nearest ones."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


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


@dataclass(frozen=True, slots=True)
class Coding:
    """What a verbatim text was coded to: ``score`` 0–100; no term where nothing is alike enough."""

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
    """The term of that name or MedDRA code; UnknownTerm names the nearest ones."""
    text = str(name_or_code).strip()
    found = _by_code().get(int(text)) if text.isdecimal() else _by_name().get(normal(text))
    if found is None:
        near = [coded.name for coded in search(text, limit=3)]
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise UnknownTerm(f"{text!r} is not a CTCAE v4.03 term{hint}")
    return found


def search(text: str, limit: int = 10) -> list[Term]:
    """Terms that fit *text*, best first: by their names and by the synonyms that lead to them."""
    wanted = normal(text)
    if not wanted:
        return []
    best: dict[str, float] = {}
    limits = _settings()
    for phrase, score, _ in process.extract(wanted, list(_phrases()), scorer=_likeness, limit=10 * limit):
        if score >= limits["search_at_least"]:
            name = _phrases()[phrase].name
            best[name] = max(best.get(name, 0.0), score)
    for phrase, found in _phrases().items():
        if wanted in phrase:
            contained = 90 + 10 * len(wanted) / len(phrase)
            best[found.name] = max(best.get(found.name, 0.0), contained)
    ranked = sorted(best, key=lambda name: (-best[name], name))
    return [_by_name()[normal(name)] for name in ranked[:limit]]


def code(text: str) -> Coding:
    """The term that a verbatim *text* means: exact name or synonym (score 100), else the likeliest one above
    the threshold with a clear lead; otherwise none, with what came nearest as runner-up."""
    wanted = normal(text)
    if not wanted:
        return Coding(None, 0.0, None)
    if (exact := _phrases().get(wanted)) is not None:
        return Coding(exact, 100.0, None)
    limits = _settings()
    ranked: dict[str, float] = {}
    for phrase, score, _ in process.extract(wanted, list(_phrases()), scorer=fuzz.ratio, limit=20):
        name = _phrases()[phrase].name
        ranked[name] = max(ranked.get(name, 0.0), score)
    (first, score), *rest = sorted(ranked.items(), key=lambda pair: (-pair[1], pair[0]))
    second = _by_name()[normal(rest[0][0])] if rest else None
    lead = score - (rest[0][1] if rest else 0.0)
    if score < limits["code_at_least"] or lead < limits["code_lead"] or wanted in _ambiguous():
        return Coding(None, round(score, 1), _by_name()[normal(first)])
    return Coding(_by_name()[normal(first)], round(score, 1), second)


#: British to American, letter for letter, as the standard spells.
_SPELLING = (
    ("oesophag", "esophag"), ("oestr", "estr"), ("oedema", "edema"), ("haem", "hem"), ("anaem", "anem"),
    ("leukaem", "leukem"), ("aemia", "emia"), ("diarrhoea", "diarrhea"), ("menorrhoea", "menorrhea"),
    ("dyspnoea", "dyspnea"), ("apnoea", "apnea"), ("paraesth", "paresth"), ("dysaesth", "dysesth"),
    ("anaesth", "anesth"), ("erythrodysaesth", "erythrodysesth"), ("tumour", "tumor"), ("ischaem", "ischem"),
    ("caecal", "cecal"), ("faecal", "fecal"), ("foetal", "fetal"), ("gynaec", "gynec"), ("discolour", "discolor"),
    ("neutropaen", "neutropen"), ("odour", "odor"), ("litre", "liter"), ("coeliac", "celiac"), ("hypoxaem", "hypoxem"),
    ("thrombocythaem", "thrombocythem"), ("calcaem", "calcem"), ("glycaem", "glycem"), ("kalaem", "kalem"),
    ("natraem", "natrem"), ("albuminaem", "albuminem"), ("uraem", "urem"), ("behaviour", "behavior"),
)  # fmt: skip


def normal(text: str) -> str:
    """*text* for comparison: one case, one spelling, words only.

    >>> normal("  Palmar-Plantar ERYTHRODYSAESTHESIA  syndrome ")
    'palmar plantar erythrodysesthesia syndrome'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = " ".join(re.findall(r"[^\W_]+", folded))
    for british, american in _SPELLING:
        words = words.replace(british, american)
    return words


def _likeness(left: str, right: str, **options: object) -> float:
    return 0.5 * fuzz.token_set_ratio(left, right) + 0.5 * fuzz.WRatio(left, right)


@cache
def _by_code() -> Mapping[int, Term]:
    return {found.meddra_code: found for found in terms()}


@cache
def _by_name() -> Mapping[str, Term]:
    return {normal(found.name): found for found in terms()}


@cache
def _phrases() -> Mapping[str, Term]:
    """Names and synonyms, normalised, with the term each stands for."""
    synonyms = {
        normal(row["verbatim"]): _by_name()[normal(row["term"])] for row in _rows("synonyms.csv") if row["term"]
    }
    return {**synonyms, **_by_name()}


@cache
def _ambiguous() -> frozenset[str]:
    """Verbatims that several terms could mean: listed with no term, never coded by likeness."""
    return frozenset(normal(row["verbatim"]) for row in _rows("synonyms.csv") if not row["term"])


@cache
def _settings() -> Mapping[str, float]:
    raw = tomllib.loads(files("ctcae_v403.data").joinpath("coding.toml").read_text("utf-8"))
    return {name: float(entry["value"]) for name, entry in raw.items()}


def _rows(name: str) -> list[dict[str, str]]:
    text = files("ctcae_v403.data").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))
