"""Grades a table of laboratory results: the same rows of ``rules`` as the reference, for files and studies.

Results are partitioned by test, specimen and unit, so that a rung is one comparison of a contiguous column
with a constant or a limit in the unit of the result, and strings are looked up once per distinct value.
Input columns pass through untouched and in order. Authority and meaning: ``grading``; shape of the answer:
``OUTPUT``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from ctcae_v403 import columns, grading, rules, units
from ctcae_v403.columns import KEYS, NONE, Columns, ColumnsError
from ctcae_v403.expressions import CODE, FLAG_BITS, PASSING, STANDING, decide, decide_qualified
from ctcae_v403.grading import FLOOR_REASONS, REASONS
from ctcae_v403.rules import Fitted, Policy
from ctcae_v403.units import Analyte

__all__ = ["OUTPUT", "ColumnsError", "grade_frame"]

OUTPUT = ("ATOXDSC", "ATOXDIR", "ATOXGR", "REASON", "CRITERION", "BASIS", "BTOXGR", "FLAGS")
OUTCOME = ("slot", "arm", "code", "mask")  # what the words of a result depend on


@dataclass(frozen=True)
class _Slot:
    """One ladder in one unit; ``order``: its place among all ladders; ``note``: the calcium correction."""

    fitted: Fitted
    order: int
    note: str


def grade_frame(frame: Any, policy: str | Mapping[str, str] | Policy | None = "standard") -> Any:
    """Grades every row of *frame*: polars, or any eager frame, or lazy one that collects, that narwhals
    knows.

    Returns a frame of the same kind: ``ROW`` (Int64, from 1), the input columns, then ``OUTPUT``: ATOXGR
    and BTOXGR Int64, the others strings; null where empty. One row per input row and applicable term, in
    input order; a row that grades nothing comes once. An input column named as one of ours comes as
    ``<name>_INPUT``.

    Raises ``ColumnsError`` where test or result columns are missing, ``ValueError`` for an unknown policy.
    """
    settled = Policy.of(policy)
    given = nw.from_native(frame)
    data: nw.DataFrame[Any] = given.collect() if isinstance(given, nw.LazyFrame) else given
    roles = columns.detect(data.columns)
    core = columns.with_baselines(columns.readings(data, roles))
    albumin = _albumin(core) if settled.calcium == "corrected" else None
    # a BASE whose own row is not here is graded by the limits of the row, as a row of its own
    alone = core.filter(~nw.col("base").is_null() & nw.col("base_row").is_null())
    slots: list[_Slot] = []
    parts: list[nw.DataFrame[Any]] = []
    for piece in (core, _as_rows(alone)):
        for key, part in piece.group_by(*KEYS) if len(piece) else ():
            test, spec, unit = (str(word) for word in key)
            parts += _grade_part(part, (test, spec, unit), data, roles, albumin, settled, slots)
    results = nw.concat(parts) if parts else _ungraded(core, 0)
    graded = (
        _with_baseline_grades(_explained(results, slots), core).filter(nw.col("row") > 0).sort("row", "order")
    )
    passed = data.rename({name: f"{name}_INPUT" for name in data.columns if name in ("ROW", *OUTPUT)})
    passed = passed[(graded["row"] - 1).to_numpy()]
    answer = nw.concat([graded.select(ROW="row"), passed, graded.select(*OUTPUT)], how="horizontal")
    return (answer.lazy() if isinstance(given, nw.LazyFrame) else answer).to_native()


def _as_rows(alone: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    return alone.with_columns(
        row=nw.lit(0) - nw.col("row"), x=nw.col("base"), q=nw.lit(0).cast(nw.Int64),
        why=nw.lit(NONE).cast(nw.Int64), at_base=nw.lit(True),
    )  # fmt: skip


def _grade_part(
    part: nw.DataFrame[Any], key: tuple[str, str, str], data: nw.DataFrame[Any], roles: Columns,
    albumin: nw.DataFrame[Any] | None, policy: Policy, slots: list[_Slot],
) -> Iterator[nw.DataFrame[Any]]:  # fmt: skip
    """The results of one test, specimen and unit; appends a slot per ladder."""
    test, spec, unit = key
    analyte = grading.resolve(test, spec, unit)
    if isinstance(analyte, str):
        yield _ungraded(part, CODE[analyte])
        return
    if analyte.scale and (part["row"] < 0).any():
        return  # a BASE is a number; a dipstick's is a word
    if analyte.scale:
        part = _reread(part, analyte, data, roles)
    part, note = _corrected(part, analyte, unit, albumin, policy)
    assume = policy.fasting == "assume_fasting"
    if analyte.fasting:
        part = part.with_columns(fasting=nw.lit(True))
    lost = part.filter(nw.col("why") != NONE)
    plain = part.filter((nw.col("why") == NONE) & (nw.col("q") == 0)) if _odd(part) else part
    ranged = part.filter((nw.col("why") == NONE) & (nw.col("q") != 0))
    for ladder in rules.ladders_of(analyte):
        fitted = rules.fit(ladder, analyte, unit or None, policy)
        slot = nw.lit(len(slots)).cast(nw.Int64).alias("slot")
        slots.append(_Slot(fitted, rules.ladders().index(ladder), note))
        if len(lost):
            yield _ungraded(lost, "why").with_columns(slot)
        if len(ranged):
            yield decide_qualified(ranged, fitted, assume, policy).with_columns(slot)
        if len(plain):
            yield decide(plain, fitted, assume, policy).with_columns(slot)


def _odd(part: nw.DataFrame[Any]) -> bool:
    return bool((part["why"] != NONE).any() or (part["q"] != 0).any())


def _ungraded(part: nw.DataFrame[Any], code: int | str) -> nw.DataFrame[Any]:
    number = nw.col(code) if isinstance(code, str) else nw.lit(code)
    return part.select(
        "row", nw.lit(-1).cast(nw.Int64).alias("arm"), number.cast(nw.Int64).alias("code"),
        nw.lit(0).cast(nw.Int64).alias("mask"), nw.lit(0.0).alias("limit"),
        nw.lit(-1).cast(nw.Int64).alias("slot"),
    )  # fmt: skip


def _reread(
    part: nw.DataFrame[Any], analyte: Analyte, data: nw.DataFrame[Any], roles: Columns
) -> nw.DataFrame[Any]:
    """Results reported in words (a dipstick's plus signs), from the first text column that has one."""
    at = (part["row"] - 1).to_numpy()
    words = data[at].select(
        nw.coalesce(*(nw.when(nw.col(name).cast(nw.String) != "").then(nw.col(name).cast(nw.String))
                      for name in roles.texts)).alias("words")
    )["words"]  # fmt: skip
    read = columns.parse(words, lambda word: grading.read_number(word, analyte))
    return part.with_columns(read["x"], read["q"], read["why"])


def _albumin(core: nw.DataFrame[Any]) -> nw.DataFrame[Any] | None:
    """Albumin in g/dL by study, subject and day: the last of the day. None where there is none."""
    usable = core.filter((nw.col("why") == NONE) & (nw.col("q") == 0))
    pieces: list[nw.DataFrame[Any]] = []
    for test, spec, unit in core.select(*KEYS).unique().iter_rows():
        analyte = grading.resolve(test, spec, unit)
        if isinstance(analyte, str) or analyte.name != "albumin":
            continue
        try:
            times = float(units.factor(analyte, unit, "g/dL"))
        except units.UnknownUnit:
            continue
        own = (nw.col("test") == test) & (nw.col("spec") == spec) & (nw.col("unit") == unit)
        pieces.append(
            usable.filter(own).select("study", "subject", "row", day=_day(), albumin=nw.col("x") * times)
        )
    if not pieces:
        return None
    dated = nw.concat(pieces).filter(nw.col("day").str.len_chars() == len("2026-01-31")).sort("row")
    return dated.unique(["study", "subject", "day"], keep="last").drop("row")


def _day() -> nw.Expr:
    return nw.col("date").str.slice(0, len("2026-01-31"))


def _corrected(
    part: nw.DataFrame[Any], analyte: Analyte, unit: str, albumin: nw.DataFrame[Any] | None, policy: Policy
) -> tuple[nw.DataFrame[Any], str]:
    """Calcium with the albumin of its day; ``corrected`` says where. Qualified values stay."""
    slope = grading.calcium_slope(analyte, unit, "g/dL", policy) if albumin is not None else None
    if slope is None or albumin is None:
        return part.with_columns(corrected=nw.lit(False)), ""
    per_albumin, intercept, note = slope
    joined = part.with_columns(day=_day()).join(albumin, on=["study", "subject", "day"], how="left")
    applies = (
        ~nw.col("albumin").is_null() & (nw.col("why") == NONE) & (nw.col("q") == 0) & (nw.col("row") > 0)
    )
    shifted = nw.col("x") + float(intercept) - float(per_albumin) * nw.col("albumin")
    return joined.with_columns(
        x=nw.when(applies).then(shifted).otherwise(nw.col("x")), corrected=applies
    ), note


def _explained(results: nw.DataFrame[Any], slots: list[_Slot]) -> nw.DataFrame[Any]:
    """The words of each result, made once per distinct outcome."""
    kinds = list(results.select(*OUTCOME).unique().iter_rows())
    words = [_words(slots, *kind) for kind in kinds]
    names = {"ATOXDSC": nw.String, "ATOXDIR": nw.String, "ATOXGR": nw.Int64, "REASON": nw.String,
             "BASIS": nw.String, "FLAGS": nw.String, "order": nw.Int64}  # fmt: skip
    table = columns.like(results, {
        **{key: ([kind[i] for kind in kinds], nw.Int64) for i, key in enumerate(OUTCOME)},
        **{name: ([row[name] for row in words], kind) for name, kind in names.items()},
    })  # fmt: skip
    bounds = list(results.filter(nw.col("arm") >= 0).select("slot", "arm", "limit").unique().iter_rows())
    criteria = columns.like(results, {
        **{key: ([bound[i] for bound in bounds], kind)
           for i, (key, kind) in enumerate((("slot", nw.Int64), ("arm", nw.Int64), ("limit", nw.Float64)))},
        "CRITERION": ([_criterion(slots, *bound) for bound in bounds], nw.String),
    })  # fmt: skip
    return (
        results.join(table, on=[*OUTCOME], how="left")
        .join(criteria, on=["slot", "arm", "limit"], how="left")
        .with_columns(CRITERION=nw.when(~nw.col("ATOXGR").is_null()).then(nw.col("CRITERION")))
    )


def _criterion(slots: list[_Slot], slot: int, arm: int, limit: float) -> str:
    fired = slots[slot].fitted.arms[arm]
    return fired.text(None if fired.rung.basis == "absolute" else grading.limit(limit))


def _words(slots: list[_Slot], slot: int, arm: int, code: int, mask: int) -> dict[str, Any]:
    """What one outcome is called; the same flags in the same order as ``grading.decide``."""
    blank: dict[str, Any] = dict.fromkeys(("ATOXDSC", "ATOXDIR", "ATOXGR", "REASON", "BASIS", "FLAGS"))
    if slot < 0:
        return {**blank, "REASON": REASONS[code], "order": 0}
    kind = slots[slot]
    fired = kind.fitted.arms[arm] if arm >= 0 else None
    reason = None if code == NONE else REASONS[code]
    said = [flag for place, flag in enumerate(FLAG_BITS) if mask & 1 << place]
    graded = reason is None or (fired is not None and reason in FLOOR_REASONS)
    flags = [flag for flag in said if flag in STANDING]
    if graded:
        flags += ["floor", reason.lower()] if reason else []
        flags += [flag for flag in said if flag in PASSING]
        flags += [flag for flag in (fired.rung.flags if fired else ()) if flag not in flags]
    if "calcium_corrected" in said:
        flags.append(kind.note)
    return {
        "ATOXDSC": kind.fitted.ladder.term,
        "ATOXDIR": kind.fitted.ladder.direction,
        "ATOXGR": (fired.rung.grade if fired else 0) if graded else None,
        "REASON": None if graded else reason,
        "BASIS": fired.rung.basis if graded and fired else None,
        "FLAGS": ";".join(flags) or None,
        "order": kind.order,
    }


def _with_baseline_grades(graded: nw.DataFrame[Any], core: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """BTOXGR: the grade, for the same term, of the subject's baseline row (or of BASE, kept as row −n)."""
    at = core.select("row", at=nw.coalesce(nw.col("base_row"), nw.lit(0) - nw.col("row")))
    wanted = at.select(row="at").unique()
    known = graded.join(wanted, on="row", how="semi").select(at="row", order="order", BTOXGR="ATOXGR")
    return graded.join(at, on="row", how="left").join(known, on=["at", "order"], how="left")
