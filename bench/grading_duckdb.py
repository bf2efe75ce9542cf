"""The second peer: the rules in DuckDB's SQL, on two threads, in two forms.

``grade``: without joins, one CASE for each of the (up to three) terms of a row, by test (an ENUM), then unit; within it what
is most frequent first. A row of the answer has the entries of all its terms side by side: for DuckDB less work than one row
for each term.

``grade_joined``: joined with a small table of bounds by test, specimen and unit; one CASE compares with whatever bounds the
row brought, and only the terms that need more (baseline, fasting) have their own. The quicker form; a row for each term.

A CASE gives one number, from which grade, reason and criterion are taken by arithmetic, so that each rule is tried once.
"""

from __future__ import annotations

import math
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

GRADES = (1, 2, 3, 4)
_NO_BOUNDS = (*[0.0] * 4, *[math.inf] * 4, *[0] * 4)  # factors, shifts, codes


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
        of = ", ".join(f"'{word}'" for word in (*kind.categories, ""))
        connection.execute(f"DROP TYPE IF EXISTS t_{name}; CREATE TYPE t_{name} AS ENUM ({of})")
    told = ", ".join(f"coalesce({name}::VARCHAR, '')::t_{name} AS {name}" for name in words)
    connection.execute(f"CREATE OR REPLACE TABLE lb AS SELECT * REPLACE ({told}) FROM numbered")


def grade(connection: duckdb.DuckDBPyConnection, keys: list[Key]) -> None:
    """Fills the table ``graded``: ROW, then grade, reason and criterion of the first, second and third term."""
    connection.execute(f"CREATE OR REPLACE TABLE graded AS {query(keys, 'lb')}")


def grade_joined(connection: duckdb.DuckDBPyConnection, keys: list[Key]) -> None:
    """Fills the table ``joined``: ROW, step, grade, reason and criterion, one row for each row and term."""
    numbered = [(key, step, climb) for key in keys for step, climb in enumerate(key.climbs or (None,))]
    rows, special = [], []
    for number, (key, step, climb) in enumerate(numbered):
        bounds = _plain(climb) if climb else None
        if climb and bounds is None:
            special.append(f"WHEN {number} THEN {_climb(climb)}")
        own = None if climb and bounds is None else number
        rows.append((key.test, key.specimen, key.unit, step, number, own is None, climb.criterion if climb else NO_TERM,
                     None if climb else _code(NO_TERM, -1, key.reason), bool(climb and climb.quiet), bool(climb and climb.limits),
                     1.0 if climb and climb.high else -1.0, *(bounds or _NO_BOUNDS)))  # fmt: skip
    names = ["test", "specimen", "unit", "step", "number", "special", "term", "untold", "quiet", "limited", "side",
             *(f"{name}{grade}" for name in "fak" for grade in GRADES)]  # fmt: skip
    bounds_table = pl.DataFrame(rows, names, orient="row").to_arrow()  # noqa: F841 - DuckDB finds it by its name
    connection.execute("""CREATE OR REPLACE TEMP TABLE bounds AS SELECT * REPLACE (test::t_LBTESTCD AS test,
        specimen::t_LBSPEC AS specimen, unit::t_LBSTRESU AS unit) FROM bounds_table""")

    def told(reason: int) -> str:
        return f"(term + 1) * 256 + {reason << 4}"

    steps = " ".join(f"WHEN v > f{grade} * e + a{grade} THEN k{grade}" for grade in reversed(GRADES))
    unlimited = " ".join(f"WHEN f{grade} = 0 AND v > a{grade} THEN k{grade}" for grade in reversed(GRADES))
    relative = " OR ".join(f"f{grade} <> 0" for grade in GRADES)
    connection.execute(f"""CREATE OR REPLACE TABLE joined AS
        SELECT ROW, step, ((c & 15) - 1)::TINYINT AS grade, ((c >> 4) & 15)::UTINYINT AS reason,
            ((c >> 8) - 1)::INTEGER AS criterion
        FROM (SELECT ROW, step, CASE
                WHEN special THEN CASE number {' '.join(special)} END
                WHEN untold IS NOT NULL THEN untold
                WHEN limited AND (LBSTNRHI <= 0 OR LBSTNRLO > LBSTNRHI) AND LBSTRESN IS NOT NULL THEN {told(INVALID_LIMITS)}
                WHEN quiet AND v <= e THEN (term + 1) * 256 + {_code(NO_TERM, 0)}
                WHEN LBSTRESN IS NULL THEN {told(NO_VALUE)}
                WHEN e IS NULL THEN CASE {unlimited} WHEN {relative} THEN {told(NO_LIMIT)}
                    ELSE (term + 1) * 256 + {_code(NO_TERM, 0)} END
                {steps} ELSE (term + 1) * 256 + {_code(NO_TERM, 0)} END AS c
            FROM (SELECT *, side * LBSTRESN AS v, CASE WHEN side > 0 THEN LBSTNRHI ELSE -LBSTNRLO END AS e
                FROM lb JOIN bounds ON LBTESTCD = test AND LBSTRESU = unit AND LBSPEC = specimen))""")


def _plain(climb: Climb) -> tuple[Any, ...] | None:
    """Factors, shifts and codes by grade, turned so that worse is higher; None where a term needs more than its own limit."""
    edge = "uln" if climb.high else "lln"
    firm = [arm.grade for arm in climb.arms if arm.basis == "absolute"]
    for arm in climb.arms:
        if arm.basis not in ("absolute", edge) or arm.context or (arm.basis == edge and any(arm.grade > each for each in firm)):
            return None
    if climb.children or climb.computed is not None or len({arm.grade for arm in climb.arms}) < len(climb.arms):
        return None
    factors, shifts, codes = (list(_NO_BOUNDS[place : place + 4]) for place in (0, 4, 8))
    for arm in climb.arms:
        side = 1.0 if climb.high else -1.0
        factors[arm.grade - 1] = arm.factor if arm.basis == edge else 0.0  # the limit is turned itself
        shifts[arm.grade - 1], codes[arm.grade - 1] = side * arm.shift, _code(arm.criterion, arm.grade)
    return (*factors, *shifts, *codes)


def grade_file(connection: duckdb.DuckDBPyConnection, keys: list[Key], source: Path, out: Path) -> None:
    """From Parquet to Parquet: every column of *source* and the codes."""
    read = f"read_parquet('{source}')"
    connection.execute(f"COPY ({query(keys, read, '*')}) TO '{out}' (FORMAT parquet, COMPRESSION lz4)")


def entries_joined(connection: duckdb.DuckDBPyConnection) -> tuple[Any, Any, Any]:
    """The same of ``joined``."""
    long = connection.sql("SELECT grade, reason, criterion FROM joined ORDER BY ROW, step").to_arrow_table()
    grade, reason, criterion = (column.to_numpy() for column in long.columns)
    return grade, reason, criterion


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
