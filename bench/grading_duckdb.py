"""The second peer: the rules as one SQL CASE in DuckDB, without joins, on two threads.

One CASE for each of the (up to three) terms of a row, by test (an ENUM), then unit; within it what is most frequent first. A
CASE gives one number, from which grade, reason and criterion are taken by arithmetic, so that each rule is tried once. A row
of the answer has the entries of all its terms side by side: for DuckDB less work than one row for each term.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
from grading_numpy import ADULT, CKD, THREADS
from grading_peers import (
    INVALID_LIMITS,
    NO_BASELINE,
    NO_CONTEXT,
    NO_LIMIT,
    NO_TERM,
    NO_VALUE,
    NONE,
    NOT_FASTING,
    Arm,
    Climb,
    Key,
    by_grade,
)

FIRST, FASTING = "coalesce(LBBLFL = 'Y', false)", "coalesce(LBFAST = 'Y', false)"
COLUMNS = ("LBTESTCD", "LBSPEC", "LBSTRESU", "LBSTRESN", "LBSTNRLO", "LBSTNRHI", "BASE", "LBBLFL", "LBFAST", "SEX", "AGE")


def connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    connection.execute("SET preserve_insertion_order = false")  # quicker; ROW keeps the number
    return connection


def load(connection: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> None:
    """*frame* as a table of DuckDB's own, its words as ENUMs, with ``ROW`` from 0."""
    numbered = frame.select(COLUMNS).with_row_index("ROW").to_arrow()  # noqa: F841 - DuckDB finds it by its name
    words = {name: kind for name, kind in frame.schema.items() if name in COLUMNS and isinstance(kind, pl.Enum)}
    for name, kind in words.items():
        of = ", ".join(f"'{word}'" for word in kind.categories)
        connection.execute(f"DROP TYPE IF EXISTS t_{name}; CREATE TYPE t_{name} AS ENUM ({of})")
    told = ", ".join(f"{name}::t_{name} AS {name}" if name in words else name for name in ("ROW", *COLUMNS))
    connection.execute(f"CREATE OR REPLACE TABLE lb AS SELECT {told} FROM numbered")


def grade(connection: duckdb.DuckDBPyConnection, keys: list[Key]) -> None:
    """Fills the table ``graded``: ROW, then grade, reason and criterion of the first, second and third term."""
    connection.execute(f"CREATE OR REPLACE TABLE graded AS {query(keys, 'lb')}")


def grade_file(connection: duckdb.DuckDBPyConnection, keys: list[Key], source: Path, out: Path) -> None:
    """From Parquet to Parquet: every column of *source* and the codes."""
    read = f"read_parquet('{source}')"
    connection.execute(f"COPY ({query(keys, read, '*')}) TO '{out}' (FORMAT parquet, COMPRESSION lz4)")


def entries(connection: duckdb.DuckDBPyConnection) -> tuple[Any, Any, Any]:
    """Grades, reasons and criteria, one entry per row and term, in the order of the rows."""
    wide = connection.sql("SELECT * FROM graded ORDER BY ROW").to_arrow_table()
    steps = (wide.num_columns - 1) // 3
    made = []
    for name in ("grade", "reason", "criterion"):
        columns = [wide[f"{name}{step}"].to_numpy() for step in range(steps)]
        made.append(np.ma.stack([np.ma.masked_invalid(column.astype(float)) for column in columns], axis=1).compressed())
    return made[0].astype(np.int8), made[1].astype(np.uint8), made[2].astype(np.int32)


def query(keys: list[Key], source: str, kept: str = "ROW") -> str:
    """The statement."""
    steps = range(max(len(key.climbs) for key in keys))
    cases = ", ".join(f"{_by_test(keys, step)} AS c{step}" for step in steps)
    told = ", ".join(f"((c{i} & 15) - 1)::TINYINT AS grade{i}, ((c{i} >> 4) & 15)::UTINYINT AS reason{i}, "
                     f"((c{i} >> 8) - 1)::INTEGER AS criterion{i}" for i in steps)  # fmt: skip
    kept_of = f"* EXCLUDE ({', '.join(f'c{i}' for i in steps)})" if kept == "*" else kept
    return f"SELECT {kept_of}, {told} FROM (SELECT {kept}, {cases} FROM {source})"


def _code(criterion: int, grade: int, reason: int = NONE) -> int:
    return (criterion + 1) << 8 | reason << 4 | (grade + 1)


def _by_test(keys: list[Key], step: int) -> str:
    """Of every test, in the order of their frequency, its term number *step*."""
    whens = []
    for test in dict.fromkeys(key.test for key in keys):
        told = [(key, _term(key, step)) for key in keys if key.test == test]
        if any(sql != "NULL" for _, sql in told):
            whens.append(f"WHEN '{test}' THEN {_by_unit(told)}")
    return f"CASE LBTESTCD {' '.join(whens)} END"


def _term(key: Key, step: int) -> str:
    if step < len(key.climbs):
        return _climb(key.climbs[step])
    return str(_code(NO_TERM, -1, key.reason)) if step == 0 else "NULL"


def _by_unit(told: list[tuple[Key, str]]) -> str:
    """What is the same in all units is asked once; GLUC comes in two specimens, of which one has no term."""
    if len({sql for _, sql in told}) == 1:
        return told[0][1]
    specimens = {key.specimen for key, _ in told}
    column, at = ("LBSPEC", 1) if len(specimens) > 1 else ("LBSTRESU", 2)
    parts = groupby(sorted(told, key=lambda each: each[0][at]), lambda each: each[0][at])
    return f"CASE {column} {' '.join(f'WHEN {name!r} THEN {_by_unit(list(group))}' for name, group in parts)} END"


