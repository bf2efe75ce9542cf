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
from typing import Any, TypeVar, cast

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
    unknown they count, since unknown is not "no".
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.settings = StudySettings.model_validate(snapshot.study)
        self.frames = snapshot.frames
        self._made: dict[Callable[[Study], Any], Any] = {}

    def once(self, make: Callable[[Study], T]) -> T:
        """What *make* says of this study, made once however often it is asked for."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast(T, self._made[make])

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
        graded = pl.when(pl.col("grade") >= 1).then(pl.col("grade")).alias("grade")
        return self.frames["events"].with_columns(
            graded,
            pl.col("aebodsys").fill_null(NOT_CODED).alias("soc"),
            pl.coalesce("aedecod", "aeterm").alias("pt"),
            pl.col("treatment_emergent").fill_null(True),
            (pl.col("grade") >= HIGH_GRADE).fill_null(False).alias("high_grade"),
        )

    @cached_property
    def events(self) -> pl.DataFrame:
        treated = self.treated.select("usubjid", "first_treatment_on", "last_treatment_on")
        return self.all_events.join(treated, on="usubjid", how="inner", maintain_order="left")

    @cached_property
    def emergent(self) -> pl.DataFrame:
        return self.events.filter("treatment_emergent")

    @cached_property
    def late_related(self) -> pl.DataFrame:
        """Related events after the treatment-emergent window, up to the configured day after last
        treatment.
        """
        last = pl.col("last_treatment_on")
        window = pl.duration(days=self.settings.post_window_days)
        return self.events.filter(
            ~pl.col("treatment_emergent"),
            "related",
            pl.col("onset_on") > last,
            pl.col("onset_on") <= last + window,
        )

    def frame(self, name: str) -> pl.DataFrame | None:
        """A frame of the snapshot; None where that domain was not imported."""
        return self.frames.get(name)

    def related_to(self, component: Component) -> pl.Expr | None:
        """True where the investigator called the event related to *component*; None where nobody was asked.

        A blank opinion follows the overall one: counting rules take a blank relationship as related.
        """
        column = f"related_{component.name}"
        if column not in self.events.columns or self.events[column].null_count() == self.events.height:
            return None
        return pl.col(column).fill_null(pl.col("related"))


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
