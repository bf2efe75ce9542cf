"""Reading a table of results: which column is what (SDTM findings or ADaM), its numbers, its baselines.

The outcome is a narrow frame, one row per input row, in which every number is a finite float or null and
every doubt is a code; ``frame`` decides grades from it. Text is read once per distinct value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from ctcae_v403 import grading, units
from ctcae_v403.grading import REASONS, Number

QUALIFIERS = ("", "<", "<=", ">", ">=")
NONE = 99  # no reason: above every index of REASONS
KEYS = ("test", "spec", "unit")
NO_VALUE, NOT_NUMERIC = REASONS.index("NO_VALUE"), REASONS.index("NOT_NUMERIC")
DOMAINS = ("LB", "VS", "EG", "RE", "CV", "MK", "UR", "RP", "FA")  # findings, the first that has a test code
_YES, _NO = ["Y", "YES", "TRUE", "1"], ["N", "NO", "FALSE", "0"]


class ColumnsError(ValueError):
    """The table lacks columns without which nothing can be graded; says which, and what would do."""


@dataclass(frozen=True)
class Columns:
    """The column of each role; None where the table has none."""

    test: str
    values: tuple[str, ...]
    unit: str | None
    lln: str | None
    uln: str | None
    texts: tuple[str, ...]
    reported_unit: str | None
    subject: str | None
    study: str | None
    specimen: str | None
    date: str | None
    base: str | None
    base_uln: str | None
    flags: tuple[str, ...]
    fasting: str | None
    anticoagulated: str | None
    age: str | None


def detect(names: Sequence[str]) -> Columns:
    """The roles of a table's columns, without regard to case. Raises ``ColumnsError``."""
    actual = {name.upper(): name for name in reversed(names)}

    def one(*wanted: str) -> str | None:
        return next((actual[name] for name in wanted if name in actual), None)

    def several(*wanted: str) -> tuple[str, ...]:
        return tuple(actual[name] for name in wanted if name in actual)

    prefix = next((p for p in DOMAINS if f"{p}TESTCD" in actual), "LB")
    if one("PARAMCD") and one("AVAL", "AVALC"):
        test, values = one("PARAMCD"), several("AVAL", "AVALC")
        texts, reported = several("AVALC", "AVAL"), None
        unit, lln, uln = one("AVALU", f"{prefix}STRESU"), one("ANRLO"), one("ANRHI")
    else:
        test = one(f"{prefix}TESTCD")
        standard = one(f"{prefix}STRESN") is not None
        values = several(f"{prefix}STRESN", f"{prefix}STRESC") if standard else several(f"{prefix}ORRES")
        texts = several(f"{prefix}STRESC", f"{prefix}ORRES", f"{prefix}STRESN")
        kind = "ST" if standard else "OR"
        unit = one(f"{prefix}{'STRESU' if standard else 'ORRESU'}")
        lln, uln = one(f"{prefix}{kind}NRLO"), one(f"{prefix}{kind}NRHI")
        reported = one(f"{prefix}ORRESU") if standard and one(f"{prefix}ORRES") else None
        values += several(f"{prefix}ORRES") if reported else ()
    if test is None or not values:
        raise ColumnsError(
            f"no test and result columns among {', '.join(names) or 'no columns'}: give LBTESTCD "
            "with LBSTRESN or LBORRES (SDTM LB), or PARAMCD with AVAL (ADaM ADLB)"
        )
    return Columns(
        test=test,
        values=values,
        unit=unit,
        lln=lln,
        uln=uln,
        texts=texts,
        reported_unit=reported,
        subject=one("USUBJID", "SUBJID"),
        study=one("STUDYID"),
        specimen=one(f"{prefix}SPEC"),
        date=one(f"{prefix}DTC", "ADTM", "ADT"),
        base=one("BASE"),
        base_uln=one("BNRHI"),
        flags=several(f"{prefix}BLFL", f"{prefix}LOBXFL", "ABLFL"),
        fasting=one(f"{prefix}FAST"),
        anticoagulated=one("ONANTICOAG"),
        age=one("AGE"),
    )