def _climb(climb: Climb) -> str:
    """The CASE of one term: no value, within the limits, then from the worst grade down."""
    x: str = "LBSTRESN"
    uln: str | None = "LBSTNRHI"
    lln: str | None = "LBSTNRLO"
    whens = []
    if climb.limits and climb.computed is None:
        whens.append(f"WHEN {uln} <= 0 OR {lln} > {uln} THEN CASE WHEN {x} IS NULL THEN {_code(climb.criterion, -1, NO_VALUE)} "
                     f"ELSE {_code(climb.criterion, -1, INVALID_LIMITS)} END")  # fmt: skip
    if climb.quiet:
        whens.append(f"WHEN {f'{x} <= {uln}' if climb.high else f'{x} >= {lln}'} THEN {_code(climb.criterion, 0)}")
    whens.append(f"WHEN {x} IS NULL THEN {_code(climb.criterion, -1, NO_VALUE)}")
    if climb.children:
        whens.append(f"WHEN AGE IS NULL OR AGE >= {ADULT} THEN {_code(climb.criterion, -1, NO_CONTEXT)}")
    if climb.computed is not None:
        whens.append(f"WHEN AGE IS NULL OR AGE < {ADULT} THEN {_code(climb.criterion, -1, NO_CONTEXT)}")
        x, uln, lln = _egfr(climb.computed), None, None
    edge = uln if climb.high else lln
    worse: list[tuple[str, int]] = []  # what may not be known of worse grades
    for arms in reversed(by_grade(climb)):
        doubts: list[tuple[str, int]] = []
        for arm in arms:
            met, unknown = _arm(arm, x, uln, lln, edge, climb)
            if met:
                whens.append(f"WHEN {met} THEN {_doubted(worse, arm.criterion, arm.grade)}")
            doubts += unknown
        worse += doubts
    return f"CASE {' '.join(whens)} ELSE {_doubted(worse, climb.criterion, 0, -1)} END"


def _doubted(doubts: list[tuple[str, int]], criterion: int, grade: int, otherwise: int | None = None) -> str:
    """The number of this grade; with a reason where a worse one is in doubt."""
    plain = str(_code(criterion, grade))
    asked = dict.fromkeys(sorted(doubts, key=lambda doubt: doubt[1]))
    if not asked:
        return plain
    shown = grade if otherwise is None else otherwise
    whens = [f"WHEN {' OR '.join(f'({sql})' for sql, of in asked if of == reason)} THEN {_code(criterion, shown, reason)}"
             for reason in dict.fromkeys(of for _, of in asked)]  # fmt: skip
    return f"CASE {' '.join(whens)} ELSE {plain} END"


def _arm(arm: Arm, x: str, uln: str | None, lln: str | None, edge: str | None, climb: Climb) -> tuple[str, list[tuple[str, int]]]:
    """When it holds ('' for never), and when it is not known, with the reason. Within the limits nothing comes here if the
    ladder is quiet; a comparison with NULL is never taken.
    """
    basis = {"uln": uln, "lln": lln, "baseline": "BASE"}.get(arm.basis)
    if arm.basis in ("uln", "lln") and basis is None:
        return "", [("true", NO_LIMIT)]
    bound = f"{arm.shift!r}e0" if basis is None else f"{arm.factor!r}e0 * {basis}" + (f" + {arm.shift!r}e0" if arm.shift else "")
    asked, doubts = [f"{x} {arm.operator} {bound}"], []
    beyond = f"({edge} IS NULL OR {x} {'>' if climb.high else '<'} {edge})"
    inside = [] if climb.quiet or edge is None or not arm.gate else [beyond]
    if arm.basis == "baseline":
        asked.append(f"NOT {FIRST}")
        unknown = [f"BASE IS NULL AND NOT {FIRST}", *inside]
        reason = NO_BASELINE
    else:
        unknown, reason = ([f"{basis} IS NULL", *inside] if basis else []), NO_LIMIT
    above = f"(coalesce(BASE > {uln}, false) AND NOT {FIRST})"
    if arm.context in ("baseline_above_uln", "baseline_not_above_uln"):
        which = above if arm.context == "baseline_above_uln" else f"NOT {above}"
        asked.append(which)
        unknown = [*unknown, which]
    asked += inside
    if unknown:
        doubts.append((" AND ".join(unknown), reason))
    if arm.gate == "must":
        doubts.append((f"{edge} IS NULL AND {' AND '.join(asked)}", NO_LIMIT))
        doubts += [(f"{edge} IS NULL AND {' AND '.join(unknown)}", NO_LIMIT)] if unknown else []
        asked.append(f"{edge} IS NOT NULL")
    if arm.context == "fasting":
        doubts.append((f"{' AND '.join(asked)} AND NOT {FASTING}", NOT_FASTING))
        asked.append(FASTING)
    elif arm.context in ("anticoagulated", "febrile"):
        return "", [*doubts, (" AND ".join(asked), NO_CONTEXT)]
    return " AND ".join(asked), doubts


def _egfr(times: float) -> str:
    def of(pair: tuple[float, float]) -> str:
        return f"CASE SEX WHEN 'M' THEN {pair[1]} ELSE {pair[0]} END"

    ratio = f"(LBSTRESN * {times!r} / ({of(CKD.kappa)}))"
    slope = f"CASE WHEN {ratio} <= 1 THEN {of(CKD.alpha)} ELSE {CKD.exponent} END"
    return f"round_even({CKD.scale} * pow({ratio}, {slope}) * pow({CKD.per_year}, AGE) * ({of(CKD.factor)}), 0)"
