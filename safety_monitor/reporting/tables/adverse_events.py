"""Counts of adverse events: the overview, and system organ class by term at the worst grade.

A subject counts once in each row, at the worst grade of the events of that row; a missing grade is the
lowest rank and has its own column. Events are records.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.tables.base import (
    HIGH_GRADE,
    Study,
    Table,
    exact_limits,
    percent,
    percent_of,
    rows_to_frame,
)
from safety_monitor.vocabulary import ActionTaken, Outcome

OVERVIEW = {
    "row": pl.String, "n": pl.Int64, "N": pl.Int64, "pct": pl.Float64, "events": pl.Int64,
    "cp_lo": pl.Float64,
    "cp_hi": pl.Float64,
}  # fmt: skip
BY_TERM = {
    "level": pl.Int64, "SOC": pl.String, "PT": pl.String, "n": pl.Int64, "pct": pl.Float64,
    "events": pl.Int64,
    "g1": pl.Int64, "g2": pl.Int64, "g3": pl.Int64, "g4": pl.Int64, "g5": pl.Int64, "gmiss": pl.Int64,
    "ge3": pl.Int64, "ge3_pct": pl.Float64, "sae_n": pl.Int64, "rel_n": pl.Int64,
}  # fmt: skip
GRADES = (1, 2, 3, 4, 5)
ANY = "ANY"
ADVERSE_EVENT = "ADVERSE EVENT"  # DSDECOD, NCI codelist C66727

_grade, _related, _high = pl.col("grade"), pl.col("related"), pl.col("high_grade")
_flagged = pl.col("serious_as_flagged")

# Row label of the overview -> which treatment-emergent records it holds.
OVERVIEW_ROWS: dict[str, pl.Expr] = {
    "Any TEAE": pl.lit(True),
    "Any SAE (AESER=Y)": _flagged,
    "Any SAE (AESER=Y or any criterion)": pl.col("serious"),
    "Related TEAE": _related,
    "Related SAE": _related & _flagged,
    "Grade >=3 TEAE": _high,
    "Related grade >=3": _related & _high,
    "Grade 4": _grade == 4,
    "Fatal (grade 5 / AESDTH / AEOUT=FATAL)": pl.col("fatal"),
    "AESDTH=Y": pl.col("aesdth"),
    "AEOUT=FATAL": pl.col("aeout") == Outcome.FATAL.value,
    "Grade 5": _grade == 5,
    "Leading to discontinuation (AEACN)": pl.col("aeacn") == ActionTaken.DRUG_WITHDRAWN.value,
    "Dose interrupted": pl.col("aeacn") == ActionTaken.DRUG_INTERRUPTED.value,
    "Dose reduced": pl.col("aeacn") == ActionTaken.DOSE_REDUCED.value,
}
DISCONTINUED_ROW, DEATHS_ROW = "Discontinued due to AE (DS.DSDECOD)", "Deaths (DM.DTHFL)"


def tables(study: Study) -> Iterator[Table]:
    yield overview(study)
    yield by_term(
        "ae_soc_pt_worst_grade",
        "Treatment-emergent adverse events by system organ class, term and worst grade",
        "Treatment-emergent events",
        study.emergent,
        study,
    )
    yield by_term(
        "related_ae_soc_pt_worst_grade",
        "Related treatment-emergent adverse events by system organ class, term and worst grade",
        "Treatment-emergent events that the investigator called related or left blank",
        study.emergent.filter("related"),
        study,
    )
    yield from related_by_component(study)
    yield by_term(
        "post_window_related_soc_pt_worst_grade",
        "Related adverse events after the treatment-emergent window",
        f"Related events after the treatment-emergent window, up to {study.settings.post_window_days} days "
        "after "
        "the last treatment",
        study.late_related,
        study,
    )


def overview(study: Study) -> Table:
    """One row per question that a board asks first."""
    rows: list[tuple[object, ...]] = []
    for label, wanted in OVERVIEW_ROWS.items():
        records = study.emergent.filter(wanted)
        n = records["usubjid"].n_unique()
        rows.append((label, n, study.n, percent(n, study.n), records.height, *exact_limits(n, study.n)))
    for label, subjects in ((DISCONTINUED_ROW, discontinued(study)), (DEATHS_ROW, died(study))):
        count = None if subjects is None else subjects.n_unique()
        share = None if count is None else percent(count, study.n)
        rows.append((label, count, study.n, share, None, None, None))
    rule = (
        "Subjects with at least one such treatment-emergent event, in per cent of N treated, with exact 95% "
        "limits; events are records. A blank relationship counts as related, a missing grade not as grade 3 or worse."
    )
    if study.emergent["aeacn"].null_count() == study.emergent.height and study.emergent.height:
        rule += " Action taken (AEACN) was reported for no event: its rows mean not reported, not none."
    return Table("overview", "Overview of adverse events", rows_to_frame(rows, OVERVIEW), rule)


def discontinued(study: Study) -> pl.Series | None:
    """Treated subjects whose disposition is an adverse event; None where disposition was not imported."""
    dispositions = study.frame("dispositions")
    if dispositions is None:
        return None
    reason = pl.col("dsdecod").str.to_uppercase() == ADVERSE_EVENT
    return dispositions.filter(reason).join(study.treated, on="usubjid", how="semi")["usubjid"]


def died(study: Study) -> pl.Series:
    """Treated subjects who died, of any cause."""
    return study.treated.filter(pl.col("dthfl").fill_null(False))["usubjid"]


def related_by_component(study: Study) -> Iterator[Table]:
    """One table per study component, by the investigator's opinion on that component."""
    for component in study.settings.components:
        name = f"related_{component.name.lower()}_soc_pt_worst_grade"
        title = f"Treatment-emergent adverse events related to {component.name}, by term and worst grade"
        related = study.related_to(component)
        what = f"Treatment-emergent events that the investigator called related to {component.name}"
        if related is None:
            why = f"no opinion on {component.name} was reported"
            yield Table.absent(name, title, BY_TERM, what, why)
        else:
            what += "; a blank opinion follows the overall one"
            yield by_term(name, title, what, study.emergent.filter(related), study)


