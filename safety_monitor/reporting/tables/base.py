"""What all tables share: the table value, the safety population, and the events that count.

>>> percent(1, 4), percent(0, 0)
(25.0, None)
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, TypeVar

import polars as pl
import polars.selectors as cs

from safety_monitor.records import Snapshot
from safety_monitor.stats.incidence import clopper_pearson
from safety_monitor.study import Component, StudySettings

COUNTING: dict[str, Any] = tomllib.loads(
    files("safety_monitor.reporting").joinpath("counting.toml").read_text("utf-8")
)
HIGH_GRADE: int = COUNTING["high_grade"]["at_least"]
NOT_CODED = "Not coded"
Schema = Mapping[str, Any]
T = TypeVar("T")
#: What identifies a record of an event.
RECORD = ("usubjid", "aeseq")
#: What of an event the last report is compared by; all else of an event is taken as it is now.
COMPARED = ("grade", "serious", "fatal", "aeout", "related", "aedecod")


_COUNTED = (
    "grade", "high_grade", "serious", "serious_as_flagged", "related", "fatal", "aesdth", "aeout", "aeacn", "immune"
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """One table: ``frame`` unrounded, ``rule`` what is counted and of whom.

    ``not_collected``: why the table is empty although nothing was counted (None where it was counted).
    """

    name: str
    title: str
    frame: pl.DataFrame
    rule: str
    not_collected: str | None = None

    def to_csv(self) -> str:
        """The frame as CSV text: unknown is empty, booleans are True and False."""
        return self.frame.with_columns(cs.boolean().cast(pl.String).str.to_titlecase()).write_csv()

    @classmethod
    def absent(cls, name: str, title: str, columns: Schema, rule: str, why: str) -> Table:
        """An empty table that says *why* it is empty."""
        return cls(name, title, pl.DataFrame(schema=dict(columns)), rule, why)


class Study:
    """A snapshot as tables see it.

    ``treated``: subjects of the safety population. ``events``: their adverse events with a grade of 1 to 5
    or null, ``soc`` and ``pt`` never null. ``emergent``: those that are treatment-emergent; where that is
    unknown they count, since unknown is not "no". ``news`` of an event, against the last issued report:
    "new", "changed" (grade, serious, fatal, outcome, related or term), "known"; null in the first report.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.settings = StudySettings.model_validate(snapshot.study)
        self.frames = snapshot.frames
        self._made: dict[Callable[[Study], Any], Any] = {}

    def once(self, make: Callable[[Study], T]) -> T:
        """``make(study)``, made the first time only: for what several tables are made from."""
        if make not in self._made:
            self._made[make] = make(self)
        found: T = self._made[make]
        return found

    @cached_property
    def subjects(self) -> pl.DataFrame:
        return self.frames["subjects"]

    @cached_property
    def treated(self) -> pl.DataFrame:
        return self.subjects.filter("treated")

    @property
    def n(self) -> int:
        """N, the denominator: subjects treated."""
        return self.treated.height

    @cached_property
    def all_events(self) -> pl.DataFrame:
        """Every adverse event, of subjects not treated as well."""
        return self._all_events.collect()

    @cached_property
    def _all_events(self) -> pl.LazyFrame:
        columns = self.frames["events"].columns
        events = self.frames["events"].lazy().with_columns(
            _graded(),
            pl.col("aebodsys").fill_null(NOT_CODED).alias("soc"),
            pl.coalesce("aedecod", "aeterm").alias("pt"),
            pl.col("treatment_emergent").fill_null(True),
            (pl.col("grade") >= HIGH_GRADE).fill_null(False).alias("high_grade"),
        )
        if self._previous is None:
            return events.with_columns(pl.lit(None, pl.String).alias("news"))
        then = self._previous.rename({name: f"{name}_then" for name in COMPARED}).with_columns(pl.lit(True).alias("told"))
        same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_then")) for name in COMPARED)
        news = pl.when(pl.col("told").is_null()).then(pl.lit("new")).when(same).then(pl.lit("known")).otherwise(pl.lit("changed"))
        compared = events.join(then.lazy(), on=RECORD, how="left", maintain_order="left").with_columns(news.alias("news"))
        return compared.select(*dict.fromkeys((*columns, "soc", "pt", "high_grade")), "news")

    @cached_property
    def last_report(self) -> dict[str, Any] | None:
        """The last issued report: issued_on, cutoff, snapshot, n_treated, n_deaths, number; None before the first."""
        found = self.frame("last_report")
        if found is None or found.is_empty() or self.frame("previous") is None:
            return None
        return found.row(0, named=True)

    @cached_property
    def _previous(self) -> pl.DataFrame | None:
        """Events as they stood in the last issued report; None where this is the first one."""
        if self.last_report is None:
            return None
        return self.frames["previous"].select(*RECORD, *COMPARED).with_columns(_graded()).unique(RECORD, keep="first")

    @cached_property
    def _then(self) -> pl.DataFrame:
        """Events of treated subjects that the last report had, with what it said of them; the rest as it is now."""
        assert self._previous is not None
        now = self.events.drop(COMPARED).join(self._previous, on=RECORD, how="inner")
        return now.with_columns(
            pl.coalesce("aedecod", "aeterm").alias("pt"),
            (pl.col("grade") >= HIGH_GRADE).fill_null(False).alias("high_grade"),
            (pl.col("serious_as_flagged") & pl.col("serious")).alias("serious_as_flagged"),
            (pl.col("aesdth") & pl.col("fatal")).alias("aesdth"),
        )

    def since_last(self, records: pl.DataFrame, wanted: pl.Expr | None = None) -> pl.DataFrame:
        """Those of *records* that the last report did not have there: new ones, ones that now are *wanted* (the condition by
        which they were chosen) and were not, and ones of another term. None of them in the first report.
        """
        if self._previous is None:
            return records.clear()
        then = self._then if wanted is None else self._then.filter(wanted)
        return records.join(then.select(*RECORD, "pt"), on=[*RECORD, "pt"], how="anti", maintain_order="left")

    @cached_property
    def events(self) -> pl.DataFrame:
        treated = self.treated.select("usubjid", "first_treatment_on", "last_treatment_on")
        return self.all_events.join(treated, on="usubjid", how="inner", maintain_order="left")

    @cached_property
    def emergent(self) -> pl.DataFrame:
        return self.events.filter("treatment_emergent")

    @cached_property
    def counted(self) -> pl.DataFrame:
        """``emergent`` as far as tables of terms count it, in less room: no dates and texts, and a number for each ``subject``,
        ``soc`` and ``pt``."""
        treated = self.treated.lazy().select("usubjid")
        every = self._all_events.join(treated, on="usubjid", how="semi").filter("treatment_emergent")
        asked = self._asked
        numbered = (
            pl.col(name).cast(pl.Categorical).alias(new) for name, new in {"usubjid": "subject", "soc": "soc", "pt": "pt"}.items()
        )
        coded = ("aeout", "aeacn", *(name for name in asked if name.startswith("action_")))
        return every.select(*numbered, *_COUNTED, *asked).with_columns(pl.col(coded).cast(pl.Categorical)).collect()

    @cached_property
    def late_related(self) -> pl.DataFrame:
        """Related events after the treatment-emergent window, up to the configured day after last
        treatment.
        """
        last = pl.col("last_treatment_on")
        window = pl.duration(days=self.settings.post_window_days)
        treated = self.treated.lazy().select("usubjid", "first_treatment_on", "last_treatment_on")
        late = self._all_events.filter(~pl.col("treatment_emergent"), "related")
        within = late.join(treated, on="usubjid", how="inner", maintain_order="left").filter(
            pl.col("onset_on") > last, pl.col("onset_on") <= last + window
        )
        return within.collect()

    def after_last_cutoff(self, column: str) -> pl.Expr:
        """True where the date is later than what the last report could show; an unknown date is."""
        assert self.last_report is not None
        shown = self.last_report["cutoff"] or self.last_report["issued_on"]
        return (pl.col(column) > pl.lit(shown, pl.Date)).fill_null(True)

    def frame(self, name: str) -> pl.DataFrame | None:
        """A frame of the snapshot; None where that domain was not imported."""
        return self.frames.get(name)

    def related_to(self, component: Component) -> pl.Expr | None:
        """True where the investigator called the event related to *component*; None where nobody was asked.

        A blank opinion follows the overall one: counting rules take a blank relationship as related.
        """
        column = f"related_{component.name}"
        if column not in self._answered:
            return None
        return pl.col(column).fill_null(pl.col("related"))

    def action_on(self, component: Component) -> pl.Expr | None:
        """What was done with *component* because of the event; None where that was not reported of each on its own."""
        column = f"action_{component.name}"
        return pl.col(column) if column in self._answered else None

    @cached_property
    def _answered(self) -> frozenset[str]:
        """Columns of one component that are filled for any event of a treated subject."""
        events = self.frames["events"].lazy().join(self.treated.lazy().select("usubjid"), on="usubjid", how="semi")
        filled = events.select(pl.col(self._asked).is_not_null().any()).collect()
        return frozenset(name for name in self._asked if filled[name][0])

    @cached_property
    def _asked(self) -> list[str]:
        """Columns of events about one component."""
        return [name for name in self.frames["events"].columns if name.startswith(("related_", "action_"))]


