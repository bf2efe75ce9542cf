"""Counts of adverse events: the overview, system organ class by term at the worst grade, and the most common terms.

A subject counts once in each row, at the worst grade of the events of that row; a missing grade is the
lowest rank and has its own column. Events are records. ``new_…``: subjects and events that the last issued report
did not have in that row; empty in the first report.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from safety_monitor.reporting.tables.base import (
    COUNTING,
    HIGH_GRADE,
    SEPARATOR,
    Study,
    Table,
    cells,
    exact_limits,
    percent,
    percent_of,
    rows_to_frame,
)
from safety_monitor.reporting.wording import Words, words
from safety_monitor.vocabulary import ActionTaken, Outcome

OVERVIEW = {
    "row": pl.String, "n": pl.Int64, "N": pl.Int64, "pct": pl.Float64, "events": pl.Int64,
    "cp_lo": pl.Float64,
    "cp_hi": pl.Float64,
}  # fmt: skip
INTERVAL = {
    "row": pl.String, "component": pl.String, "new_n": pl.Int64, "new_pct": pl.Float64, "new_lo": pl.Float64,
    "new_hi": pl.Float64, "new_events": pl.Int64, "n": pl.Int64, "N": pl.Int64, "pct": pl.Float64, "cp_lo": pl.Float64,
    "cp_hi": pl.Float64, "events": pl.Int64,
}  # fmt: skip
BY_TERM = {
    "level": pl.Int64, "SOC": pl.String, "PT": pl.String, "n": pl.Int64, "pct": pl.Float64,
    "events": pl.Int64,
    "g1": pl.Int64, "g2": pl.Int64, "g3": pl.Int64, "g4": pl.Int64, "g5": pl.Int64, "gmiss": pl.Int64,
    "ge3": pl.Int64, "ge3_pct": pl.Float64, "sae_n": pl.Int64, "rel_n": pl.Int64, "new_n": pl.Int64,
    "new_events": pl.Int64,
}  # fmt: skip
SERIOUS = {
    "level": pl.Int64, "SOC": pl.String, "PT": pl.String, "new_n": pl.Int64, "new_pct": pl.Float64, "new_events": pl.Int64,
    "n": pl.Int64, "pct": pl.Float64, "events": pl.Int64,
}  # fmt: skip
COMMON = {
    "PT": pl.String, "SOC": pl.String, "n": pl.Int64, "pct": pl.Float64, "cp_lo": pl.Float64, "cp_hi": pl.Float64,
    "events": pl.Int64, "ge3": pl.Int64, "ge3_pct": pl.Float64, "ge3_lo": pl.Float64, "ge3_hi": pl.Float64,
    "rel_n": pl.Int64, "sae_n": pl.Int64, "new_n": pl.Int64,
}  # fmt: skip
GRADES = (1, 2, 3, 4, 5)
ANY = "ANY"
ADVERSE_EVENT = "ADVERSE EVENT"  # DSDECOD, NCI codelist C66727
#: How a drug may be given differently because of an event: name, AEACN, row of the overview.
ACTIONS = {
    "withdrawn": (ActionTaken.DRUG_WITHDRAWN, "Leading to discontinuation (AEACN)"),
    "interrupted": (ActionTaken.DRUG_INTERRUPTED, "Dose interrupted"),
    "reduced": (ActionTaken.DOSE_REDUCED, "Dose reduced"),
}

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
    **{row: pl.col("aeacn") == action.value for action, row in ACTIONS.values()},
}
DISCONTINUED_ROW, DEATHS_ROW = "Discontinued due to AE (DS.DSDECOD)", "Deaths (DM.DTHFL)"
IMMUNE_ROW = "Immune-mediated (reported)"
#: Rows that are counted for each component as well: what holds beside the relation to it.
PER_COMPONENT = {
    "Related TEAE": pl.lit(True),
    "Related SAE": _flagged,
    "Related grade >=3": _high,
}
_ANY_GRADE, _SEVERE = COUNTING["common_terms"]["any_grade"], COUNTING["common_terms"]["high_grade"]


def tables(study: Study) -> Iterator[Table]:
    yield overview(study)
    yield overview_interval(study)
    yield common_terms(study)
    for name, chosen in study.once(term_tables).items():
        yield by_term(name, chosen, study)
    yield from not_asked(study)
    yield serious_terms(study)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The records behind each number of these tables."""
    for name, chosen in study.once(term_tables).items():
        records = chosen.records(study)
        yield from _term_cells(name, records, study.since_last(records, chosen.wanted))
    serious = study.emergent.filter("serious")
    for keys in _LEVELS:
        for column, listed in (("n", serious), ("new_n", study.since_last(serious, pl.col("serious")))):
            yield cells(listed, "sae_soc_pt_interval", _row_of(keys), column)
    frequent = study.emergent.filter(pl.col("pt").is_in(common_terms(study).frame["PT"].to_list()))
    for column, wanted in {"n": pl.lit(True), "ge3": _high, "rel_n": _related, "sae_n": _flagged}.items():
        yield cells(frequent.filter(wanted), "common_terms", pl.col("pt"), column)
    yield cells(study.since_last(frequent), "common_terms", pl.col("pt"), "new_n")
    for label, component, wanted in overview_rows(study):
        records = study.emergent.filter(wanted)
        if component is None and label in OVERVIEW_ROWS:
            yield cells(records, "overview", label, "n")
        row = label if component is None else label + SEPARATOR + component
        yield cells(records, "overview_interval", row, "n")
        yield cells(study.since_last(records, wanted), "overview_interval", row, "new_n")
    for label, subjects, fresh in subject_rows(study):
        for table, column, people in (
            ("overview", "n", subjects), ("overview_interval", "n", subjects), ("overview_interval", "new_n", fresh)
        ):  # fmt: skip
            if people is not None:
                yield cells(people.unique().to_frame("usubjid"), table, label, column)


