"""Many events at once: the same weighing as ``model.weigh``, a column at a time.

Every piece of evidence depends on few things (a row of a profile and a day, a rule and an answer), so it is made once
for each combination that occurs, by the functions that make it for one event, and looked up for all rows. Shares,
levels, effects and the words of the rationale are then put together from those look-ups. ``model.weigh`` is the plain
program this one is tested against.

Columns are those of the ``attribute`` contract (docs/interface.md); null is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute

from safety_monitor.attribution import account, evidence
from safety_monitor.attribution.catalogue import Found, Profile, Row, Weights, weights
from safety_monitor.attribution.evidence import Case, Challenge, Exposure, Piece
from safety_monitor.attribution.model import (
    DISEASE,
    OTHER,
    disease_behind,
    find_profile,
    remark_on,
    standard_term,
)
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind, Level

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

#: Rows weighed together: enough to hide the cost of a step, few enough to stay small in memory.
_CHUNK, _CHUNK_WITH_WORDS = 200_000, 30_000
#: A look-up table is used up to this many combinations, sorting beyond.
_DENSE = 4_000_000

_WORDS = {"Y": True, "N": False, "U": None}


def weigh_frame(
    frame: pl.DataFrame,
    components: Sequence[Component],
    *,
    disease: str | None = None,
    profiles: Mapping[str, Profile] | None = None,
    constants: Weights | None = None,
    rationale: bool = False,
) -> pl.DataFrame:
    """One row out per row in: ``<C>_LEVEL`` and ``<C>_SHARE`` per cause, ``LEADING``, ``RESTS_ON`` and, where asked,
    ``RATIONALE``; other columns of *frame* are dropped, CASEID is kept where it is there.

    A column that is absent is unknown throughout; ValueError names a column and a value that it cannot hold.
    """
    if not frame.height:  # the columns of the answer, without a row
        unknown = pl.DataFrame({name: pl.Series([None], dtype=kind) for name, kind in frame.schema.items()})
        return weigh_frame(
            unknown if frame.width else pl.DataFrame({"AEDECOD": [""]}), components,
            disease=disease, profiles=profiles, constants=constants, rationale=rationale,
        ).clear()  # fmt: skip
    step = _CHUNK_WITH_WORDS if rationale else _CHUNK
    parts = [frame.slice(start, step) for start in range(0, frame.height, step)]
    study = _Study(tuple(components), disease, profiles or {}, constants or weights())
    return pl.concat([_weigh_part(part, study, rationale) for part in parts])


@dataclass(frozen=True)
class _Study:
    components: tuple[Component, ...]
    disease: str | None
    profiles: Mapping[str, Profile]
    constants: Weights


@dataclass
class _Codes:
    """A column as whole numbers into its distinct values."""

    codes: Ints
    values: list[Any]

    @classmethod
    def of(cls, series: pl.Series) -> _Codes:
        distinct = series.unique(maintain_order=True)
        numbers = pl.Series(range(len(distinct)), dtype=pl.Int64)
        codes = series.replace_strict(distinct, numbers, return_dtype=pl.Int64) if len(series) else numbers
        return cls(codes.to_numpy(), distinct.to_list())

    def map(self, change: Callable[[Any], Any]) -> _Codes:
        """The same rows with every value changed, equal results under one number."""
        numbers: dict[Any, int] = {}
        moved = np.array([numbers.setdefault(change(value), len(numbers)) for value in self.values], dtype=np.int64)
        return _Codes(moved[self.codes] if len(moved) else self.codes, list(numbers))


@dataclass
class _Slot:
    """One place for a piece of one cause: which piece each row has there (-1: none).

    Where nearly every row has a piece of its own, ``factors`` holds their numbers and ``late`` makes the pieces, which
    only words need.
    """

    pieces: list[Piece]
    index: Ints
    factors: Floats | None = None
    late: Callable[[], _Slot] | None = None

    def take(self, name: str, otherwise: float) -> Floats:
        """The number or flag *name* of each row's piece."""
        if self.late is not None:
            return self.factors if self.factors is not None and name == "factor" else np.full(len(self.index), otherwise)
        return np.array([*(getattr(piece, name) for piece in self.pieces), otherwise], dtype=np.float64)[self.index]

    def flags(self, name: str) -> Bools:
        return self.take(name, 0.0) > 0

    def made(self) -> _Slot:
        return self if self.late is None else self.late()