def readings(data: nw.DataFrame[Any], columns: Columns) -> nw.DataFrame[Any]:
    """The narrow frame: ``row`` (from 1), keys, ``x q why`` of the value, limits, baseline and contexts."""

    def number(column: str | None, name: str) -> nw.Series[Any]:
        if column is None:
            return _constant(data, None, nw.Float64).alias(name)
        read = parse(data[column]).select(
            nw.when((nw.col("q") == 0) & (nw.col("why") == NONE)).then(nw.col("x")).alias(name)
        )
        return read[name]

    value = _value(data, columns)
    core = data.select(
        text(columns.test, "test"), text(columns.specimen, "spec"), text(columns.unit, "unit"),
        text(columns.subject, "subject"), text(columns.study, "study"), text(columns.date, "date"),
        yes_no(columns.fasting, "fasting"), yes_no(columns.anticoagulated, "anticoagulated"),
        nw.any_horizontal(nw.lit(False), *(yes_no(flag, flag) for flag in columns.flags), ignore_nulls=True)
        .alias("at_base"),
    ).with_row_index("row")  # fmt: skip
    read = core.with_columns(
        (nw.col("row") + 1).cast(nw.Int64), value["x"], value["q"], value["why"],
        number(columns.lln, "lln"), number(columns.uln, "uln"), number(columns.age, "age"),
        number(columns.base, "base"), number(columns.base_uln, "base_uln"),
    ).with_columns(adult=nw.col("age") >= grading.ADULT_FROM)  # fmt: skip
    return _with_signed(read)


