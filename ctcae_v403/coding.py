"""Coding: which term of CTCAE v4.03 a verbatim text means, or that a person must decide.

Authority: judgement, written down as data with its sources (``data/coding.toml``, ``data/synonyms.csv``). Every
word must be accounted for: as a word of one name or synonym (in any order, number or usual variant), as a
measured quantity that went up or down, as a site that the term does not ask for, or as a circumstance that
does not change the term. Slips of the pen are corrected; a word that the dictionary knows is never altered,
so that *increased* cannot become *decreased*. Two events in one text, what is denied or only planned, and
what could mean several terms are not coded.

>>> code("low platelets").term.name, code("PLT ↓ (41), grade 3").term.name
('Platelet count decreased', 'Platelet count decreased')
>>> code("fever and chills").term is code("no fever").term is code("Fibrinogen increased").term is None
True
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product

from ctcae_v403.dictionary import (
    Coding,
    Term,
    alike,
    folded,
    known_words,
    meanings,
    normal,
    ranked,
    rules_of_coding,
    term,
    terms,
    written,
)

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a piece of text says: a term; ``refused``: several could be meant, or none is known; else nothing new."""

    term: Term | None = None
    score: float = 0.0
    refused: bool = False


UNKNOWN = Reading(refused=True)
NOTHING = Reading()


@lru_cache(maxsize=65_536)
def code(text: str) -> Coding:
    """The term that *text* means; the scores are those of :class:`ctcae_v403.dictionary.Coding`."""
    wanted = normal(text)
    near = ranked(wanted)
    doubted = _pattern("refusals", "doubt").search(folded(text))
    reading = Reading(meanings()[wanted], 100.0) if wanted in meanings() and not doubted else _read(_plain(text))
    if reading.term is None:
        nearest, score = near[0] if near else (None, 0.0)
        return Coding(None, round(score, 1), nearest)
    return Coding(reading.term, round(reading.score, 1), next((each for each, _ in near if each != reading.term), None))


def _read(text: str) -> Reading:
    """The whole text as one phrase; else its pieces, which must mean one term together."""
    if _pattern("refusals", "patterns").search(text):
        return UNKNOWN
    if other := next((each for name, each in _others() if f"{normal(text)} ".startswith(name)), None):
        return Reading(other, float(rules_of_coding()["qualifiers"]["score"]))
    whole = _phrase(_words(text), in_parts=False)
    if whole != UNKNOWN:
        return whole
    outside, inside = _split(text)
    if any(_pattern("brackets", "signs_of").search(piece) for piece in outside):
        inside = []  # a syndrome in brackets lists its signs
    said: list[Reading] = []
    for piece in (*outside, *inside):
        said.append(_piece(piece, beside=tuple(said)))
    if _leaves_sites(outside):
        return UNKNOWN
    found = {reading.term for reading in said if reading.term}
    if len(found) != 1 or any(reading.refused for reading in said):
        return UNKNOWN
    return min((reading for reading in said if reading.term), key=lambda each: each.score)


def _leaves_sites(pieces: Sequence[str]) -> bool:
    """Whether a piece is nothing but a site beside a complaint that the site could make another term of."""
    words = [_without(_words(piece), _passing(bare=False)) for piece in pieces]
    barred = rules_of_coding()["bars"]["words"]
    named = any(word in barred for each in words for word in each)
    return named and any(each and not _without(each, _listed("sites")) for each in words)


def _split(text: str) -> tuple[list[str], list[str]]:
    """The pieces of *text* outside and inside its brackets."""
    inside = re.findall(r"[(\[]([^()\[\]]*)[)\]]", text)
    outside = re.sub(r"[(\[][^()\[\]]*[)\]]", " ", text)
    cut = _pattern("pieces", "patterns")
    kept = [[piece for piece in cut.split(each) if normal(piece)] for each in (outside, " ; ".join(inside))]
    return kept[0], kept[1]


