"""Events that led to a drug being stopped, interrupted or reduced: by class and term, for each component of its own.

AEACN holds one action for all drugs. Where the study reports what was done with each component, each has its own rows;
else the one action is counted, and not told of any component.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.tables.adverse_events import ACTIONS, ANY
from safety_monitor.reporting.tables.base import SEPARATOR, Study, Table, cells, percent_of
from safety_monitor.reporting.wording import words

MODIFIED = {
    "component": pl.String, "level": pl.Int64, "SOC": pl.String, "PT": pl.String, "n": pl.Int64, "pct": pl.Float64,
    "events": pl.Int64, "withdrawn_n": pl.Int64, "withdrawn_pct": pl.Float64, "interrupted_n": pl.Int64,
    "interrupted_pct": pl.Float64, "reduced_n": pl.Int64, "reduced_pct": pl.Float64,
}  # fmt: skip
NAME = "ae_actions_soc_pt"
OVERALL = "all"
_LEVELS: tuple[list[str], ...] = ([], ["soc"], ["soc", "pt"])


def tables(study: Study) -> Iterator[Table]:
    yield modifications(study)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The records behind each number."""
    for component, records in study.once(modified).items():
        for keys in _LEVELS:
            row = pl.concat_str([pl.lit(component or OVERALL), *keys], separator=SEPARATOR) if keys else pl.lit(
                SEPARATOR.join((component or OVERALL, ANY))
            )
            yield cells(records, NAME, row, "n")
            for action in ACTIONS:
                yield cells(records.filter(pl.col("done") == action), NAME, row, f"{action}_n")


def modifications(study: Study) -> Table:
    """Level 0 any event, 1 class, 2 term; by component, or once for all where actions are not reported of each."""
    title = words("Adverse events leading to discontinuation, interruption or dose reduction, by class and term")
    rule = words(
        "Treatment-emergent events with such an action taken. Each subject once per cell; per cent of N = {n} treated; one "
        "event has one action for each drug.", n=study.n,
    )  # fmt: skip
    found = study.once(modified)
    if not found:
        why = words("action taken with the study treatment (AEACN) was reported for no event")
        return Table.absent(NAME, title, MODIFIED, rule, why)
    if None in found:
        rule += words(" Action taken (AEACN) is one for all drugs together: it was not reported of each component.")
    parts = [_counted(records, component) for component, records in found.items()]
    shares = [percent_of(f"{name}n", study.n).alias(f"{name}pct") for name in ("", *(f"{action}_" for action in ACTIONS))]
    frame = pl.concat(parts).with_columns(shares).select(pl.col(name).cast(dtype) for name, dtype in MODIFIED.items())
    return Table(NAME, title, frame, rule)


def modified(study: Study) -> dict[str | None, pl.DataFrame]:
    """By component (None: all drugs together): the treatment-emergent records with an action, named in ``done``."""
    events = study.emergent
    known: dict[str | None, pl.Expr] = {
        c.name: column for c in study.settings.components if (column := study.action_on(c)) is not None
    }
    if not known and events["aeacn"].null_count() == events.height:
        return {}
    names = {action.value: name for name, (action, _) in ACTIONS.items()}
    return {
        component: events.with_columns(
            column.replace_strict(names, default=None, return_dtype=pl.String).alias("done")
        ).filter(pl.col("done").is_not_null())
        for component, column in (known or {None: pl.col("aeacn")}).items()
    }


def _counted(records: pl.DataFrame, component: str | None) -> pl.DataFrame:
    subjects = pl.col("usubjid")
    counts = [
        subjects.n_unique().cast(pl.Int64).alias("n"),
        pl.len().cast(pl.Int64).alias("events"),
        *(subjects.filter(pl.col("done") == name).n_unique().cast(pl.Int64).alias(f"{name}_n") for name in ACTIONS),
    ]
    parts = [
        (records.group_by(keys).agg(counts) if keys else records.select(counts)).select(
            pl.lit(component, pl.String).alias("component"),
            pl.lit(len(keys), pl.Int64).alias("level"),
            pl.col("soc").alias("SOC") if keys else pl.lit(ANY).alias("SOC"),
            pl.col("pt").alias("PT") if len(keys) > 1 else pl.lit(None, pl.String).alias("PT"),
            "n", "events", *(f"{name}_n" for name in ACTIONS),
        )
        for keys in _LEVELS
    ]  # fmt: skip
    soc_n = parts[1].select("SOC", pl.col("n").alias("soc_n"))
    return pl.concat(parts).join(soc_n, on="SOC", how="left").sort(
        pl.col("level") > 0, "soc_n", "SOC", "level", "n", "PT", descending=[False, True, False, False, True, False]
    )