def by_term(name: str, title: str, what: str, records: pl.DataFrame, study: Study) -> Table:
    """Level 0 any event, 1 system organ class, 2 term; most frequent first, ties alphabetic."""
    parts = [_counted(records, [], 0), _counted(records, ["soc"], 1), _counted(records, ["soc", "pt"], 2)]
    frame = pl.concat(parts)
    soc_n = parts[1].select("SOC", pl.col("n").alias("soc_n"))
    frame = (
        frame.join(soc_n, on="SOC", how="left")
        .sort(
            pl.col("level") > 0, "soc_n", "SOC", "level", "n", "PT",
            descending=[False, True, False, False, True, False],
        )
        .with_columns(percent_of("n", study.n).alias("pct"), percent_of("ge3", study.n).alias("ge3_pct"))
        .select(pl.col(column).cast(dtype) for column, dtype in BY_TERM.items())
    )  # fmt: skip
    rule = (
        f"{what}. Each subject once per row, at the worst grade of that row; per cent of N = {study.n} "
        "treated; events are records; missing: no grade reported."
    )
    return Table(name, title, frame, rule)


def worst(records: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """One row per *keys* and subject: worst grade (null: missing), records, any serious, any related."""
    return records.group_by([*keys, "usubjid"]).agg(
        _grade.max().alias("worst"),
        pl.len().alias("records"),
        _flagged.any().alias("sae"),
        _related.any().alias("rel"),
    )


def _counted(records: pl.DataFrame, keys: list[str], level: int) -> pl.DataFrame:
    subject = pl.col("worst")
    counts = [
        pl.len().cast(pl.Int64).alias("n"),
        pl.col("records").sum().cast(pl.Int64).alias("events"),
        *((subject == grade).sum().cast(pl.Int64).alias(f"g{grade}") for grade in GRADES),
        subject.is_null().sum().cast(pl.Int64).alias("gmiss"),
        (subject >= HIGH_GRADE).sum().cast(pl.Int64).alias("ge3"),
        pl.col("sae").sum().cast(pl.Int64).alias("sae_n"),
        pl.col("rel").sum().cast(pl.Int64).alias("rel_n"),
    ]
    per_subject = worst(records, keys)
    counted = per_subject.group_by(keys).agg(counts) if keys else per_subject.select(counts)
    return counted.select(
        pl.lit(level, pl.Int64).alias("level"),
        pl.col("soc").alias("SOC") if level else pl.lit(ANY).alias("SOC"),
        pl.col("pt").alias("PT") if level > 1 else pl.lit(None, pl.String).alias("PT"),
        *(column for column in BY_TERM if column in counted.columns),
    )