def overview(study: Study) -> Table:
    """One row per question that a board asks first."""
    rows: list[tuple[object, ...]] = []
    for (label, component), (n, events) in study.once(_overview_counts).items():
        if component is None and label in OVERVIEW_ROWS:
            rows.append((label, n, study.n, percent(n, study.n), events, *exact_limits(n, study.n)))
    for label, subjects, _ in subject_rows(study):
        known = None if subjects is None else subjects.n_unique()
        rows.append((label, known, study.n, None if known is None else percent(known, study.n), None, None, None))
    rule = words(
        "Subjects with at least one such treatment-emergent event, in per cent of N treated, with exact 95% "
        "limits; events are records. A blank relationship counts as related, a missing grade not as grade 3 or worse."
    )
    return Table("overview", "Overview of adverse events", rows_to_frame(rows, OVERVIEW), rule + _unreported_actions(study))


def overview_interval(study: Study) -> Table:
    """The overview with what is new since the last report beside it, and with rows for each component."""
    rows: list[tuple[object, ...]] = []
    first = study.last_report is None
    counts = study.once(_overview_counts)
    for label, component, wanted in overview_rows(study):
        fresh = None if first else study.since_last(study.emergent.filter(wanted), wanted)
        every, events = counts[label, component]
        share = percent(every, study.n)
        rows.append((label, component, *_new(fresh, study.n), every, study.n, share, *exact_limits(every, study.n), events))
    for label, subjects, new in subject_rows(study):
        n, m = (None if each is None else each.n_unique() for each in (subjects, new))
        share = None if n is None else percent(n, study.n)
        new_share = None if m is None else percent(m, study.n)
        limits = (None, None) if n is None else exact_limits(n, study.n)
        new_limits = (None, None) if m is None else exact_limits(m, study.n)
        rows.append((label, None, m, new_share, *new_limits, None, n, study.n, share, *limits, None))
    rule = words(
        "Subjects with at least one such treatment-emergent event, in per cent of N = {n} treated, with exact 95 % "
        "(Clopper-Pearson) limits; events are records. A blank relationship counts as related, a missing grade not as grade "
        "3 or worse.", n=study.n,
    )  # fmt: skip
    rule += _of_the_interval(study) + _unreported_actions(study)
    title = words("Overview of adverse events: since the last report, and cumulative")
    return Table("overview_interval", title, rows_to_frame(rows, INTERVAL), rule)


def _overview_counts(study: Study) -> dict[tuple[str, str | None], tuple[int, int]]:
    """Subjects and events of each row, in one pass over the events."""
    rows = list(overview_rows(study))
    every = pl.col("high_grade").is_not_null()  # never null: with it a condition has one value an event, not one in all
    events = [(wanted & every).sum().cast(pl.Int64).alias(f"{k}") for k, (_, _, wanted) in enumerate(rows)]
    each = study.counted.lazy().group_by("subject").agg(events).collect()
    n = each.select((pl.all().exclude("subject") > 0).sum()).row(0)
    total = each.select(pl.all().exclude("subject").sum()).row(0)
    return {(label, component): (n[k], total[k]) for k, (label, component, _) in enumerate(rows)}


