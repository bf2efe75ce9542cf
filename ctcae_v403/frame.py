"""Grades tables of results, whole or in parts: the same rows of ``rules`` as the reference, at the speed of memory.

``Grader`` reads a table twice: ``learn`` finds what grades refer to outside their own row (baselines, and results of the
same day), ``grade`` decides. A part is read into columns (``columns``), decided (``kernel``, by the tables of ``plan``)
and told in words, each made once per distinct outcome. Input columns pass through untouched and in order.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import polars as pl

from ctcae_v403 import buffers, columns, grading, kernel, sameday
from ctcae_v403.columns import Columns, ColumnsError, Table
from ctcae_v403.kernel import NONE, Baselines, Results, Rows
from ctcae_v403.plan import Key, Plan
from ctcae_v403.rules import Policy

__all__ = ["OUTPUT", "Codes", "ColumnsError", "Grader", "grade_codes", "grade_frame"]

WORDS = ("ATOXDSC", "ATOXDIR", "ATOXGR", "REASON", "CRITERION", "BASIS", "FLAGS")  # as plan.Outcome has them
OUTPUT = ("ATOXDSC", "ATOXDIR", "ATOXGR", "REASON", "CRITERION", "BASIS", "BTOXGR", "FLAGS", "WORSENED", "R2A1HI", "R2BASE")
PART = 1 << 18  # rows told in words at a time by one thread
CODED = 1 << 20  # rows decided by one thread where no words are asked for
NEAR = 1 << 16  # rows read at a time: what is read of them stays near the processor
MANY = 1 << 20  # combinations of test, specimen and unit that are worth a table
_NONE, _NOTHING = np.zeros(1, np.int64), np.zeros(1)
_NO_BASELINES = Baselines(_NONE, _NONE, _NONE, _NOTHING, _NOTHING, _NONE, _NONE, _NONE)


class Codes(NamedTuple):
    """Grades as arrays, one entry per row and term, in the order of the rows. ``start``: where the entries of each row
    begin (one more than rows); ``grade``: −1 where there is none; ``reason``: index in REASONS, or 15; ``outcome``: term,
    criterion, reason and flags as one number, for ``Plan.outcome``; ``base``: grade of the baseline, −1 for none.
    """

    start: Any
    grade: Any
    reason: Any
    outcome: Any
    base: Any


def grade_frame(frame: Any, policy: str | Mapping[str, str] | Policy | None = "standard", beside: Sequence[Any] = ()) -> Any:
    """Grades every row of *frame*: polars, or any frame that narwhals knows; a PySpark one on its cluster.

    *beside*: further tables of the same subjects, from which come the baselines and the results of the same day that a grade
    asks for (temperature for febrile neutropenia, from VS). Returns a frame of the same kind: ``ROW`` (Int64, from 1), the
    input columns, then ``OUTPUT``: ATOXGR and BTOXGR Int64, R2A1HI and R2BASE Float64, the others strings; null where empty.
    One row per input row and applicable term, in input order; a row that grades nothing comes once. An input column named as
    one of ours comes as ``<name>_INPUT``.

    Raises ``ColumnsError`` where test or result columns are missing, ``ValueError`` for an unknown policy.
    """
    given = nw.from_native(frame)
    if given.implementation.is_pyspark():
        from ctcae_v403 import spark

        return spark.grade_frame(frame, policy)
    eager = given.collect() if isinstance(given, nw.LazyFrame) else given
    data = eager.to_polars()
    grader = Grader(data.columns, policy)
    for other in beside:
        side = nw.from_native(other)
        grader.learn_beside((side.collect() if isinstance(side, nw.LazyFrame) else side).to_polars())
    parts = _parts(data)
    for first, part in parts:
        grader.learn(part, first)
    grader.settle()
    graded = pl.concat(list(_each(lambda numbered: grader.grade(numbered[1], numbered[0]), parts)))
    if given.implementation.is_polars():
        return graded.lazy() if isinstance(given, nw.LazyFrame) else graded
    answer = nw.from_arrow(graded.to_arrow(), backend=given.implementation)
    return (answer.lazy() if isinstance(given, nw.LazyFrame) else answer).to_native()


def grade_codes(frame: pl.DataFrame, policy: str | Mapping[str, str] | Policy | None = "standard",
                with_base: bool = True) -> tuple[Codes, Plan]:  # fmt: skip
    """The grades of *frame* as arrays, without words: for those who count rather than read."""
    grader = Grader(frame.columns, policy)
    parts = _parts(frame, CODED)
    if with_base:
        for first, part in parts:
            grader.learn(part, first)
        grader.settle()
    graded = [each for some in _each(lambda numbered: list(grader._codes(numbered[1], with_base)), parts) for each in some]
    start = np.zeros(len(frame) + 1, np.int64)
    np.cumsum(np.concatenate([counts for counts, _ in graded]), out=start[1:])
    ends = np.cumsum([0, *(len(results.grade) for _, results in graded)]).tolist()
    whole = _room(ends[-1], with_limits=False)

    def collect(job: tuple[int, Results]) -> None:
        for into, part in zip(whole[:4], job[1], strict=False):
            into[job[0] : job[0] + len(part)] = part

    list(_each(collect, list(zip(ends, (results for _, results in graded), strict=False))))
    return Codes(start, whole.grade, whole.reason, whole.outcome, whole.base), grader.plan


def _parts(frame: pl.DataFrame, size: int = PART) -> list[tuple[int, pl.DataFrame]]:
    return [(first, frame.slice(first, size)) for first in range(0, max(1, len(frame)), size)]


def _each(job: Any, of: Sequence[Any]) -> Iterator[Any]:
    """*job* of each, in order, on every core."""
    if len(of) == 1:
        return iter([job(of[0])])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return iter(list(pool.map(job, of)))


def _room(n: int, with_limits: bool) -> Results:
    return Results(np.empty(n, np.int8), np.empty(n, np.int8), np.empty(n, np.int64), np.empty(n, np.int8),
                   np.empty(n if with_limits else 0))  # fmt: skip


@dataclass
class _Vocabulary:
    """The words of the outcomes met so far, one list a column; ``table`` finds the place of an outcome."""

    plan: Plan
    text: Any
    table: Any = field(default_factory=lambda: np.full(1 << 12, -1, np.int64))
    packed: Any = field(default_factory=lambda: np.zeros(1 << 11, np.int64))
    limit: Any = field(default_factory=lambda: np.zeros(1 << 11))
    count: Any = field(default_factory=lambda: np.zeros(1, np.int64))
    told: list[Any] = field(default_factory=list)
    series: dict[str, pl.Series] = field(default_factory=dict)

    def places(self, results: Results) -> Any:
        """The place of each outcome among ``words``."""
        found = np.empty(len(results.outcome), np.uint32)
        at = 0
        while True:
            at = kernel.find_outcomes(results.outcome, results.limit, at, self.table, self.packed, self.limit, self.count, found)
            if at == len(found):
                break
            self._grow()
        new = range(len(self.told), int(self.count[0]))
        self.told += [self.plan.outcome(int(self.packed[i]), float(self.limit[i])) for i in new]
        if new or not self.series:
            said = zip(*self.told, strict=True) if self.told else ([] for _ in WORDS)
            self.series = {name: pl.Series(name, list(column), pl.Int64 if name == "ATOXGR" else self.text)
                           for name, column in zip(WORDS, said, strict=True)}  # fmt: skip
        return found

    def _grow(self) -> None:
        n = len(self.packed)
        self.packed = np.concatenate([self.packed, np.zeros(n, np.int64)])
        self.limit = np.concatenate([self.limit, np.zeros(n)])
        self.table = np.full(4 * n, -1, np.int64)
        kernel.index_outcomes(self.table, self.packed, self.limit, int(self.count[0]))


class Grader:
    """Grades a table in parts of the same *names*: ``learn`` every part, ``settle``, then ``grade`` every part.

    *text*: the type of what is said, pl.String or pl.Categorical (words by number, for files).
    """

    def __init__(self, names: Sequence[str], policy: str | Mapping[str, str] | Policy | None = "standard",
                 text: Any = pl.String) -> None:  # fmt: skip
        self.plan = Plan(Policy.of(policy))
        self._text = text
        self.roles = columns.detect(names)
        self._renamed = {name: f"{name}_INPUT" for name in names if name in ("ROW", *OUTPUT)}
        self._subjects = pl.Categories.random()
        self._kept = pl.Series([""], dtype=pl.Categorical(self._subjects))  # while a column lives, numbers stay what they are
        self._study: str | None = None
        self._flagged: list[tuple[pl.DataFrame, Columns]] = []
        self._baselines = _NO_BASELINES
        self._same_day = sameday.SameDay(self.plan)
        self._spare: list[_Vocabulary] = []
        self._combined: tuple[list[list[str]], Any] = ([], np.zeros(1, np.int32))
        self._enum: tuple[Any, Any] = (None, _NONE)
        self._paired: dict[int, tuple[str, ...]] = {}

    # --- what grades refer to outside their own row

    def learn(self, part: pl.DataFrame, first: int = 0) -> None:
        """Takes from *part*, whose first row is number *first* of the table, what grades refer to."""
        self._learn(part, first, self.roles)

    def learn_beside(self, table: pl.DataFrame) -> None:
        """Takes the same from another table of the same subjects. Raises ``ColumnsError``."""
        self._learn(table, 0, columns.detect(table.columns))

    def _learn(self, part: pl.DataFrame, first: int, roles: Columns) -> None:
        if roles.subject is None:
            return
        table = Table(part)
        keys, _ = self._keys(table, roles)
        wanted = self._same_day.wanted(self.plan)[keys] if roles.date else np.zeros(len(keys), np.bool_)
        at_base = _any_yes(table, roles)
        if wanted.any():
            rows = np.flatnonzero(wanted)
            some = Table(part[rows])
            read = columns.values(some, roles)
            before = some.plain_numbers(roles.base) if roles.base else np.full(len(rows), np.nan)
            subject, day = self._people(some, roles), columns.days(some[roles.date or ""])
            self._same_day.add(self.plan, keys[rows], subject, day, read.plain(), before, rows + first)
        if at_base is not None and at_base.any():
            rows = np.flatnonzero(at_base)
            found = columns.values(table, roles)
            rows = rows[((found.why == NONE) & (found.qualifier == 0))[rows]]
            base = part[rows]
            date = base[roles.date].cast(pl.String).fill_null("") if roles.date else pl.Series([""] * len(base))
            flagged = base.select(roles.used()).with_columns(
                __subject=pl.Series(self._people(Table(base), roles)), __place=pl.Series(self.plan.places()[keys[rows]]),
                __date=date, __row=pl.Series(rows + first),
            )  # fmt: skip
            self._flagged.append((_last(flagged), roles))

    def settle(self) -> None:
        """Ends ``learn``: the last flagged usable result of each subject, test and specimen is its baseline."""
        kept = []
        for used in {roles for _, roles in self._flagged}:
            kept.append((_last(pl.concat([frame for frame, roles in self._flagged if roles == used])), used))
        self._flagged = []
        self._baselines = self._graded_baselines(kept)
        self._same_day.settle(self._baselines, self.plan)

    def _graded_baselines(self, kept: list[tuple[pl.DataFrame, Columns]]) -> Baselines:
        made = []
        self._same_day.settle(_NO_BASELINES, self.plan)
        for flagged, roles in kept:
            if flagged.is_empty():
                continue
            rows = self._read(Table(flagged), roles, baselines=False)
            counts = self.plan.widths()[rows.key]
            results = _room(int(counts.sum()), with_limits=False)
            self._decide(rows, self.plan.tables(), 0, results, with_base=False, baselines=False)
            made.append((flagged["__subject"].to_numpy(), flagged["__place"].to_numpy(), rows, counts, results))
        if not made:
            return _NO_BASELINES
        subject, place, key, x, uln, counts = (
            np.concatenate([np.asarray(part) for part in column])
            for column in zip(*((s, p, r.key, r.x, r.uln, c) for s, p, r, c, _ in made), strict=True)
        )
        outcome = np.concatenate([results.outcome for *_, results in made])
        grade = np.concatenate([results.grade for *_, results in made])
        order = np.argsort(subject, kind="stable")
        before = np.concatenate([[0], np.cumsum(counts)])
        ends = np.cumsum(counts[order])
        spread = np.arange(len(outcome)) + np.repeat(before[:-1][order] - ends + counts[order], counts[order])
        start = np.searchsorted(subject[order], np.arange(int(subject.max()) + 2))
        return Baselines(
            start.astype(np.int64), place[order].astype(np.int64), key[order].astype(np.int64), x[order], uln[order],
            np.concatenate([[0], np.cumsum(counts[order])]).astype(np.int64),
            self.plan.ladders(outcome[spread]), grade[spread].astype(np.int64),
        )  # fmt: skip

    # --- deciding

    def grade(self, part: pl.DataFrame, first: int = 0) -> pl.DataFrame:
        """The graded rows of *part*, whose first row is number *first* of the table: ``ROW``, its columns, ``OUTPUT``."""
        rows = self._read(Table(part))
        counts = self.plan.widths()[rows.key]
        results = _room(int(counts.sum()), with_limits=True)
        used = np.empty(len(part))
        self._decide(rows, self.plan.tables(), 0, results, with_base=True, used=used)
        repeat = np.repeat(np.arange(len(part), dtype=np.uint32), counts)
        try:
            vocabulary = self._spare.pop()
        except IndexError:  # every one is in use by another thread
            vocabulary = _Vocabulary(self.plan, self._text)
        places = pl.Series(vocabulary.places(results))
        said = {name: series.gather(places) for name, series in vocabulary.series.items()}
        self._spare.append(vocabulary)
        with np.errstate(all="ignore"):
            usable = (rows.why == NONE) & (rows.qualifier == 0)
            found = [np.where(usable & (of > 0), rows.x / of, np.nan) for of in (rows.uln, used)]
            ratios = [np.where(np.isfinite(ratio), ratio, np.nan) for ratio in found]
        base = pl.Series(results.base)
        said["BTOXGR"] = pl.select(pl.when(base >= 0).then(base.cast(pl.Int64))).to_series()
        worse, level = results.grade > results.base, results.grade
        word = np.where(level < 0, 0, np.where(level == 0, 1, np.where(results.base < 0, 0, 1 + worse)))
        said["WORSENED"] = pl.Series([None, "N", "Y"], dtype=self._text).gather(pl.Series(word.astype(np.uint32)))
        for name, ratio in zip(("R2A1HI", "R2BASE"), ratios, strict=True):
            said[name] = pl.Series(ratio).fill_nan(None).round_sig_figs(6).gather(pl.Series(repeat))
        answer = part.rename({name: new for name, new in self._renamed.items() if name in part.columns})[repeat]
        row = pl.Series("ROW", repeat.astype(np.int64) + (first + 1))
        return answer.insert_column(0, row).with_columns(said[name].alias(name) for name in OUTPUT)

    def _codes(self, part: pl.DataFrame, with_base: bool) -> Iterator[tuple[Any, Results]]:
        """How many results each row of *part* has, and the results, some rows at a time."""
        table = Table(part)
        for first in range(0, max(1, len(part)), NEAR):
            rows = self._read(table.part(first, NEAR))
            counts = self.plan.widths()[rows.key].astype(np.int32)
            results = _room(int(counts.sum()), with_limits=False)
            self._decide(rows, self.plan.tables(), 0, results, with_base)
            yield counts, results

    def _decide(self, rows: Rows, tables: tuple[Any, ...], at: int, results: Results, with_base: bool, baselines: bool = True,
                used: Any = None) -> None:  # fmt: skip
        tile, n_keys = kernel.TILE, len(tables[0])
        kernel.grade_rows(
            0, len(rows.key), at, *tables, rows, self._baselines if baselines else _NO_BASELINES,
            self.plan.policy.same_band == "higher", with_base, results, np.empty(0) if used is None else used,
            np.empty((8, tile)), np.empty((16, tile), np.int64), np.zeros((2, n_keys), np.int64),
        )  # fmt: skip

    # --- reading

    def _keys(self, part: Table, roles: Columns) -> tuple[Any, list[int]]:
        """The number in the plan of what each row is of (int32), and the numbers met."""
        names = [name for name in (roles.test, roles.specimen, roles.unit) if name]
        of = [part.words(name) for name in names]
        if math.prod(len(column.distinct) for column in of) > MANY:  # nearly every row its own spelling
            words = np.stack([column.codes for column in of])
            met, joint = np.unique(words, axis=1, return_inverse=True)
            found = [self._number(roles, names, [column.distinct[at] for column, at in zip(of, each, strict=True)])
                     for each in met.T.tolist()]  # fmt: skip
            return np.array(found, np.int32)[joint], sorted(set(found))
        joint, step = np.zeros(len(part), np.int32), 1
        for column in of:
            column.raw.add_up(column.place * np.int32(step), joint)
            step *= len(column.distinct)
        seen = np.zeros(step, np.bool_)
        buffers.mark(joint, seen)
        places = np.flatnonzero(seen)
        lists = [column.distinct for column in of]
        known, number = self._combined
        if known != lists:
            number = np.full(step, -1, np.int32)
        for place in places[number[places] < 0].tolist():
            rest, words_of = place, []
            for column in of:
                rest, at = divmod(rest, len(column.distinct))
                words_of.append(column.distinct[at])
            number[place] = self._number(roles, names, words_of)
        self._combined = (lists, number)
        buffers.renumber(joint, number)
        return joint, sorted(set(number[places].tolist()))

    def _number(self, roles: Columns, names: list[str], words: list[str]) -> int:
        said = dict(zip(names, words, strict=True))
        word = [said.get(name, "") if name else "" for name in (roles.test, roles.specimen, roles.unit)]
        return self.plan.number(Key(word[0], word[1], word[2]))

    def _people(self, part: Table, roles: Columns) -> Any:
        """A number for each subject of each study (int32), −1 where there is no subject."""
        if roles.subject is None:
            return np.full(len(part), -1, np.int32)
        if roles.study is not None:
            study = part.words(roles.study)
            if self._study is None and len(part):
                self._study = study.distinct[study.codes[0]]
            listed = isinstance(part.dtype(roles.study), pl.Enum) and not len(study.raw.valid)
            if study.distinct != [self._study] and not (listed and study.distinct == [self._study, ""]):
                own = study.map(lambda word: word == self._study, np.bool_)
                if not own.all():  # the same subject number in another study is another person
                    subject = part[roles.subject].cast(pl.String)
                    elsewhere = part[roles.study].cast(pl.String).fill_null("") + "\x1f" + subject
                    return self._numbers(pl.select(pl.when(pl.Series(own)).then(subject).otherwise(elsewhere)).to_series())
        kind = part.dtype(roles.subject)
        if isinstance(kind, pl.Enum):
            known_kind, numbers = self._enum
            if known_kind != kind:
                numbers = self._numbers(pl.concat([kind.categories, pl.Series([""])]))
                self._enum = (kind, numbers)
            return part.codes(roles.subject).look_up(numbers)
        if not isinstance(kind, pl.Categorical):
            return self._numbers(part[roles.subject])
        known = part.words(roles.subject)
        return known.raw.look_up(self._numbers(pl.Series(known.distinct))[known.place])

    def _numbers(self, subjects: pl.Series) -> Any:
        codes = subjects.cast(pl.String).fill_null("").cast(pl.Categorical(self._subjects)).to_physical()
        return codes.to_numpy().astype(np.int32)

    def _read(self, part: Table, roles: Columns | None = None, baselines: bool = True) -> Rows:
        roles = roles or self.roles
        n = len(part)
        keys, met = self._keys(part, roles)
        x, qualifier, why = columns.values(part, roles)
        for number in met:
            analyte = self.plan.analytes[number]
            if analyte is not None and analyte.scale:
                at = np.flatnonzero(keys == number)
                x, qualifier, why = x.copy(), qualifier.copy(), why.copy()
                x[at], qualifier[at], why[at] = columns.on_scale(part.rows(at), roles, analyte)
        if any(self._pairs(number) for number in met):
            keys, x, qualifier, why = self._worse(part, roles, keys, x, qualifier, why)
            met = sorted(set(keys.tolist()))
        if buffers.any_below_zero(x):
            below = (x < 0) & ~self.plan.signed()[keys] & (why == NONE)
            why = np.where(below, columns.NOT_NUMERIC, why).astype(np.int8)
        base, ceiling = part.plain_numbers(roles.base), part.plain_numbers(roles.base_uln)
        uln, lln = (part.plain_numbers(name, above_zero=True) if name else np.full(n, np.nan) for name in (roles.uln, roles.lln))
        rows = Rows(
            key=keys, x=x, qualifier=qualifier, why=why, uln=uln, lln=lln, base=base, ceiling=ceiling,
            situation=self._situations(part, roles, n), subject=np.empty(0, np.int32), other=np.empty(0),
            other_base=np.empty(0),
        )  # fmt: skip
        depends = roles.subject is not None and self._same_day.depends(met, self.plan)
        if depends or (baselines and len(self._baselines.start) > 1):
            rows = rows._replace(subject=self._people(part, roles))
        if depends or roles.age or roles.sex:
            rows = self._same_day.applied(rows, part, roles, self.plan, met)
        return Rows(*(_sealed(column) for column in rows))

    def _pairs(self, number: int) -> tuple[str, ...]:
        """The two analytes that a result of the key holds, if it holds two."""
        if number not in self._paired:
            key = self.plan.keys[number]
            analyte = grading.resolve(key.test, key.specimen, key.unit)
            self._paired[number] = () if isinstance(analyte, str) else analyte.pair
        return self._paired[number]

    def _worse(self, part: Table, roles: Columns, keys: Any, x: Any, qualifier: Any, why: Any) -> tuple[Any, ...]:
        """Results that are pairs (``150/95``) as the worse of the two: the key of that one, and its number."""
        keys, x, qualifier, why = keys.copy(), x.copy(), qualifier.copy(), why.copy()
        for number in sorted(set(keys.tolist())):
            pair = self._pairs(number)
            if not pair:
                continue
            at = np.flatnonzero(keys == number)
            key = self.plan.keys[number]
            text = columns.words(columns.first_text(part.rows(at), roles))
            drugs = np.zeros(len(at), np.int64)
            if roles.antihypertensives:
                counted = columns.words(part[roles.antihypertensives][at])
                drugs = counted.map(lambda word: int(np.clip(_drugs(word), 0, 2)), np.int64)
            for n_drugs in set(drugs.tolist()):
                own = drugs == n_drugs
                worse = [
                    grading.grade(key.test, word, key.unit, specimen=key.specimen, n_antihypertensives=n_drugs,
                                  policy=self.plan.policy)[0]
                    for word in text.distinct
                ]  # fmt: skip
                names = [each.case.analyte.name if each.case and each.case.analyte else pair[0] for each in worse]
                said = [
                    columns.coded(each.reason if each.reason in ("NO_VALUE", "NOT_NUMERIC") or not each.case
                                  else grading.read_number(each.case.value))
                    for each in worse
                ]  # fmt: skip
                numbers = np.array([self.plan.number(key._replace(part=name)) for name in names], np.int32)
                keys[at[own]] = numbers[text.codes[own]]
                for column, found in zip((x, qualifier, why), zip(*said, strict=True), strict=True):
                    column[at[own]] = np.array(found, column.dtype)[text.codes[own]]
        return keys, x, qualifier, why

    def _situations(self, part: Table, roles: Columns, n: int) -> Any:
        """What is known of each row beside its number: ``kernel`` contexts, two bits each (int32)."""
        unknown = columns.UNKNOWN
        always = unknown << 2 * kernel.FEBRILE | unknown << 2 * kernel.HEMOGLOBIN_FELL
        said: list[tuple[columns.Words, Any]] = []
        assumed = 1 if self.plan.policy.fasting == "assume_fasting" else unknown
        # not fasting is as good as not known: only a fasting value has grades 1 and 2
        fasting = {0: unknown, 1: 1, unknown: assumed}
        if roles.fasting:
            words = part.words(roles.fasting)
            said.append((words, lambda word: fasting[columns.state(word)] << 2 * kernel.FASTING))
        else:
            always |= assumed << 2 * kernel.FASTING
        if roles.anticoagulated:
            words = part.words(roles.anticoagulated)
            said.append((words, lambda word: columns.state(word) << 2 * kernel.ANTICOAGULATED))
        else:
            always |= unknown << 2 * kernel.ANTICOAGULATED
        if roles.antihypertensives:
            words = part.words(roles.antihypertensives)
            said.append((words, lambda word: ((_drugs(word) >= 1) << 2 * kernel.ANTIHYPERTENSIVE)
                         + ((_drugs(word) >= 2) << 2 * kernel.ANTIHYPERTENSIVES)))  # fmt: skip
        if not roles.age:
            always |= unknown << 2 * kernel.ADULT
        at_base = _any_yes(part, roles)
        found = np.full(n, always, np.int32)
        for words, meaning in said:
            words.raw.add_up(words.meanings(meaning, np.int32), found)
        if roles.age:
            age = part.plain_numbers(roles.age)
            buffers.add_where_from(age, grading.ADULT_FROM, 1 << 2 * kernel.ADULT, unknown << 2 * kernel.ADULT, found)
        if at_base is not None:
            buffers.add_where(at_base, kernel.AT_BASELINE, found)
        return found


def _sealed(column: Any) -> Any:
    """The same, not to be written to: of one kind, whether it is ours or the table's."""
    column = np.ascontiguousarray(column).view()
    column.flags.writeable = False
    return column


def _drugs(word: str) -> float:
    """Number of drugs: itself, or at least one for Y; none where it is not known."""
    try:
        return float(word)
    except ValueError:
        return float(columns.state(word) == 1)


def _any_yes(part: Table, roles: Columns) -> Any:
    """Rows flagged as baseline; None where the table has no such flag."""
    found = None
    for name in roles.flags:
        yes = part.words(name).map(lambda word: columns.state(word) == 1, np.bool_)
        found = yes if found is None else found | yes
    return found


def _last(flagged: pl.DataFrame) -> pl.DataFrame:
    return flagged.sort("__date", "__row").unique(["__subject", "__place"], keep="last", maintain_order=True)

