"""What is known of a patient in the words of the criteria, and everything that follows from it.

A *finding* is true, false or unknown (never assumed); a *scale* is a set of findings of which at most one is
true; a *quantity* is a number known to lie in an interval. The vocabulary (``data/findings.toml`` and the
findings that only one class uses, in ``data/criteria/<class>.toml``) also says what implies what:
danger to life implies symptoms, an urgent operation implies an intervention. Terms of severity follow CTCAE
v4.03 (NCI, 14 June 2010); the wording of the questions is ours.

>>> state = Known.of({"life_threatening_consequences": True}, vocabulary("Cardiac disorders"))
>>> state.holds(Literal.read("asymptomatic", state.words))
False
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from math import inf
from types import MappingProxyType
from typing import Any

from ctcae_v403 import dictionary

#: The grade that the numeric rules of the term give: a criterion ``numbers`` of grade g asks for at least g.
NUMBERS = "numbers"
_NONE = {"none", "无"}  # of a scale: no member holds
_YES, _NO, _UNKNOWN = {"y", "yes", "true", "1", "是"}, {"n", "no", "false", "0", "否"}, {"", "u", "unknown", "nd", "?"}


class UnknownFinding(LookupError):
    """Not a word of the vocabulary, or not a value it can have; the message names what is near."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask for one piece of information. ``options``: key and wording of each answer of a scale."""

    key: str
    ask: str
    zh: str
    unit: str = ""
    options: tuple[tuple[str, str, str], ...] = ()

    def text(self, language: str = "en") -> str:
        """The question with its unit or its options, in ``en`` or ``zh``."""
        asked = self.zh if language == "zh" else self.ask
        choices = " / ".join(zh if language == "zh" else en for _, en, zh in self.options)
        extra = choices or self.in_words
        return f"{asked} ({extra})" if extra else asked

    @property
    def in_words(self) -> str:
        """The unit as it is written; a pure number has none."""
        return "" if self.unit == "1" else self.unit


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A vocabulary: questions by key, what each value of a finding entails, and other names of keys.

    ``worse``: of a degree on a scale, itself and the worse ones; a criterion that names it is met by each of them.
    """

    questions: Mapping[str, Question]
    entails: Mapping[tuple[str, bool], tuple[tuple[str, bool], ...]]
    names: Mapping[str, tuple[str, bool]]
    scale_of: Mapping[str, str]
    exhaustive: Mapping[str, tuple[str, ...]]
    analytes: Mapping[str, str]
    is_quantity: frozenset[str] = field(default_factory=frozenset)
    labels: Mapping[tuple[str, bool], str] = field(default_factory=dict)
    worse: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.names or name in self.questions


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a number is known to lie; the ends count where ``closed``."""

    low: Decimal | float = -inf
    high: Decimal | float = inf
    low_closed: bool = True
    high_closed: bool = True

    def cut(self, operator: str, bound: Decimal) -> Interval | None:
        """The part for which the comparison holds; None where there is none."""
        if operator in (">", ">="):
            closed = operator == ">="
            tighter = bound > self.low or (bound == self.low and not closed)
            new = replace(self, low=bound, low_closed=closed) if tighter else self
        else:
            closed = operator == "<="
            tighter = bound < self.high or (bound == self.high and not closed)
            new = replace(self, high=bound, high_closed=closed) if tighter else self
        empty = new.low > new.high or (new.low == new.high and not (new.low_closed and new.high_closed))
        return None if empty else new


