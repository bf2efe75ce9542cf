"""The words by which texts are compared: one word for all variants of it, signs put into words, plurals folded.

Authority: usual clinical wording, written down as data (``data/coding.toml``). Both sides of a comparison pass
here, so a rule need not yield correct language.

>>> words_of(plain("Low PLT (41 x 10^9/L), grade 3"))
('decreased', 'platelet')
>>> key_of(("pains", "of", "joints")) == key_of(("joint", "pain"))
True
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache

from ctcae_v403.dictionary import folded, normal, rules_of_coding

Words = tuple[str, ...]


def plain(text: str) -> str:
    """*text* in one spelling, with measured values and dates taken out and signs put into words."""
    said = folded(text)
    for pattern, instead in _signs():
        said = pattern.sub(instead, said)
    return said


@cache
def _signs() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), instead) for pattern, instead in rules_of_coding()["signs"]["replace"])


def words_of(text: str) -> Words:
    """The words of *text*, variants replaced by the word that stands for them; Chinese text between them is one."""
    said = " ".join(re.findall(r"[\u3400-\u9fff]+|[^\W_\u3400-\u9fff]+", text))
    same, pattern = _variants()
    return tuple(re.findall(r"[\u3400-\u9fff]+|[^\s\u3400-\u9fff]+", pattern.sub(lambda hit: same[hit[0]], said)))


@cache
def _variants() -> tuple[Mapping[str, str], re.Pattern[str]]:
    same: dict[str, str] = {}
    for word, variants in rules_of_coding()["same"]["words"].items():
        for variant in variants:
            chinese = "\u3400" <= variant[0] <= "\u9fff"
            same[variant if chinese else normal(variant)] = f" {word} " if chinese else word
    longest = sorted(same, key=len, reverse=True)
    latin = "|".join(re.escape(each) for each in longest if each[0] < "\u3400")
    chinese = "|".join(each for each in longest if each[0] >= "\u3400")
    return same, re.compile(rf"(?<![^\W_])(?:{latin})(?![^\W_])|{chinese}")


def key_of(words: Iterable[str]) -> Words:
    """*words* without regard to their order and number."""
    ignored = rules_of_coding()["same"]["ignored"]
    return tuple(sorted(singular(word) for word in words if word not in ignored))


@lru_cache(maxsize=65_536)
def singular(word: str) -> str:
    rules = rules_of_coding()["plurals"]
    if len(word) <= rules["longest_without"] or not word.isascii():
        return word
    for ending, instead in rules["endings"]:
        if word.endswith(ending):
            return f"{word.removesuffix(ending)}{instead}"
    return word


def without(words: Words, phrases: Sequence[Words]) -> Words:
    """*words* without *phrases*, the longest first; a Chinese phrase may stand within a word."""
    kept = " ".join(words)
    for phrase in phrases:
        said = " ".join(phrase)
        if max(said[0], said[-1]) >= "\u3400":
            kept = kept.replace(said, " ")
        elif f" {said} " in f" {kept} ":
            kept = f" {kept} ".replace(f" {said} ", " ").strip()
    return tuple(kept.split())


def without_last(words: Words, phrases: Sequence[Words]) -> Words:
    last = next((each for each in phrases if words[-len(each) :] == each), None)
    return without_last(words[: -len(last)], phrases) if last else words


@cache
def listed(section: str, entry: str = "phrases") -> tuple[Words, ...]:
    phrases = (words_of(plain(phrase)) for phrase in rules_of_coding()[section][entry])
    return tuple(sorted(filter(None, phrases), key=lambda each: -len(" ".join(each))))


@cache
def pattern_of(section: str, entry: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in rules_of_coding()[section][entry]))