def _graded() -> pl.Expr:
    """Grade 1 to 5; 0 is none."""
    return pl.when(pl.col("grade") >= 1).then(pl.col("grade")).alias("grade")


CELLS = {
    "table": pl.String, "row": pl.String, "column": pl.String, "USUBJID": pl.String, "AESEQ": pl.Int64,
}  # fmt: skip
#: Between the parts of a row's name, as in class | term.
SEPARATOR = " | "


def cells(records: pl.DataFrame, table: str, row: pl.Expr | str, column: str) -> pl.DataFrame:
    """*records* as what stands behind the number in *row* and *column* of *table*; without ``aeseq`` a record is a subject."""
    return records.select(
        pl.lit(table).alias("table"),
        (pl.lit(row) if isinstance(row, str) else row).alias("row"),
        pl.lit(column).alias("column"),
        pl.col("usubjid").alias("USUBJID"),
        (pl.col("aeseq") if "aeseq" in records.columns else pl.lit(None, pl.Int64)).alias("AESEQ"),
    )


def percent(count: int, total: int) -> float | None:
    """*count* in per cent of *total*; None where nobody was counted."""
    return 100 * count / total if total else None


def percent_of(column: str, total: int) -> pl.Expr:
    """The same, of a column."""
    return 100 * pl.col(column) / total if total else pl.lit(None, pl.Float64)


def exact_limits(count: int, total: int) -> tuple[float | None, float | None]:
    """Clopper-Pearson 95% limits in per cent."""
    interval = clopper_pearson(count, total)
    return (100 * interval.lower, 100 * interval.upper) if interval else (None, None)


def rows_to_frame(rows: Iterable[Sequence[Any]], columns: Schema) -> pl.DataFrame:
    """Rows in the order of *columns*."""
    return pl.DataFrame(list(rows), schema=dict(columns), orient="row")
