"""Values over time: each subject's thin line, the quartiles of all, the limits; and how many stand at each level of a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from safety_monitor.reporting.figures.theme import BLUE, DASHED, GREY, INK, THEME, Figure, Room, panels_of, render
from safety_monitor.reporting.wording import t

_WEEKS = (0, 4, 13, 25, 49, 97)  # where the axis is labelled with week and n: ends of periods
_LEVELS = ("#DCE6EF", "#7FA8C9", "#1F4E79")  # of a scale, best to worst: light to dark in greyscale as well
_HATCHES = ("", "///", "xxx")


@dataclass(frozen=True)
class Panel:
    """One small plot. ``points``: usubjid, week, x; ``periods``: to_week, n, median, q1, q3; ``lines``: (value, label) drawn
    across; ``many``: more subjects than are drawn as single lines.
    """

    title: str
    unit: str
    points: pl.DataFrame
    periods: pl.DataFrame
    lines: Sequence[tuple[float, str]] = ()
    log: bool = False
    many: bool = False


def small_multiples(panels: Sequence[Panel], least: int) -> Figure:
    """*panels*, three in a row; a median is drawn of *least* subjects or more."""
    with plt.rc_context(THEME):
        rows = -(-len(panels) // 3)
        figure, grid = panels_of(7.0, 2.55 * rows, rows, 3, Room(0.36, 0.26, 0.56, 0.22, across=0.62, down=0.56))
        for axes, panel in zip(grid.flat, panels, strict=False):
            _panel(axes, panel, least)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_axis_off()
        below = t("Weeks since first treatment (square-root scale); below: subjects with a value in the period (n)")
        figure.supxlabel(below, fontsize=8)
        told = [t("Values over time of treated subjects."), *(_told(panel, least) for panel in panels)]
        return render(figure, " ".join(told))


def levels_over_time(panels: Sequence[tuple[str, pl.DataFrame]], levels: Sequence[Sequence[str]]) -> Figure:
    """Share of subjects at each level by period, n above each bar. Each panel: title and columns to_week, level, n."""
    with plt.rc_context(THEME):
        figure, grid = panels_of(7.0, 2.7, 1, len(panels))
        told = []
        for axes, (title, counts), own in zip(grid.flat, panels, levels, strict=True):
            weeks = counts["to_week"].unique().sort().to_list()
            table = {(row["to_week"], row["level"]): row["n"] for row in counts.iter_rows(named=True)}
            total = {week: sum(table.get((week, level), 0) for level in own) for week in weeks}
            bottom = np.zeros(len(weeks))
            for level, colour, hatch in zip(own, _LEVELS, _HATCHES, strict=True):
                share = np.array([100 * table.get((week, level), 0) / total[week] for week in weeks])
                style: Any = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.5, "label": level}
                axes.bar(range(len(weeks)), share, 0.78, bottom=bottom, **style)
                bottom += share
            for place, week in enumerate(weeks):
                _above_bar(axes, place, str(total[week]))
            _above_bar(axes, -1, "n")
            axes.set_xticks(range(len(weeks)), [_week(week) for week in weeks], fontsize=6.5)
            axes.set_ylim(0, 100)
            axes.set_ylabel(t("Subjects with a value (%)"))
            axes.set_xlabel(t("Week since first treatment (end of period)"))
            axes.set_title(title, loc="left", pad=22)
            axes.legend(ncols=3, frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 1.05), fontsize=7, handlelength=1.2,
                        columnspacing=1.0, borderpad=0)  # fmt: skip
            first, last = weeks[0], weeks[-1]
            told.append(t("{title}: at baseline {start}; in the period up to week {week} {end}.", title=title, week=last,
                          start=_listed(table, first, own), end=_listed(table, last, own)))  # fmt: skip
        return render(figure, " ".join(told))


def _above_bar(axes: Axes, place: float, text: str) -> None:
    axes.annotate(text, (place, 100), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=6)


def _panel(axes: Axes, panel: Panel, least: int) -> None:
    periods = panel.periods.filter(pl.col("n") >= least)
    if panel.log:
        axes.set_yscale("log")
    if not panel.many:
        lines = panel.points.drop_nulls("x").sort("usubjid", "week")
        gap = pl.col("usubjid") != pl.col("usubjid").shift(1)
        breaks = np.flatnonzero(lines.select(gap.fill_null(False)).to_series().to_numpy())
        x, y = (np.insert(lines[column].to_numpy().astype(float), breaks, np.nan) for column in ("week", "x"))
        axes.plot(x, y, color=GREY, linewidth=0.35, alpha=0.55)  # one path of all, broken between subjects
    weeks = periods["to_week"].to_list()
    axes.fill_between(weeks, periods["q1"], periods["q3"], color=BLUE, alpha=0.22, linewidth=0)
    axes.plot(weeks, periods["median"], color=INK, linewidth=1.6, marker="o", markersize=2.6)
    for value, label in panel.lines:
        axes.axhline(value, color=INK, linestyle=DASHED, linewidth=0.7)
        axes.annotate(label, (1, value), xycoords=("axes fraction", "data"), xytext=(2, 0), textcoords="offset points", ha="left",
                      va="center", fontsize=6)  # fmt: skip
    last = max([*weeks, 1])
    axes.set_xscale("function", functions=(_root, np.square))  # the weeks after the first treatments matter most
    axes.set_xlim(0, last * 1.05 or 1)
    counts = dict(periods.select("to_week", "n").iter_rows())
    ticks = [week for week in _WEEKS if week in counts]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.set_xticklabels([f"{_week(week)}\n{counts[week]}" for week in ticks], fontsize=6.5)
    axes.tick_params(axis="y", labelsize=6.5)
    if panel.log:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title(f"{panel.title} ({panel.unit})" if panel.unit else panel.title, loc="left", fontsize=8)


def _root(weeks: Any) -> Any:
    return np.sqrt(np.maximum(weeks, 0))


def _told(panel: Panel, least: int) -> str:
    known = panel.periods.filter(pl.col("n") >= least)
    if known.is_empty():
        return t("{title}: too few values.", title=panel.title)
    first, last = known.row(0, named=True), known.row(-1, named=True)
    return t(
        "{title}: median {start} {unit} at week {from_week} (n = {n}), {end} {unit} in the period up to week {week} "
        "(n = {n_end}).",
        title=panel.title, unit=panel.unit, start=f"{first['median']:.3g}", end=f"{last['median']:.3g}",
        from_week=first["to_week"], n=first["n"], week=last["to_week"], n_end=last["n"],
    )  # fmt: skip


def _week(week: int) -> str:
    return t("base") if week == 0 else str(week)


def _listed(table: dict[tuple[int, str], int], week: int, levels: Sequence[str]) -> str:
    return ", ".join(f"{level}: {table.get((week, level), 0)}" for level in levels)