def overview_rows(study: Study) -> Iterator[tuple[str, str | None, pl.Expr]]:
    """Label, component (None: overall) and condition of each row of events, in the order in which it is read."""
    components = study.settings.components
    for label, wanted in OVERVIEW_ROWS.items():
        yield label, None, wanted
        for component in components:
            related = study.related_to(component)
            if label in PER_COMPONENT and related is not None:
                yield label, component.name, related & PER_COMPONENT[label]
        for action, row in ACTIONS.values():
            if row == label:
                for component in components:
                    if (column := study.action_on(component)) is not None:
                        yield label, component.name, column == action.value
        if label == "Grade 5" and study.settings.immune_flag:
            yield IMMUNE_ROW, None, pl.col("immune").fill_null(False)


def subject_rows(study: Study) -> Iterator[tuple[str, pl.Series | None, pl.Series | None]]:
    """Rows of subjects that no record of an event stands behind: label, subjects, those of them since the last report."""
    yield DISCONTINUED_ROW, discontinued(study), discontinued(study, since_last=True)
    yield DEATHS_ROW, died(study), died(study, since_last=True)


def discontinued(study: Study, *, since_last: bool = False) -> pl.Series | None:
    """Treated subjects whose disposition is an adverse event; None where disposition was not imported."""
    dispositions = study.frame("dispositions")
    if dispositions is None or (since_last and study.last_report is None):
        return None
    reason = pl.col("dsdecod").str.to_uppercase() == ADVERSE_EVENT
    found = dispositions.filter(reason, *([study.after_last_cutoff("on")] if since_last else []))
    return found.join(study.treated, on="usubjid", how="semi")["usubjid"]


def died(study: Study, *, since_last: bool = False) -> pl.Series | None:
    """Treated subjects who died, of any cause."""
    if since_last and study.last_report is None:
        return None
    dead = study.treated.filter(pl.col("dthfl").fill_null(False))
    return (dead.filter(study.after_last_cutoff("death_on")) if since_last else dead)["usubjid"]


@dataclass(frozen=True)
class Chosen:
    """The events of one table by term: its title, what is counted, and the condition by which they are chosen (None: all of the
    treatment-emergent ones); ``late``: after the treatment-emergent window instead."""

    title: Words
    what: Words
    wanted: pl.Expr | None = None
    late: bool = False

    def records(self, study: Study) -> pl.DataFrame:
        found = study.late_related if self.late else study.emergent
        return found if self.wanted is None else found.filter(self.wanted)

    def counted(self, study: Study) -> pl.LazyFrame:
        found = study.late_related.lazy().rename({"usubjid": "subject"}) if self.late else study.counted.lazy()
        return found if self.wanted is None else found.filter(self.wanted)


def term_tables(study: Study) -> dict[str, Chosen]:
    """Tables by term, by their names."""
    found = {
        "ae_soc_pt_worst_grade": Chosen(
            words("Treatment-emergent adverse events by system organ class, term and worst grade"),
            words("Treatment-emergent events."),
        ),
        "related_ae_soc_pt_worst_grade": Chosen(
            words("Related treatment-emergent adverse events by system organ class, term and worst grade"),
            words("Treatment-emergent events that the investigator called related or left blank."), _related,
        ),
    }  # fmt: skip
    for component in study.settings.components:
        if (related := study.related_to(component)) is not None:
            found[_related_name(component.name)] = Chosen(
                _related_title(component.name),
                words("Treatment-emergent events that the investigator called related to {component}; a blank opinion follows "
                      "the overall one.", component=component.name),
                related,
            )  # fmt: skip
    found["post_window_related_soc_pt_worst_grade"] = Chosen(
        words("Related adverse events after the treatment-emergent window"),
        words("Related events after the treatment-emergent window, up to {days} days after the last treatment.",
              days=study.settings.post_window_days),
        _related, late=True,
    )  # fmt: skip
    return found


def not_asked(study: Study) -> Iterator[Table]:
    """Tables of the components on which no opinion was reported: empty, and saying so."""
    for component in study.settings.components:
        if study.related_to(component) is None:
            what = words(
                "Treatment-emergent events that the investigator called related to {component}.", component=component.name
            )
            why = words("no opinion on {component} was reported", component=component.name)
            yield Table.absent(_related_name(component.name), _related_title(component.name), BY_TERM, what, why)