_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_BY_NUMBERS = re.compile(rf"{NUMBERS}(?:\((\d)\))?")
_COMPARISON = re.compile(r"(\w+) *(<=|>=|<|>) *(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Literal:
    """``key`` is true (or false), or the quantity ``key`` compares so with ``bound``."""

    key: str
    true: bool = True
    operator: str = ""
    bound: Decimal = Decimal(0)

    @classmethod
    def read(cls, text: str, words: Words, grade: int = 0) -> Literal:
        """From ``finding``, ``!finding``, ``bsa >= 10``, ``numbers`` (of *grade*) or ``numbers(2)``. Raises UnknownFinding."""
        text = text.strip()
        if by_numbers := _BY_NUMBERS.fullmatch(text):
            return cls(NUMBERS, operator=">=", bound=Decimal(by_numbers[1] or grade))
        compared = _COMPARISON.fullmatch(text)
        if compared and compared[1] in words.is_quantity:
            return cls(compared[1], operator=compared[2], bound=Decimal(compared[3]))
        name = text.removeprefix("!").strip()
        if name not in words.names:
            raise UnknownFinding(f"unknown finding {name!r}{_near(name, words.names)}")
        key, true = words.names[name]
        return cls(key, true != text.startswith("!"))

    def opposite(self) -> Literal:
        if self.operator:
            return replace(self, operator=_OPPOSITE[self.operator])
        return replace(self, true=not self.true)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known: ``true`` and ``ranges``; ``clashes`` are stated facts that contradict each other."""

    words: Words = field(repr=False)
    true: Mapping[str, bool] = field(default_factory=dict)
    ranges: Mapping[str, Interval] = field(default_factory=dict)
    clashes: tuple[tuple[str, str], ...] = ()
    exempt: frozenset[str] = frozenset()

    @classmethod
    def of(cls, findings: Mapping[str, object], words: Words) -> Known:
        """The stated findings and all that follows from them.

        Values: bool, ``Y``/``N``, None or ``unknown``, a number for a quantity, the member (key or wording) for a
        scale. What is stated stands; where two statements contradict each other, both stand, what would follow
        from one against the other is dropped, and the pair is in ``clashes``. Raises UnknownFinding.
        """
        stated: dict[str, bool] = {}
        ranges: dict[str, Interval] = {}
        for name, value in findings.items():
            for literal in _stated(name, value, words):
                if literal.operator:
                    cut = ranges.get(literal.key, Interval()).cut(literal.operator, literal.bound)
                    ranges[literal.key] = cut or Interval()
                else:
                    stated[literal.key] = literal.true
        known: dict[str, bool] = dict(stated)
        clashes: dict[tuple[str, str], None] = {}
        exempt: set[str] = set()
        for key, value in stated.items():
            for reached, forced in _closure(key, value, words):
                if reached in stated and stated[reached] != forced:
                    clashes.setdefault((min(key, reached), max(key, reached)))
                    exempt |= {reached, key}
                elif reached not in stated and known.setdefault(reached, forced) != forced:
                    exempt.add(reached)
        for key in exempt - set(stated):
            del known[key]
        for members in words.exhaustive.values():
            if all(known.get(member) is False for member in members) and not exempt.intersection(members):
                clashes.setdefault((members[0], members[-1]))  # one of them must be true
                exempt |= {*members}
        state = cls(words, known, ranges, tuple(clashes), frozenset(exempt))
        return state._completed() or state

    def holds(self, literal: Literal) -> bool | None:
        """Whether the literal is true, false, or unknown (None)."""
        if not literal.operator:
            value = self.true.get(literal.key)
            return None if value is None else value == literal.true
        interval = self.ranges.get(literal.key, Interval())
        if interval.cut(literal.operator, literal.bound) is None:
            return False
        return True if interval.cut(_OPPOSITE[literal.operator], literal.bound) is None else None

    def assume(self, literal: Literal) -> Known | None:
        """What would be known if *literal* held as well; None where it cannot hold."""
        held = self.holds(literal)
        if held is not None:
            return self if held else None
        if literal.operator:
            cut = self.ranges.get(literal.key, Interval()).cut(literal.operator, literal.bound)
            return None if cut is None else replace(self, ranges={**self.ranges, literal.key: cut})
        true = {**self.true, literal.key: literal.true}
        for reached, forced in _closure(literal.key, literal.true, self.words):
            if reached not in self.exempt and true.setdefault(reached, forced) != forced:
                return None
        return replace(self, true=true)._completed()

    def _completed(self) -> Known | None:
        """Of an exhaustive scale with one member left, that member is true."""
        for members in self.words.exhaustive.values():
            left = [member for member in members if self.true.get(member) is not False]
            if not left and not self.exempt.intersection(members):
                return None
            if len(left) == 1 and left[0] not in self.true and left[0] not in self.exempt:
                return self.assume(Literal(left[0]))
        return self


@cache
def _closure(key: str, value: bool, words: Words) -> tuple[tuple[str, bool], ...]:
    """Everything that *key* = *value* entails, directly or in turn."""
    seen = {(key, value): None}
    waiting = [(key, value)]
    while waiting:
        for entailed in words.entails.get(waiting.pop(), ()):
            if entailed not in seen:
                seen[entailed] = None
                waiting.append(entailed)
    return tuple(seen)[1:]


def _stated(name: str, value: object, words: Words) -> Iterator[Literal]:
    """The literals that one stated finding amounts to; none where it is unknown."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _UNKNOWN):
        return
    if name in words.is_quantity:
        number = _number(name, value)
        yield Literal(name, operator=">=", bound=number)
        yield Literal(name, operator="<=", bound=number)
    elif name in words.names:
        key, true = words.names[name]
        yield Literal(key, _truth(name, value) == true)
    elif name in words.questions and words.questions[name].options:
        options = words.questions[name].options
        chosen = [key for key, *texts in options if str(value).strip().lower() in (key, *texts)]
        if not chosen and str(value).strip().lower() in _NONE:
            yield from (Literal(key, False) for key, *_ in options)
            return
        if not chosen:
            raise UnknownFinding(f"{name} = {value!r}: not one of {', '.join(key for key, *_ in options)}")
        yield Literal(chosen[0])
    elif name not in vocabulary(""):
        raise UnknownFinding(f"unknown finding {name!r}{_near(name, {**words.names, **words.questions})}")
    # else a finding of another class, on which nothing here depends


def _truth(name: str, value: object) -> bool:
    word = str(value).strip().lower()
    if word in _YES | _NO:
        return word in _YES
    raise UnknownFinding(f"{name} = {value!r}: write Y, N or leave it out where it is not known")


def _number(name: str, value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise UnknownFinding(f"{name} = {value!r}: write a number")
    return number


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""


@cache
def vocabulary(soc: str) -> Words:
    """The shared words and those of one class (all classes where *soc* is empty)."""
    own = [file_stem(each) for each in ([soc] if soc else dictionary.socs())]
    merged: dict[str, dict[str, Any]] = {"finding": {}, "scale": {}, "quantity": {}}
    for read in (_toml("findings.toml"), *(_toml(f"criteria/{stem}.toml") for stem in own)):
        for kind, entries in merged.items():
            entries |= read.get(kind, {})
    return _words(merged)


def document(soc: str) -> Mapping[str, Any]:
    """The criteria file of one class."""
    return _toml(f"criteria/{file_stem(soc)}.toml")


def file_stem(soc: str) -> str:
    """``Neoplasms benign, …`` → ``neoplasms_benign_…``: the name of a class's criteria file.

    >>> file_stem("Renal and urinary disorders")
    'renal_and_urinary_disorders'
    """
    return re.sub(r"[^a-z]+", "_", soc.lower()).strip("_")


@cache
def _toml(name: str) -> Mapping[str, Any]:
    return tomllib.loads(files("ctcae_v403.data").joinpath(name).read_text("utf-8"))


def _words(document: Mapping[str, Mapping[str, Any]]) -> Words:
    questions: dict[str, Question] = {}
    names: dict[str, tuple[str, bool]] = {}
    scale_of: dict[str, str] = {}
    exhaustive: dict[str, tuple[str, ...]] = {}
    implies: list[tuple[tuple[str, bool], tuple[str, bool]]] = []
    asked = {key: row for key, row in document["finding"].items() if "not" not in row}
    for key, row in asked.items():
        questions[key] = Question(key, row["ask"], row["zh"])
        names |= {name: (key, True) for name in (key, *row.get("also", ()))}
    for scale, row in document["scale"].items():
        members = row["members"]
        options = tuple((key, text["en"], text["zh"]) for key, text in members.items())
        questions[scale] = Question(scale, row["ask"], row["zh"], options=options)
        names |= {key: (key, True) for key in members}
        scale_of |= dict.fromkeys(members, scale)
        implies += [((one, True), (other, False)) for one in members for other in members if one != other]
        if row.get("exhaustive"):
            exhaustive[scale] = tuple(members)
    for quantity, row in document["quantity"].items():
        questions[quantity] = Question(quantity, row["ask"], row["zh"], unit=row["unit"])
    named = [document["finding"], *(row["members"] for row in document["scale"].values())]
    labels = {key: row["label"] for rows in named for key, row in rows.items() if "label" in row}
    worse = {
        member: tuple(row["worse"][row["worse"].index(member) :])
        for row in document["scale"].values() for member in row.get("worse", ())
    }  # fmt: skip
    for key, row in document["finding"].items():
        if "not" in row:
            names[key] = (names[row["not"]][0], False)
    sources = [((key,), row) for key, row in asked.items()]
    sources += [(tuple(row["members"]), row) for row in document["scale"].values()]
    for keys, row in sources:
        for text in row.get("implies", ()):
            key, true = names[text.removeprefix("!")]
            implies += [((source, True), (key, true != text.startswith("!"))) for source in keys]
    entails: defaultdict[tuple[str, bool], list[tuple[str, bool]]] = defaultdict(list)
    for (source, value), (target, forced) in implies:
        entails[source, value].append((target, forced))
        entails[target, not forced].append((source, not value))
    return Words(
        MappingProxyType(questions), {pair: tuple(found) for pair, found in entails.items()}, names, scale_of, exhaustive,
        {key: row["analyte"] for key, row in document["quantity"].items() if "analyte" in row},
        frozenset({*document["quantity"], NUMBERS}),
        {pair: labels.get(name, name.replace("_", " ")) for name, pair in reversed(names.items())},
        worse,
    )  # fmt: skip
