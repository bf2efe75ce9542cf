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
from collections.abc import Iterator, Mapping, Sequence
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
from ctcae_v403.phrases import Words, key_of, listed, pattern_of, plain, singular, without, without_last, words_of


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
    doubted = pattern_of("refusals", "doubt").search(folded(text))
    reading = Reading(meanings()[wanted], 100.0) if wanted in meanings() and not doubted else _read(plain(text))
    if reading.term is None:
        nearest, score = near[0] if near else (None, 0.0)
        return Coding(None, round(score, 1), nearest)
    return Coding(reading.term, round(reading.score, 1), next((each for each, _ in near if each != reading.term), None))


def _read(text: str) -> Reading:
    """The whole text as one phrase; else its pieces, which must mean one term together."""
    if pattern_of("refusals", "patterns").search(text):
        return UNKNOWN
    if other := next((each for name, each in _others() if f"{normal(text)} ".startswith(name)), None):
        return Reading(other, float(rules_of_coding()["qualifiers"]["score"]))
    whole = _phrase(words_of(text), in_parts=False)
    if whole != UNKNOWN:
        return whole
    outside, inside = _split(text)
    if any(pattern_of("brackets", "signs_of").search(piece) for piece in outside):
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
    words = [without(words_of(piece), _passing(bare=False)) for piece in pieces]
    barred = rules_of_coding()["bars"]["words"]
    named = any(word in barred for each in words for word in each)
    return named and any(each and not without(each, listed("sites")) for each in words)


def _split(text: str) -> tuple[list[str], list[str]]:
    """The pieces of *text* outside and inside its brackets."""
    inside = re.findall(r"[(\[]([^()\[\]]*)[)\]]", text)
    outside = re.sub(r"[(\[][^()\[\]]*[)\]]", " ", text)
    cut = pattern_of("pieces", "patterns")
    kept = [[piece for piece in cut.split(each) if normal(piece)] for each in (outside, " ; ".join(inside))]
    return kept[0], kept[1]


def _piece(text: str, beside: tuple[Reading, ...] = ()) -> Reading:
    words = words_of(text)
    if pattern_of("negations", "patterns").match(text) and _meaning(words) is None:
        return NOTHING
    if not without(words, _passing(bare=False)):
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
    unknown = [word for word in words if word not in known_words() and singular(word) not in known_words()]
    choices = {word: alike(word, in_company=len(words) > 1) for word in unknown}
    if not any(choices.values()) or len(unknown) > rules["n_unknown"]:
        return UNKNOWN
    readings: dict[Term | None, float] = {}
    for chosen in product(*((*choices[word], (word, 100.0)) for word in unknown)):
        swap = {word: (new, likeness) for word, (new, likeness) in zip(unknown, chosen, strict=True)}
        corrected = " ".join(swap.get(word, (word, 0))[0] for word in words)
        found = _known(words_of(corrected), in_parts)
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
        rest, bare = without(body, _passing(bare=False)), without(body, _passing(bare=True))
        for form, why in (
            (body, circumstance),
            (bare, circumstance),
            (rest, circumstance),
            (caused := without(without(body, listed("causes")), _passing(bare=False)), circumstance or "cause"),
            (without_last(rest, listed("sites")), circumstance or "site"),
            (without(caused, listed("sites")), circumstance or "site"),
        ):
            if form not in seen:
                seen.add(form)
                yield form, why


def _heads(words: Words) -> list[tuple[Words, str]]:
    """*words* up to the preposition of a circumstance, and its kind; none where that names an event of its own."""
    heads: list[tuple[Words, str]] = []
    for kind in ("anything", "time", "cause", "place"):
        for at in range(len(words)):
            phrase = next((each for each in listed("tails", kind) if words[at : at + len(each)] == each), None)
            if phrase is None:
                continue
            if kind != "anything" and _names_an_event(words[at + len(phrase) :]):
                return heads
            heads.append((words[:at], kind))
            break
    return heads


def _names_an_event(words: Words) -> bool:
    rest = without(words, (*_passing(bare=False), *listed("sites")))
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
    key = key_of(words)
    if not key:
        return None
    if key in _index():
        found = _index()[key]
        return Reading(found, 100.0) if found else UNKNOWN
    joined = "".join(map(singular, words))
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
        named = without(named, _passing(bare=False))
    stripped = tuple(
        short for word in named if word not in rules["fillers"]
        if (short := re.sub(rules["chinese_fillers"], "", word))
    )  # fmt: skip
    for candidate in (named, tuple(word for word in named if word not in rules["fillers"]), stripped):
        if found := _quantities().get(key_of(candidate)):
            return {found[direction]} if direction else set(found.values())
    return set()


def _at_site(words: frozenset[str]) -> Reading | None:
    """The term of a complaint at a site of the body: joints that hurt, legs that swell."""
    for says, sites, found in _complaints():
        if says < words and (words - says) <= sites:
            return Reading(found, 100.0)
    return None


# The dictionary in the words of a comparison


@cache
def _passing(bare: bool) -> tuple[Words, ...]:
    """Phrases of severity, course, side and time; *bare*: those that no name or synonym contains."""
    every = listed("qualifiers")
    if not bare:
        return every
    said = "\n".join(f" {' '.join(words)} " for words, _ in _written())
    return tuple(each for each in every if f" {' '.join(each)} " not in said)


@cache
def _others() -> tuple[tuple[str, Term], ...]:
    """How the terms *Other, specify* begin where the text goes on to specify."""
    return tuple((normal(each.name.removesuffix("specify")) + " ", each) for each in terms() if each.other_specify)


@cache
def _written() -> tuple[tuple[Words, Term | None], ...]:
    return tuple((words_of(plain(phrase)), meant) for phrase, meant in written().items())


@cache
def _index() -> Mapping[Words, Term | None]:
    """Keys of all names and synonyms; None also where two of them have the same key."""
    index: dict[Words, Term | None] = {}
    for words, meant in _written():
        key = key_of(words)
        index[key] = meant if index.get(key, meant) == meant else None
    return index


@cache
def _joined() -> Mapping[str, Term | None]:
    """The same, written as one word: *head ache* is *headache*."""
    joined: dict[str, Term | None] = {}
    for words, meant in _written():
        word = "".join(map(singular, words))
        joined[word] = meant if joined.get(word, meant) == meant else None
    return joined


@cache
def _quantities() -> Mapping[Words, Mapping[str, Term | None]]:
    return {
        key_of(words_of(plain(name))): {way: term(each[way]) if each.get(way) else None for way in ("up", "down")}
        for each in rules_of_coding()["quantities"]["list"]
        for name in each["names"]
    }


@cache
def _complaints() -> tuple[tuple[frozenset[str], frozenset[str], Term], ...]:
    def key(phrase: str) -> Words:
        return key_of(words_of(plain(phrase)))

    rules = rules_of_coding()["complaints"]
    return tuple(
        (frozenset(key(says)), frozenset(word for at in (*each["at"], *rules["sides"]) for word in key(at)), term(each["term"]))
        for each in rules["list"]
        for says in each["says"]
    )