def by_term(name: str, chosen: Chosen, study: Study) -> Table:
    """Level 0 any event, 1 system organ class, 2 term; most frequent first, ties alphabetic."""
    every = chosen.wanted is None and not chosen.late
    frame = _with_new(study.once(_all_levels) if every else _levels(chosen.counted(study)), study, chosen)
    frame = _most_frequent_first(frame).with_columns(
        percent_of("n", study.n).alias("pct"), percent_of("ge3", study.n).alias("ge3_pct")
    )
    rule = chosen.what + words(
        " Each subject once per row, at the worst grade of that row; per cent of N = {n} treated; events are records; "
        "missing: no grade reported.", n=study.n,
    )  # fmt: skip
    return Table(name, chosen.title, _typed(frame, BY_TERM), rule)


def serious_terms(study: Study) -> Table:
    """Serious events by class and term, those since the last report beside all."""
    chosen = Chosen(
        words("Serious treatment-emergent adverse events by system organ class and term"),
        words("Treatment-emergent events that are flagged serious or meet a criterion."), pl.col("serious"),
    )  # fmt: skip
    frame = _with_new(_levels(chosen.counted(study)), study, chosen)
    frame = _most_frequent_first(frame).with_columns(
        percent_of("n", study.n).alias("pct"), percent_of("new_n", study.n).alias("new_pct")
    )
    rule = chosen.what + words(" Each subject once per row; per cent of N = {n} treated; events are records.", n=study.n)
    return Table("sae_soc_pt_interval", chosen.title, _typed(frame, SERIOUS), rule + _of_the_interval(study))


def common_terms(study: Study) -> Table:
    """Terms that many subjects have, or several severely."""
    counted = study.once(_all_levels).filter(level=2)
    classes = counted.group_by(pl.col("PT").alias("pt")).agg(pl.col("SOC").min().alias("soc"))
    if classes.height < counted.height:  # a term that was reported in two classes is one term here
        flat = study.counted.lazy().with_columns(pl.lit("").cast(pl.Categorical).alias("soc"))
        counted = _counted(flat, ["soc", "pt"]).collect().drop("SOC").join(classes.rename({"pt": "PT", "soc": "SOC"}), on="PT")
    frame = _with_new(counted, study, Chosen(words(""), words("")), classes)
    frame = frame.with_columns(percent_of("n", study.n).alias("pct"), percent_of("ge3", study.n).alias("ge3_pct"))
    frame = frame.filter((pl.col("pct") >= _ANY_GRADE) | (pl.col("ge3_pct") >= _SEVERE))
    frame = frame.sort("n", "ge3", "PT", descending=[True, True, False])
    limits = [(*exact_limits(n, study.n), *exact_limits(severe, study.n)) for n, severe in frame.select("n", "ge3").iter_rows()]
    exact = rows_to_frame(limits, dict.fromkeys(("cp_lo", "cp_hi", "ge3_lo", "ge3_hi"), pl.Float64))
    title = words(
        "Most common terms: at least {any} % of subjects at any grade, or at least {severe} % at grade 3 or worse",
        any=_ANY_GRADE, severe=_SEVERE,
    )  # fmt: skip
    rule = words(
        "Treatment-emergent events; each subject once per term, in per cent of N = {n} treated, with exact 95 % limits; events "
        "are records.", n=study.n,
    )  # fmt: skip
    return Table("common_terms", title, _typed(pl.concat([frame, exact], how="horizontal"), COMMON), rule)


_LEVELS: tuple[list[str], ...] = ([], ["soc"], ["soc", "pt"])


def _all_levels(study: Study) -> pl.DataFrame:
    return _levels(study.counted.lazy())


def _levels(records: pl.LazyFrame) -> pl.DataFrame:
    return pl.concat(_counted(records, keys) for keys in _LEVELS).collect()


def _counted(records: pl.LazyFrame, keys: list[str]) -> pl.LazyFrame:
    """The counts of each row, from one row per *keys* and subject: worst grade (null: missing), records, any serious, related."""
    per_subject = records.group_by([*keys, "subject"]).agg(
        _grade.max().alias("worst"),
        pl.len().alias("records"),
        _flagged.any().alias("sae"),
        _related.any().alias("rel"),
    )
    grade = pl.col("worst")
    counts = {
        "n": pl.len(),
        "events": pl.col("records").sum(),
        **{f"g{each}": (grade == each).sum() for each in GRADES},
        "gmiss": grade.is_null().sum(),
        "ge3": (grade >= HIGH_GRADE).sum(),
        "sae_n": pl.col("sae").sum(),
        "rel_n": pl.col("rel").sum(),
    }
    named = [count.cast(pl.Int64).alias(name) for name, count in counts.items()]
    counted = per_subject.group_by(keys).agg(named) if keys else per_subject.select(named)
    return counted.select(*_named(keys), *counts)