def _piece(text: str, beside: tuple[Reading, ...] = ()) -> Reading:
    words = _words(text)
    if _pattern("negations", "patterns").match(text) and _meaning(words) is None:
        return NOTHING
    if not _without(words, _passing(bare=False)):
        return NOTHING
    if beside:  # a quantity in brackets explains the term before it: (PLT 41), (SGPT)
        named = _quantity(words, direction="")
        if named and any(reading.term in named for reading in beside):
            return NOTHING
    return _phrase(words, in_parts=True)


def _phrase(words: Words, in_parts: bool) -> Reading:
    """The term of *words*, as they stand or with their slips of the pen corrected."""
    if (found := _known(words, in_parts)) is not None:
        return found
    rules = rules_of_coding()["correction"]
    unknown = [word for word in words if word not in known_words() and _singular(word) not in known_words()]
    choices = {word: alike(word, in_company=len(words) > 1) for word in unknown}
    if not any(choices.values()) or len(unknown) > rules["n_unknown"]:
        return UNKNOWN
    readings: dict[Term | None, float] = {}
    for chosen in product(*((*choices[word], (word, 100.0)) for word in unknown)):
        swap = {word: (new, likeness) for word, (new, likeness) in zip(unknown, chosen, strict=True)}
        corrected = " ".join(swap.get(word, (word, 0))[0] for word in words)
        found = _known(_words(corrected), in_parts)
        if found is not None and found != NOTHING:
            score = min([found.score, *(likeness for _, likeness in swap.values())])
            readings[found.term] = max(readings.get(found.term, 0.0), score)
    best = sorted(readings.items(), key=lambda each: -each[1])[:2]
    if not best or (len(best) > 1 and best[0][1] - best[1][1] < rules["lead"]):
        return UNKNOWN
    return Reading(*best[0]) if best[0][0] else UNKNOWN


def _known(words: Words, in_parts: bool) -> Reading | None:
    """The reading of the first form of *words* that the dictionary has; None where it has none of them."""
    for form, circumstance in _forms(words, in_parts):
        if not form:
            return NOTHING if in_parts else None
        found = _meaning(form)
        if found is UNKNOWN:
            return UNKNOWN
        if found is None or found.term is None:
            continue
        if _bars(circumstance, form, found.term):
            return UNKNOWN
        return Reading(found.term, 100.0 if form == words else float(rules_of_coding()["qualifiers"]["score"]))
    return None


def _forms(words: Words, in_parts: bool) -> Iterator[tuple[Words, str]]:
    """*words*, then without what does not change the term: passing words, causes, what came before, sites."""
    yield words, ""
    seen = {words}
    bodies = [(words, "")]
    if in_parts:
        bodies += _heads(words)
    for body, circumstance in bodies:
        plain, bare = _without(body, _passing(bare=False)), _without(body, _passing(bare=True))
        for form, why in (
            (body, circumstance),
            (bare, circumstance),
            (plain, circumstance),
            (caused := _without(_without(body, _listed("causes")), _passing(bare=False)), circumstance or "cause"),
            (_without_last(plain, _listed("sites")), circumstance or "site"),
            (_without(caused, _listed("sites")), circumstance or "site"),
        ):
            if form not in seen:
                seen.add(form)
                yield form, why


def _heads(words: Words) -> list[tuple[Words, str]]:
    """*words* up to the preposition of a circumstance, and its kind; none where that names an event of its own."""
    heads: list[tuple[Words, str]] = []
    for kind in ("anything", "cause", "place"):
        for at in range(len(words)):
            phrase = next((each for each in _listed("tails", kind) if words[at : at + len(each)] == each), None)
            if phrase is None:
                continue
            if kind != "anything" and _names_an_event(words[at + len(phrase) :]):
                return heads
            heads.append((words[:at], kind))
            break
    return heads