@dataclass
class _Cause:
    name: str
    slots: list[_Slot]
    bases: list[Found]  # per code of `found`
    found: Ints
    impossible: Bools
    exposure_known: Bools
    hazard: Floats = field(default_factory=lambda: np.empty(0))


def _memo(
    size: int, columns: Sequence[tuple[Ints, int]], make: Callable[..., Piece | None], where: Bools, *, by_place: bool = False
) -> _Slot:
    """The piece of every row, made once per combination of *columns* (codes and how many there are).

    *make* is given the codes, or the place of a row that has them.
    """
    key = np.zeros(size, dtype=np.int64)
    domain = 1
    for codes, count in columns:
        key = key * max(count, 1) + codes
        domain *= max(count, 1)
    places_wanted = np.flatnonzero(where)
    wanted = key[places_wanted]
    if domain <= _DENSE:
        seen = np.zeros(domain, dtype=np.int64)
        seen[wanted] = 1
        distinct = np.flatnonzero(seen)
        seen[distinct] = np.arange(len(distinct))
        number = seen[wanted]
    else:
        distinct, number = np.unique(wanted, return_inverse=True)
    calls: Iterable[tuple[int, ...]]
    if by_place:
        example = np.zeros(len(distinct), dtype=np.int64)
        example[number] = places_wanted
        calls = ((place,) for place in example.tolist())
    else:
        parts, rest = [], distinct
        for _, count in reversed(columns):
            rest, code = np.divmod(rest, max(count, 1))
            parts.append(code.tolist())
        calls = zip(*reversed(parts), strict=True)
    pieces: list[Piece] = []
    places = np.full(len(distinct), -1, dtype=np.int64)
    for place, call in enumerate(calls):
        piece = make(*call)
        if piece is not None:
            places[place] = len(pieces)
            pieces.append(piece)
    index = np.full(size, -1, dtype=np.int64)
    index[places_wanted] = places[number]
    return _Slot(pieces, index)