def _named(keys: list[str]) -> list[pl.Expr]:
    return [
        pl.lit(len(keys), pl.Int64).alias("level"),
        pl.col("soc").cast(pl.String).alias("SOC") if keys else pl.lit(ANY).alias("SOC"),
        pl.col("pt").cast(pl.String).alias("PT") if len(keys) > 1 else pl.lit(None, pl.String).alias("PT"),
    ]


def _with_new(frame: pl.DataFrame, study: Study, chosen: Chosen, classes: pl.DataFrame | None = None) -> pl.DataFrame:
    """*frame* with ``new_n`` and ``new_events``: of the *chosen* records those that the last report did not have there.

    ``classes``: the class of each term, where it is not that of the record.
    """
    if study.last_report is None:
        return frame.with_columns(pl.lit(None, pl.Int64).alias("new_n"), pl.lit(None, pl.Int64).alias("new_events"))
    records = chosen.records(study)
    if classes is not None:
        records = records.drop("soc").join(classes, on="pt", how="left", maintain_order="left")
    fresh = study.since_last(records, chosen.wanted)
    counts = (pl.col("usubjid").n_unique().cast(pl.Int64).alias("new_n"), pl.len().cast(pl.Int64).alias("new_events"))
    parts = [
        (fresh.group_by(keys).agg(counts) if keys else fresh.select(counts)).select(*_named(keys), "new_n", "new_events")
        for keys in _LEVELS
    ]
    found = frame.join(pl.concat(parts), on=["level", "SOC", "PT"], how="left", nulls_equal=True)
    return found.with_columns(pl.col("new_n", "new_events").fill_null(0))


def _most_frequent_first(frame: pl.DataFrame) -> pl.DataFrame:
    soc_n = frame.filter(pl.col("level") == 1).select("SOC", pl.col("n").alias("soc_n"))
    return frame.join(soc_n, on="SOC", how="left").sort(
        pl.col("level") > 0, "soc_n", "SOC", "level", "n", "PT", descending=[False, True, False, False, True, False]
    )


def _typed(frame: pl.DataFrame, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    return frame.select(pl.col(column).cast(dtype) for column, dtype in schema.items())


def _new(fresh: pl.DataFrame | None, total: int) -> tuple[object, ...]:
    if fresh is None:
        return (None,) * 5
    n = fresh["usubjid"].n_unique()
    return n, percent(n, total), *exact_limits(n, total), fresh.height


def _of_the_interval(study: Study) -> Words:
    if (last := study.last_report) is None:
        return words(" First report: no earlier one to compare with.")
    return words(
        " Since the last report (no. {number}, data cut-off {cutoff}, N = {treated} treated): events that it did not have in "
        "that row, be they new or worse than they were; deaths and dispositions dated after its cut-off.",
        number=last["number"], cutoff=last["cutoff"] or last["issued_on"], treated=last["n_treated"],
    )  # fmt: skip


def _unreported_actions(study: Study) -> Words:
    if study.counted["aeacn"].null_count() == study.counted.height and study.counted.height:
        return words(" Action taken (AEACN) was reported for no event: its rows mean not reported, not none.")
    return words("")


def _related_name(component: str) -> str:
    return f"related_{component.lower()}_soc_pt_worst_grade"


def _related_title(component: str) -> Words:
    return words("Treatment-emergent adverse events related to {component}, by term and worst grade", component=component)


def _row_of(keys: list[str]) -> pl.Expr:
    return pl.concat_str(keys, separator=SEPARATOR) if keys else pl.lit(ANY)


def _term_cells(name: str, records: pl.DataFrame, fresh: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """A grade column lists the record or records at the subject's worst grade of that row."""
    for keys in _LEVELS:
        marked = records.with_columns(_grade.max().over([*keys, "usubjid"]).alias("worst"))
        at_worst = _grade.eq_missing(pl.col("worst"))
        wanted = {
            "n": pl.lit(True),
            **{f"g{grade}": at_worst & (pl.col("worst") == grade) for grade in GRADES},
            "gmiss": pl.col("worst").is_null(),
            "ge3": _grade >= HIGH_GRADE,
            "sae_n": _flagged,
            "rel_n": _related,
        }
        for column, chosen in wanted.items():
            yield cells(marked.filter(chosen), name, _row_of(keys), column)
        yield cells(fresh, name, _row_of(keys), "new_n")