def _names_an_event(words: Words) -> bool:
    rest = _without(words, (*_passing(bare=False), *_listed("sites")))
    spans = (rest[start:end] for start in range(len(rest)) for end in range(start + 1, len(rest) + 1))
    barred = set(rules_of_coding()["tails"]["not_with"])
    return any(word in barred for word in words) or any(_meaning(span) is not None for span in spans)


def _bars(circumstance: str, form: Words, found: Term) -> bool:
    """Whether the words left out could have made another term of *found*."""
    rules = rules_of_coding()["bars"]
    return bool(circumstance) and (
        found.name in rules["every"]
        or (circumstance == "cause" and found.soc in rules["cause_of_class"])
        or (circumstance in ("site", "place") and found.name in rules["site"])
        or (circumstance == "site" and not set(form).isdisjoint(rules["words"]))
    )


def _meaning(words: Words) -> Reading | None:
    """What exactly *words* mean; None: the dictionary does not have them."""
    key = _key(words)
    if not key:
        return None
    if key in _index():
        found = _index()[key]
        return Reading(found, 100.0) if found else UNKNOWN
    joined = "".join(map(_singular, words))
    if _joined().get(joined):
        return Reading(_joined()[joined], 100.0)
    for direction in ("up", "down"):
        if (quantities := _quantity(words, direction)) and len(quantities) == 1:
            return Reading(found, 100.0) if (found := quantities.pop()) else UNKNOWN
    return _at_site(frozenset(key))


def _quantity(words: Words, direction: str) -> set[Term | None]:
    """The terms of the measured quantity that *words* name; with *direction* only if they say it went that way."""
    rules = rules_of_coding()["quantities"]
    said = [way for way in ("up", "down") for word in words if word in rules[f"{way}_words"]]
    if set(said) != ({direction} if direction else set()):
        return set()
    ways = {*rules["up_words"], *rules["down_words"]}
    named = tuple(word for word in words if word not in ways and not word.isdigit())
    if not direction:
        named = _without(named, _passing(bare=False))
    stripped = tuple(
        short for word in named if word not in rules["fillers"]
        if (short := re.sub(rules["chinese_fillers"], "", word))
    )  # fmt: skip
    for candidate in (named, tuple(word for word in named if word not in rules["fillers"]), stripped):
        if found := _quantities().get(_key(candidate)):
            return {found[direction]} if direction else set(found.values())
    return set()


def _at_site(words: frozenset[str]) -> Reading | None:
    """The term of a complaint at a site of the body: joints that hurt, legs that swell."""
    for says, sites, found in _complaints():
        if says < words and (words - says) <= sites:
            return Reading(found, 100.0)
    return None


# Words


def _plain(text: str) -> str:
    """*text* in one spelling, with measured values and dates taken out and signs put into words."""
    plain = folded(text)
    for pattern, instead in _signs():
        plain = pattern.sub(instead, plain)
    return plain


@cache
def _signs() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), instead) for pattern, instead in rules_of_coding()["signs"]["replace"])