class _Columns:
    """The columns of one part, read once: words and days as codes."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame, self.height = frame, frame.height

    def text(self, name: str) -> _Codes:
        if name not in self.frame.columns:
            return _Codes(np.zeros(self.height, dtype=np.int64), [""])
        return _Codes.of(self.frame[name].cast(pl.String)).map(lambda text: (text or "").strip())

    def word(self, name: str, parse: Callable[[str], Any]) -> _Codes:
        def read(text: str) -> Any:
            try:
                return parse(text.upper())
            except (KeyError, ValueError):
                raise ValueError(f"{name}: {text!r} is not a value this column can hold") from None

        if name in self.frame.columns and self.frame[name].dtype == pl.Boolean:
            return _Codes.of(self.frame[name])
        return self.text(name).map(lambda text: read(text) if text else None)

    def yes_no(self, name: str) -> _Codes:
        return self.word(name, _WORDS.__getitem__)

    def challenge(self, name: str) -> _Codes:
        return self.word(name, Challenge).map(lambda found: found or Challenge.UNKNOWN)

    def days(self, name: str) -> _Codes:
        if name in self.frame.columns and self.frame[name].dtype.is_numeric():
            return _Codes.of(self.frame[name].cast(pl.Float64)).map(lambda day: None if day is None else _finite(name, day))
        return self.word(name, lambda text: _finite(name, float(text)))


def _finite(name: str, day: float) -> float:
    if not np.isfinite(day):
        raise ValueError(f"{name}: {day} is not a number of days")
    return day


def _weigh_part(frame: pl.DataFrame, study: _Study, rationale: bool) -> pl.DataFrame:
    columns = _Columns(frame)
    events = _Events(columns, study)
    causes = [events.component(part) for part in study.components]
    behind = study.disease or disease_behind(study.components, study.profiles)
    causes += [events.background(DISEASE, behind), events.background(OTHER, "other")]
    names = [cause.name for cause in causes]
    if len(set(names)) != len(names):
        raise ValueError(f"causes to weigh: {', '.join(names)}: each needs a name of its own; rename the component")
    for cause in causes:
        hazard = np.ones(frame.height)
        for slot in cause.slots:
            hazard = hazard * slot.take("factor", 1.0)
        cause.hazard = np.where(cause.impossible, 0.0, hazard)
    hazards = np.stack([cause.hazard for cause in causes])
    total = np.zeros(frame.height)
    for ordered in np.sort(hazards, axis=0):
        total = total + ordered
    shares = hazards / total
    by_name = sorted(range(len(causes)), key=names.__getitem__)
    leading = np.array(by_name)[np.argmax(shares[by_name], axis=0)]
    levels = np.stack([_levels(cause, share, study.constants) for cause, share in zip(causes, shares, strict=True)])
    rests_on = np.stack([_rests_on(cause) for cause in causes])[leading, np.arange(frame.height)]
    words = np.array([level.name for level in Level], dtype=object)
    answer: dict[str, Any] = {"CASEID": frame["CASEID"]} if "CASEID" in frame.columns else {}
    for cause, share, level in zip(causes, shares, levels, strict=True):
        answer[f"{cause.name.upper()}_LEVEL"] = pl.Series(words[level - 1], dtype=pl.String)
        answer[f"{cause.name.upper()}_SHARE"] = share
    answer["LEADING"] = pl.Series(np.array([name.upper() for name in names], dtype=object)[leading], dtype=pl.String)
    answer["RESTS_ON"] = pl.Series(rests_on, dtype=pl.String)
    if rationale:
        told = _Words(events, causes, shares, levels, leading, total, rests_on)
        answer["RATIONALE"] = pl.Series(told.paragraphs())
    return pl.DataFrame(answer)


def _levels(cause: _Cause, share: Floats, constants: Weights) -> Ints:
    """The levels of one cause, as ``model`` cuts them."""
    cuts = constants.cuts
    supported = np.zeros(len(share), dtype=bool)
    proven = np.zeros(len(share), dtype=bool)
    for slot in cause.slots:
        supported |= slot.flags("supports")
        proven |= slot.flags("proof")
    flat = np.array([found.basis == "flat" for found in cause.bases], dtype=bool)[cause.found]
    held_back = (share < cuts.probable) | ~cause.exposure_known | (flat & ~supported)
    return np.select(
        [cause.hazard == 0, share < cuts.possible, held_back, proven & (share >= cuts.definite)],
        [Level.UNRELATED, Level.UNLIKELY, Level.POSSIBLE, Level.DEFINITE],
        Level.PROBABLE,
    )


def _rests_on(cause: _Cause) -> np.ndarray[Any, np.dtype[Any]]:
    """What the frequency of *cause* rests on, by its kind of row and the tier of its figure."""
    judged = np.array([*(piece.tier == "judgement" for piece in cause.slots[0].pieces), False])[cause.slots[0].index].astype(int)
    tiers = ("", "judgement")
    table = np.array([[account.rests_on(found.basis, tier) for tier in tiers] for found in cause.bases], dtype=object)
    return np.asarray(table[cause.found, judged])


class _Events:
    """What the pieces of all causes are made from."""

    def __init__(self, columns: _Columns, study: _Study) -> None:
        self.columns, self.study, self.height = columns, study, columns.height
        self.grade = columns.word("AETOXGR", lambda text: int(float(text)))
        self.modality = columns.text("ABLATION_MODALITY").map(str.upper)
        self.drug = columns.text("PD1_DRUG").map(str.upper)
        self.site = columns.text("ABLATION_SITE").map(str.upper)
        self.terms = self._terms()
        self._answers: dict[str, _Codes] = {}

    def _terms(self) -> _Codes:
        """Rows by (term as weighed, words reported, organ class): what finds a row of a profile."""
        verbatim, coded = self.columns.text("AETERM"), self.columns.text("AEDECOD")
        both = coded.codes * max(len(verbatim.values), 1) + verbatim.codes
        distinct, number = np.unique(both, return_inverse=True)
        words = _known_words(self.study)
        values: dict[tuple[str, str, str | None], int] = {}
        moved = []
        for pair in distinct.tolist():
            decod, said = divmod(pair, max(len(verbatim.values), 1))
            term, reported = coded.values[decod], verbatim.values[said]
            term = term or reported
            standard = standard_term(term)
            if standard is None:
                reported = f"{term} {reported}".strip()
            known = "\n".join(word for word in words if word in reported.casefold()) or ("·" if reported else "")
            value = (standard.name if standard else term, known, standard.soc if standard else None)
            moved.append(values.setdefault(value, len(values)))
        return _Codes(np.array(moved, dtype=np.int64)[number], list(values))

    def find(self, profile: Profile) -> tuple[Ints, list[Found]]:
        found: dict[tuple[int, str], int] = {}
        rows: list[Found] = []
        moved = []
        for term, words, organ_class in self.terms.values:
            answer = profile.find(term, organ_class=organ_class, verbatim=words)
            key = (id(answer.row), answer.basis)
            if key not in found:
                found[key] = len(rows)
                rows.append(answer)
            moved.append(found[key])
        return np.array(moved, dtype=np.int64)[self.terms.codes], rows

    def answer(self, name: str) -> _Codes:
        if name not in self._answers:
            self._answers[name] = self.columns.yes_no(name.upper())
        return self._answers[name]

    def component(self, part: Component) -> _Cause:
        profile, constants, prefix = find_profile(part.profile, self.study.profiles), self.study.constants, part.name.upper()
        chosen = profile or constants.unprofiled[part.kind.value]
        column = self.columns
        exposed, ongoing = column.yes_no(f"{prefix}_EXPOSED"), column.yes_no(f"{prefix}_ONGOING")
        first, last = column.days(f"{prefix}_DAYS_SINCE_FIRST"), column.days(f"{prefix}_DAYS_SINCE_LAST")
        seen = [(each.codes, len(each.values)) for each in (exposed, first, last, ongoing)]

        def exposure(e: int, f: int, n: int, o: int) -> Exposure:
            return Exposure(exposed.values[e], first.values[f], last.values[n], ongoing.values[o])

        days = [_days(first), _days(last)]
        negative = days[0] < 0
        unexposed = np.array([answer is False for answer in exposed.values], dtype=bool)[exposed.codes]
        impossible = negative | unexposed
        possible = ~impossible
        shown = _Slot(
            [], np.where(impossible, 0, -1),
            late=lambda: _memo(self.height, seen, lambda *codes: _impossible(part.name, exposure(*codes)), impossible),
        )  # fmt: skip
        on_treatment = np.array([answer is True for answer in ongoing.values], dtype=bool)[ongoing.codes]
        stated = np.array([answer is True for answer in exposed.values], dtype=bool)[exposed.codes]
        known = stated | (on_treatment & ~unexposed) | (days[0] >= 0) | (days[1] >= 0)
        found, rows = self.find(chosen)
        slots = [self._incidence(part.name, found, rows, chosen, possible), shown]
        if profile is None:
            slots.append(self._constant(evidence.no_profile(part.name, part.profile), possible))
        slots.append(
            self._constant(next(evidence.exposure(part.name, Exposure(), constants)), possible & ~known)
        )
        slots.append(self._site(part.name, found, rows, chosen, possible))
        slots += self._timing(part, found, rows, chosen, seen, days, exposure, possible)
        answers = {name: column.challenge(f"{prefix}_{name.upper()}") for name in ("dechallenge", "rechallenge")}
        slots += self._findings(part.name, chosen, answers, possible)
        return _Cause(part.name, slots, rows, found, impossible, known)

    def background(self, cause: str, name: str | None) -> _Cause:
        profile = find_profile(name, self.study.profiles)
        chosen = profile or self.study.constants.unprofiled[ComponentKind.DRUG.value]
        found, rows = self.find(chosen)
        everywhere = np.ones(self.height, dtype=bool)
        slots = [self._incidence(cause, found, rows, chosen, everywhere)]
        if profile is None:
            slots.append(self._constant(evidence.no_profile(cause, name, disease=True), everywhere))
        slots += self._findings(cause, chosen, {}, everywhere)
        return _Cause(cause, slots, rows, found, np.zeros(self.height, dtype=bool), everywhere)

    def _constant(self, piece: Piece, where: Bools) -> _Slot:
        return _Slot([piece], np.where(where, 0, -1))

    def _incidence(self, cause: str, found: Ints, rows: list[Found], profile: Profile, where: Bools) -> _Slot:
        """Modality and drug only split the rows whose figure depends on them."""
        asks = [
            np.array([bool(getattr(each.row, table) or getattr(profile.flat, table)) for each in rows], dtype=bool)[found]
            for table in ("by_modality", "by_drug")
        ]

        def make(row: int, grade: int, modality: int, drug: int) -> Piece:
            case = Case(
                "", "", grade=self.grade.values[grade],
                ablation_modality=self.modality.values[modality - 1] if modality else None,
                pd1_drug=self.drug.values[drug - 1] if drug else None,
            )  # fmt: skip
            return evidence.incidence(cause, case, rows[row].row, rows[row].basis, profile, self.study.constants)

        keys = [
            (found, len(rows)),
            (self.grade.codes, len(self.grade.values)),
            (np.where(asks[0], self.modality.codes + 1, 0), len(self.modality.values) + 1),
            (np.where(asks[1], self.drug.codes + 1, 0), len(self.drug.values) + 1),
        ]
        return _memo(self.height, keys, make, where)

    def _site(self, cause: str, found: Ints, rows: list[Found], profile: Profile, where: Bools) -> _Slot:
        def make(row: int, site: int) -> Piece | None:
            case = Case("", "", ablation_site=self.site.values[site])
            return next(evidence.site(cause, case, rows[row].row, profile), None)

        return _memo(self.height, [(found, len(rows)), (self.site.codes, len(self.site.values))], make, where)

    def _timing(
        self,
        part: Component,
        found: Ints,
        rows: list[Found],
        profile: Profile,
        seen: Sequence[tuple[Ints, int]],
        days: list[Floats],
        exposure: Callable[[int, int, int, int], Exposure],
        where: Bools,
    ) -> list[_Slot]:
        """The onset window, then the fading after the last dose; each by what it depends on alone."""
        constants = self.study.constants
        _, first, last, ongoing = seen

        if part.kind is ComponentKind.PROCEDURE:
            clocks = [first, last]
        else:  # one clock a row: the other day is not looked at
            by_last = np.array([each.row.clock == "last" for each in rows], dtype=bool)[found]
            clocks = [(np.where(by_last, 0, first[0]), first[1]), (np.where(by_last, last[0], 0), last[1])]
            days = [np.where(by_last, days[1], days[0])]
        has = np.array([evidence.onset_of(each.row, profile) is not None for each in rows], dtype=bool)[found] & where
        factors = np.where(has, _window_factors(found, [each.row for each in rows], days, profile, constants), 1.0)

        def late() -> _Slot:
            """One piece per row of the profile, days and factor: as ``evidence.window`` has it."""
            words = [
                evidence.window_words(onset, evidence.clock_name(part.kind, each.row), each.row, profile)
                if (onset := evidence.onset_of(each.row, profile))
                else None
                for each in rows
            ]
            chosen = [[day if day >= 0 else None for day in each.tolist()] for each in days]

            def make(place: int) -> Piece | None:
                said = words[found[place]]
                assert said is not None  # where has
                known = sorted({day for each in chosen if (day := each[place]) is not None})
                if known:
                    return evidence.window_piece(part.name, known, float(factors[place]), said)
                return evidence.unknown_day(part.name, said)

            return _memo(self.height, [(found, len(rows)), *clocks], make, has, by_place=True)

        slots = [_Slot([], np.where(has, 0, -1), factors=factors, late=late)]
        if part.kind is ComponentKind.DRUG and profile.persistence is not None:

            def fading(n: int, o: int) -> Piece | None:
                return next(evidence.after_last(part.name, exposure(0, 0, n, o), profile), None)

            slots.append(_memo(self.height, [last, ongoing], fading, where))
        return slots

    def _findings(self, cause: str, profile: Profile, own: Mapping[str, _Codes], where: Bools) -> list[_Slot]:
        slots = []
        for rule in profile.evidence:
            if rule.what in ("dechallenge", "rechallenge") and rule.what not in own:
                continue
            answers = own.get(rule.what) or self.answer(rule.what)
            wanted = [evidence.answer_text(value) == rule.value for value in answers.values]
            says = np.array(wanted, dtype=bool)[answers.codes]
            kinds = [
                0 if not rule.applies(term, organ) else 2 if self.study.constants.never_recovers(term) else 1
                for term, _, organ in self.terms.values
            ]
            kind = np.array(kinds, dtype=np.int64)[self.terms.codes]
            pieces = [evidence.weighed(cause, rule, profile, irreversible=irreversible) for irreversible in (False, True)]
            slots.append(_Slot(pieces, np.where(where & says, kind - 1, -1)))
        return slots


def _days(found: _Codes) -> Floats:
    """Days by row, nan where not known."""
    return np.array([np.nan if day is None else day for day in found.values], dtype=np.float64)[found.codes]


def _window_factors(
    found: Ints, rows: list[Row], days: list[Floats], profile: Profile, constants: Weights
) -> Floats:
    """What ``evidence.window`` multiplies by, for a column of days (nan: not known) or two."""
    windows = [evidence.onset_of(row, profile) for row in rows]
    centre = np.array([onset.log_days.mean if onset else 0.0 for onset in windows])[found]
    spread = np.array([onset.log_days.stdev if onset else 1.0 for onset in windows])[found]
    capped = np.array([row.onset is None and row.frequency == "not_expected" for row in rows], dtype=bool)[found]
    density = np.zeros(len(found))
    known = np.zeros(len(found), dtype=bool)
    for number, day in enumerate(days):
        there = day >= 0
        if number:  # the same day twice is one session
            there &= ~(day == days[0])
        log_day = np.log1p(np.where(there, day, 0.0))
        each = np.exp(-(((log_day - centre) / spread) ** 2) / 2) / (spread * np.sqrt(2 * np.pi)) / (np.where(there, day, 0.0) + 1)
        density = density + np.where(there, each, 0.0)
        known |= there
    factor = (1 - profile.outside_window) * density * constants.horizon_days + profile.outside_window
    factor = np.where(capped, np.minimum(1.0, factor), factor)
    return np.where(known, factor, 1.0)


def _impossible(cause: str, seen: Exposure) -> Piece:
    piece = evidence.impossible(cause, seen)
    assert piece is not None  # the caller looked
    return piece


def _known_words(study: _Study) -> list[str]:
    """Every reported word that a row of the profiles in use asks for, in small letters."""
    behind = study.disease or disease_behind(study.components, study.profiles)
    used = [find_profile(name, study.profiles) for name in (*(part.profile for part in study.components), behind, "other")]
    words = (word.casefold() for profile in used if profile for row in profile.terms for word in row.verbatim)
    return sorted(dict.fromkeys(words))


class _Words:
    """The paragraphs of all rows, as numbers of phrases first and joined at the end."""

    def __init__(
        self,
        events: _Events,
        causes: list[_Cause],
        shares: Floats,
        levels: Ints,
        leading: Ints,
        total: Floats,
        rests_on: np.ndarray[Any, np.dtype[Any]],
    ) -> None:
        self.events, self.causes, self.shares, self.levels = events, causes, shares, levels
        self.leading, self.total, self.rests_on = leading, total, rests_on
        self.size = events.height
        self.slots = [[slot.made() for slot in cause.slots] for cause in causes]
        self.pool: list[str] = [""]
        self.effects = self._effects()
        self.shown = self._phrases(account.share_text(n / 1000 if n >= 0 else 0.0001) for n in range(-1, 1001))
        self.signed = self._phrases([account.effect_text(n) for n in range(-100, 101)])

    def _phrases(self, phrases: Iterable[str]) -> int:
        """Where *phrases* begin in the pool."""
        start = len(self.pool)
        self.pool += phrases
        return start

    def _effects(self) -> list[list[Floats]]:
        rows = np.arange(self.size)
        led = np.stack([cause.hazard for cause in self.causes])[self.leading, rows]
        before = led / self.total
        found = []
        for number, cause in enumerate(self.causes):
            mine = self.leading == number
            moved = []
            for slot in cause.slots:
                without = cause.hazard / slot.take("factor", 1.0) * slot.take("neutral", 1.0)
                rest = self.total - cause.hazard + without
                effect = before - np.where(mine, without, led) / rest
                moved.append(np.where((slot.index >= 0) & ~cause.impossible, effect, 0.0))
            found.append(moved)
        return found

    def paragraphs(self) -> pa.Array:
        columns = [*self._head(), *self._moved(), *self._causes(), *self._missing()]
        matrix = np.stack(columns, axis=1, dtype=np.int32, casting="same_kind")
        present = matrix > 0
        phrases = pa.array(self.pool, pa.string()).take(pa.array(matrix[present]))
        ends = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
        return pa.compute.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), phrases), "")

    def _head(self) -> list[Ints]:
        """Term and grade, what leads, what it rests on: each a phrase for every combination there may be."""
        events, rows = self.events, np.arange(self.size)
        grades = events.grade.values
        heads = self._phrases([account.head(name, grade) for name, *_ in events.terms.values for grade in grades])
        led = self.levels[self.leading, rows]
        share = self._share_codes(self.shares[self.leading, rows])
        leads = self._phrases([
            account.leads(cause.name, level) for cause in self.causes for level in Level
        ])  # fmt: skip
        flat = np.ones(self.size, dtype=bool)
        for cause in self.causes:
            flat &= np.array([found.basis == "flat" for found in cause.bases], dtype=bool)[cause.found] | cause.impossible
        known = np.array([organ_class is not None for *_, organ_class in events.terms.values], dtype=bool)[events.terms.codes]
        remarks = self._phrases([remark_on(is_ctcae, all_flat) for is_ctcae in (False, True) for all_flat in (False, True)])
        rests = _Codes.of(pl.Series(self.rests_on, dtype=pl.String))
        bases = self._phrases([account.rests_on_text(found) for found in rests.values])
        return [
            heads + events.terms.codes * len(grades) + events.grade.codes,
            leads + self.leading * len(Level) + led - 1,
            share,
            np.full(self.size, self._phrases(["."])),
            remarks + known * 2 + flat,
            bases + rests.codes,
        ]

    def _share_codes(self, share: Floats) -> Ints:
        """Thousandths, after the one phrase for what is smaller than half of one without being zero."""
        tiny = (share > 0) & (share < 0.0005)
        return self.shown + np.where(tiny, 0, np.rint(share * 1000).astype(np.int64) + 1)

    def _moved(self) -> list[Ints]:
        """The three pieces of the largest effect, the first of equals before."""
        flat = [(slot, effect) for slots, moved in zip(self.slots, self.effects, strict=True)
                for slot, effect in zip(slots, moved, strict=True)]  # fmt: skip
        starts = np.array([self._phrases([account.named(piece) for piece in slot.pieces]) for slot, _ in flat])
        codes = np.stack([slot.index for slot, _ in flat])
        effects = np.stack([effect for _, effect in flat])
        size = np.round(np.abs(effects), account.TIES)
        rows = np.arange(self.size)
        opening, joint, closing = self._phrases([account.MOVED]), self._phrases(["; "]), self._phrases([")"])
        stop, unmoved = self._phrases(["."]), self._phrases([account.UNMOVED])
        found: list[Ints] = []
        some = np.zeros(self.size, dtype=bool)
        for number in range(account.NAMED_FIRST):
            which = np.argmax(size, axis=0)
            there = size[which, rows] >= account.LEAST_EFFECT
            if number == 0:
                some = there
                found.append(np.where(there, opening, unmoved))
            else:
                found.append(np.where(there, joint, 0))
            found.append(np.where(there, starts[which] + codes[which, rows], 0))
            found.append(np.where(there, self._signed(effects[which, rows]), 0))
            found.append(np.where(there, closing, 0))
            size[which, rows] = -1.0
        found.append(np.where(some, stop, 0))
        return found

    def _signed(self, effect: Floats) -> Ints:
        return np.rint(effect * 100).astype(np.int64) + 100 + self.signed

    def _causes(self) -> list[Ints]:
        """Every cause from the likeliest, each with all its pieces."""
        names = [cause.name for cause in self.causes]
        stop, colon = self._phrases(["."]), np.full(self.size, self._phrases([": "]))
        blocks: list[list[Ints]] = []
        for number, (cause, moved) in enumerate(zip(self.causes, self.effects, strict=True)):
            heads = self._phrases([account.cause_text(cause.name, level) for level in Level])
            block = [heads + self.levels[number] - 1, self._share_codes(self.shares[number]), colon]
            for place, (slot, effect) in enumerate(zip(self.slots[number], moved, strict=True)):
                start = self._phrases([account.detail(piece, first=place == 0) for piece in slot.pieces])
                there = slot.index >= 0
                block.append(np.where(there, slot.index + start, 0))
                block.append(np.where(there & ~cause.impossible, self._signed(effect), 0))
            blocks.append([*block, np.full(self.size, stop)])
        width = max(map(len, blocks))
        cube = np.zeros((len(blocks), width, self.size), dtype=np.int32)
        for number, block in enumerate(blocks):
            cube[number, : len(block)] = np.stack(block)
        by_name = np.array(sorted(range(len(names)), key=names.__getitem__))
        order = by_name[np.argsort(-self.shares[by_name], axis=0, kind="stable")]
        ordered = np.take_along_axis(cube, order[:, None, :], axis=0)
        return list(ordered.reshape(-1, self.size))

    def _missing(self) -> list[Ints]:
        opening, joint, stop = self._phrases([account.MISSING]), self._phrases(["; "]), self._phrases(["."])
        found: list[Ints] = []
        any_yet = np.zeros(self.size, dtype=bool)
        for slots in self.slots:
            for slot in slots:
                if all(piece.known for piece in slot.pieces):
                    continue
                start = self._phrases([account.missing(piece) for piece in slot.pieces])
                there = (slot.index >= 0) & ~slot.flags("known")
                found.append(np.where(there, np.where(any_yet, joint, opening), 0))
                found.append(np.where(there, slot.index + start, 0))
                any_yet |= there
        return [*found, np.where(any_yet, stop, 0)]