def _with_signed(read: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """Numbers below zero of the analytes that can lie there are results after all."""
    below = (nw.col("x") < 0) & (nw.col("why") == NOT_NUMERIC)
    if not read.select(found=below.any())["found"].any():
        return read
    keys = list(read.filter(below).select(*KEYS).unique().iter_rows())
    table = like(read, {
        **{name: ([key[i] for key in keys], nw.String) for i, name in enumerate(KEYS)},
        "signed": ([getattr(grading.resolve(*key), "signed", False) for key in keys], nw.Boolean),
    })  # fmt: skip
    why = nw.when(below & nw.col("signed").fill_null(False)).then(nw.lit(NONE)).otherwise(nw.col("why"))
    joined = read.join(table, on=[*KEYS], how="left").sort("row")
    return joined.with_columns(why=why.cast(nw.Int64)).drop("signed")


def text(column: str | None, name: str) -> nw.Expr:
    """A column as text; absent and null are empty."""
    if column is None:
        return nw.lit("").alias(name)
    return nw.col(column).cast(nw.String).fill_null("").alias(name)


def yes_no(column: str | None, name: str) -> nw.Expr:
    """Y/N as a boolean; anything else is unknown."""
    if column is None:
        return nw.lit(None, nw.Boolean).alias(name)
    word = nw.col(column).cast(nw.String).str.to_uppercase()
    return nw.when(word.is_in(_YES)).then(nw.lit(True)).when(word.is_in(_NO)).then(nw.lit(False)).alias(name)


def any_number(word: Any) -> Number | str:
    """A result as a number of any sign, or the reason code."""
    return grading.read_number(word, signed=True)


def parse(column: nw.Series[Any], read: Callable[[Any], Number | str] = any_number) -> nw.DataFrame[Any]:
    """``x q why`` of a column of results: value, index in QUALIFIERS, index in REASONS (``NONE``: it is a
    number). A number below zero is kept, but NOT_NUMERIC: few analytes have such results.
    """
    series = column.alias("raw")
    if series.dtype in (nw.Float64, nw.Int64, nw.Int32, nw.Int16, nw.Int8) and read is any_number:
        # a null is no value; NaN, infinity and codes below zero are no numbers
        x = nw.col("raw").cast(nw.Float64)
        finite = x.is_finite()
        usable = finite & (x >= 0)
        why = nw.when(x.is_null()).then(nw.lit(NO_VALUE)).when(usable).then(nw.lit(NONE))
        return series.to_frame().select(
            nw.when(finite).then(x).alias("x"), nw.lit(0).cast(nw.Int64).alias("q"),
            why.otherwise(nw.lit(NOT_NUMERIC)).cast(nw.Int64).alias("why"),
        )  # fmt: skip
    words = series.cast(nw.String).fill_null("").to_frame().with_row_index("at")
    distinct = words["raw"].unique().to_list()
    found = [read(word) for word in distinct]
    table = like(words, {
        "raw": (distinct, nw.String),
        "x": ([float(n.value) if isinstance(n, Number) else None for n in found], nw.Float64),
        "q": ([QUALIFIERS.index(n.qualifier) if isinstance(n, Number) else 0 for n in found], nw.Int64),
        "why": ([_why(n) for n in found], nw.Int64),
    })  # fmt: skip
    return words.join(table, on="raw", how="left").sort("at").select("x", "q", "why")


def _why(found: Number | str) -> int:
    if isinstance(found, Number):
        return NONE if found.value >= 0 else NOT_NUMERIC
    return REASONS.index(found)


def like(frame: nw.DataFrame[Any], columns: dict[str, tuple[Iterable[Any], Any]]) -> nw.DataFrame[Any]:
    """A small table of the same kind as *frame*, from lists with their types."""
    made = {name: list(values) for name, (values, _) in columns.items()}
    schema = {name: kind for name, (_, kind) in columns.items()}
    return nw.from_dict(made, schema, backend=frame.implementation)


def _constant(data: nw.DataFrame[Any], value: Any, kind: Any) -> nw.Series[Any]:
    return data.with_row_index("at").select(nw.lit(value, kind).alias("constant"), "at")["constant"]


def _value(data: nw.DataFrame[Any], columns: Columns) -> nw.DataFrame[Any]:
    """The first column that holds a value: the number, else the text in the same unit (``<0.1``)."""
    first, *others = columns.values
    best = parse(data[first])
    for name in others:
        if not (best["why"] == NO_VALUE).any():
            break
        source = data[name]
        if name.upper().endswith("ORRES"):  # as collected: only where the unit is the same
            same = text(columns.unit, "a") == text(columns.reported_unit, "b")
            source = data.select(nw.when(same).then(nw.col(name).cast(nw.String)).alias(name))[name]
        spare = parse(source)
        both = best.with_columns(*(spare[part].alias(f"{part}2") for part in ("x", "q", "why")))
        empty = nw.col("why") == NO_VALUE
        best = both.select(
            *(nw.when(empty).then(nw.col(f"{p}2")).otherwise(nw.col(p)).alias(p) for p in ("x", "q", "why"))
        )
    return best


def with_baselines(core: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """Adds ``base base_uln base_row``: BASE where given, else the subject's last flagged usable result, in
    the unit of the row; ``base_row`` is that result's row.
    """
    who = ["study", "subject", "test", "spec"]
    usable = (nw.col("why") == NONE) & (nw.col("q") == 0)
    flagged = (
        core.filter(nw.col("at_base") & usable)
        .sort("date", "row")
        .unique(who, keep="last", maintain_order=True)
    )
    if flagged.is_empty():
        joined = core.with_columns(base_row=nw.lit(None, nw.Int64))
    else:
        last = flagged.select(*who, flag_x="x", flag_unit="unit", flag_uln="uln", base_row="row")
        joined = core.join(last, on=who, how="left")
        differs = (nw.col("flag_unit") != nw.col("unit")) & ~nw.col("base_row").is_null()
        pairs = joined.filter(differs).select(*KEYS, "flag_unit").unique()
        if not pairs.is_empty():
            joined = _in_row_unit(joined, pairs)
        joined = joined.with_columns(
            base=nw.coalesce("base", "flag_x"), base_uln=nw.coalesce("base_uln", "flag_uln")
        )
    # a baseline of zero has no multiples
    return joined.with_columns(base=nw.when(nw.col("base") > 0).then(nw.col("base")))


def _in_row_unit(joined: nw.DataFrame[Any], pairs: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """Flagged baselines reported in another unit than the row, converted; null where they do not convert."""
    rows = list(pairs.iter_rows())
    table = like(joined, {
        **{name: ([row[i] for row in rows], nw.String) for i, name in enumerate((*KEYS, "flag_unit"))},
        "times": ([_line(*row)[0] for row in rows], nw.Float64),
        "plus": ([_line(*row)[1] for row in rows], nw.Float64),
    })  # fmt: skip
    same = nw.col("flag_unit") == nw.col("unit")
    times = nw.when(same).then(nw.lit(1.0)).otherwise(nw.col("times"))
    plus = nw.when(same).then(nw.lit(0.0)).otherwise(nw.col("plus"))
    return joined.join(table, on=[*KEYS, "flag_unit"], how="left").with_columns(
        flag_x=nw.col("flag_x") * times + plus, flag_uln=nw.col("flag_uln") * times + plus
    )


def _line(test: str, spec: str, unit: str, source: str) -> tuple[float | None, float | None]:
    """Factor and shift from *source* to *unit*; None where there are none."""
    analyte = grading.resolve(test, spec, unit)
    if isinstance(analyte, str):
        return None, None
    try:
        times, plus = units.line(analyte, source, unit)
    except units.UnknownUnit:
        return None, None
    return float(times), float(plus)