def _words(text: str) -> Words:
    """The words of *text*, variants replaced by the word that stands for them; Chinese text between them is one."""
    plain = " ".join(re.findall(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+", text))
    same, pattern = _variants()
    return tuple(re.findall(r"[\u3400-\u9fff]+|[^\s\u3400-\u9fff]+", pattern.sub(lambda hit: same[hit[0]], plain)))


@cache
def _variants() -> tuple[Mapping[str, str], re.Pattern[str]]:
    same: dict[str, str] = {}
    for word, variants in rules_of_coding()["same"]["words"].items():
        for variant in variants:
            chinese = "\u3400" <= variant[0] <= "\u9fff"
            same[variant if chinese else normal(variant)] = f" {word} " if chinese else word
    longest = sorted(same, key=len, reverse=True)
    parts = [each if each[0] >= "\u3400" else rf"(?<![^\W_]){re.escape(each)}(?![^\W_])" for each in longest]
    return same, re.compile("|".join(parts))


def _key(words: Iterable[str]) -> Words:
    """*words* without regard to their order and number."""
    ignored = rules_of_coding()["same"]["ignored"]
    return tuple(sorted(_singular(word) for word in words if word not in ignored))


@lru_cache(maxsize=65_536)
def _singular(word: str) -> str:
    rules = rules_of_coding()["plurals"]
    if len(word) <= rules["longest_without"] or not word.isascii():
        return word
    for ending, instead in rules["endings"]:
        if word.endswith(ending):
            return f"{word.removesuffix(ending)}{instead}"
    return word


def _without(words: Words, phrases: Sequence[Words]) -> Words:
    """*words* without *phrases*, the longest first; a Chinese phrase may stand within a word."""
    kept = " ".join(words)
    for phrase in phrases:
        said = " ".join(phrase)
        if max(said[0], said[-1]) >= "\u3400":
            kept = kept.replace(said, " ")
        elif f" {said} " in f" {kept} ":
            kept = f" {kept} ".replace(f" {said} ", " ").strip()
    return tuple(kept.split())


def _without_last(words: Words, phrases: Sequence[Words]) -> Words:
    last = next((each for each in phrases if words[-len(each) :] == each), None)
    return _without_last(words[: -len(last)], phrases) if last else words


@cache
def _listed(section: str, entry: str = "phrases") -> tuple[Words, ...]:
    phrases = (_words(_plain(phrase)) for phrase in rules_of_coding()[section][entry])
    return tuple(sorted(filter(None, phrases), key=lambda each: -len(" ".join(each))))


@cache
def _passing(bare: bool) -> tuple[Words, ...]:
    """Phrases of severity, course, side and time; *bare*: those that no name or synonym contains."""
    every = _listed("qualifiers")
    if not bare:
        return every
    said = "\n".join(f" {' '.join(words)} " for words, _ in _written())
    return tuple(each for each in every if f" {' '.join(each)} " not in said)


@cache
def _pattern(section: str, entry: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in rules_of_coding()[section][entry]))


# The dictionary in these words


@cache
def _others() -> tuple[tuple[str, Term], ...]:
    """How the terms *Other, specify* begin where the text goes on to specify."""
    return tuple((normal(each.name.removesuffix("specify")) + " ", each) for each in terms() if each.other_specify)


@cache
def _written() -> tuple[tuple[Words, Term | None], ...]:
    return tuple((_words(_plain(phrase)), meant) for phrase, meant in written().items())


@cache
def _index() -> Mapping[Words, Term | None]:
    """Keys of all names and synonyms; None also where two of them have the same key."""
    index: dict[Words, Term | None] = {}
    for words, meant in _written():
        key = _key(words)
        index[key] = meant if index.get(key, meant) == meant else None
    return index


@cache
def _joined() -> Mapping[str, Term | None]:
    """The same, written as one word: *head ache* is *headache*."""
    joined: dict[str, Term | None] = {}
    for words, meant in _written():
        word = "".join(map(_singular, words))
        joined[word] = meant if joined.get(word, meant) == meant else None
    return joined


@cache
def _quantities() -> Mapping[Words, Mapping[str, Term | None]]:
    return {
        _key(_words(_plain(name))): {way: term(each[way]) if each.get(way) else None for way in ("up", "down")}
        for each in rules_of_coding()["quantities"]["list"]
        for name in each["names"]
    }


@cache
def _complaints() -> tuple[tuple[frozenset[str], frozenset[str], Term], ...]:
    def key(phrase: str) -> Words:
        return _key(_words(_plain(phrase)))

    rules = rules_of_coding()["complaints"]
    return tuple(
        (frozenset(key(says)), frozenset(word for at in (*each["at"], *rules["sides"]) for word in key(at)), term(each["term"]))
        for each in rules["list"]
        for says in each["says"]
    )
