"""Toxicity over time, and the course of each subject on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from safety_monitor.reporting.figures.theme import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    THEME,
    VERMILION,
    Figure,
    axes_of,
    render,
)
from safety_monitor.reporting.wording import t

MONTH = 30.4375  # days, a twelfth of the Julian year
#: Grades from the axis up: columns that are stacked, what they are, colour and hatch. Darker and denser is worse.
STACK = (
    (("g1",), "grade 1", "#EAF2F8", ""),
    (("g2",), "grade 2", SKY, "//"),
    (("g3",), "grade 3", ORANGE, "xx"),
    (("g4", "g5"), "grade 4–5", VERMILION, ""),
    (("gmiss",), "grade missing", "white", "---"),
)
#: Drug components from the top of a subject's bar down: colour and dash.
LANES: tuple[tuple[str, Any], ...] = ((BLUE, "solid"), (GREEN, "solid"), (PURPLE, (0, (3, 1))), (ORANGE, (0, (1, 1))))
SINGLE_DAYS = 1  # a stretch of no more nights than this is drawn as one administration


def toxicity_over_time(periods: pl.DataFrame, period_days: int) -> Figure:
    """*periods*: rows of the table ``toxicity_over_time``; stacked bars of the worst grade going on in each."""
    with plt.rc_context(THEME):
        figure, axes = axes_of(6.3, 2.4)
        places, n = periods["period"].to_numpy(), periods["n_observed"].to_numpy()
        below = np.zeros(len(places))
        handles = []
        for columns, says, colour, hatch in STACK:
            share = 100 * sum(periods[column].to_numpy() for column in columns) / n
            if columns == ("gmiss",) and not share.any():
                continue
            look: dict[str, Any] = {"facecolor": colour, "edgecolor": INK, "linewidth": 0.5, "hatch": hatch}
            axes.bar(places, share, bottom=below, width=0.86, **look)
            handles.append(Patch(label=t(says), **look))
            below = below + share
        axes.set_xlim(places[0] - 0.6, places[-1] + 0.6)
        axes.set_ylim(0, 100)
        step = 1 if len(places) <= 18 else 2
        axes.set_xticks(places[::step], [f"{p}\n{k}" for p, k in zip(places[::step], n[::step], strict=True)], fontsize=7.5)
        axes.tick_params(axis="x", length=0)
        says = t("Period of {days} days from first treatment; below it: subjects under observation (n)", days=period_days)
        axes.set_xlabel(says)
        axes.set_ylabel(t("Subjects under observation (%)"))
        axes.legend(
            handles=handles[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7.5, handlelength=1.6,
            title=t("worst going on"), title_fontsize=7.5, alignment="left",
        )  # fmt: skip
        said = "; ".join(
            f"{row['period']}: {row['ge1_pct']:.0f} %, {row['ge3_pct']:.0f} % (n = {row['n_observed']})"
            for row in periods.head(6).iter_rows(named=True)
        )
        alt = t(
            "Share with an event going on, and of grade 3 or worse, by period of {days} days: {said}.",
            days=period_days, said=said,
        )  # fmt: skip
        return render(figure, alt)


def swimmer(courses: pl.DataFrame, drugs: Sequence[str], last_day: int) -> Figure:
    """*courses*: rows of the table ``courses`` for the subjects of one page, in its order; ``drugs``: components given as drugs;
    ``last_day``: where the axis ends, the same on every page.
    """
    names = courses["USUBJID"].unique(maintain_order=True).to_list()
    place = {name: len(names) - 1 - row for row, name in enumerate(names)}
    lanes = {drug: LANES[number % len(LANES)] for number, drug in enumerate(drugs)}
    offsets = {drug: 0.24 - number * 0.42 / max(len(drugs) - 1, 1) for number, drug in enumerate(drugs)}
    with plt.rc_context(THEME):
        figure, axes = axes_of(6.6, 0.9 + 0.165 * len(names))
        first, last = (courses["from_day"] - 1) / MONTH, courses["to_day"] / MONTH
        drawn = courses.with_columns(first=first, last=last, y=courses["USUBJID"].replace_strict(place, return_dtype=pl.Float64))
        seen = drawn.filter(kind="observed")
        axes.barh(seen["y"], seen["last"] - seen["first"], left=seen["first"], height=0.72, color="#E9EDF1", edgecolor="#B8C0C9",
                  linewidth=0.4)  # fmt: skip
        single = pl.col("to_day") - pl.col("from_day") <= SINGLE_DAYS
        for drug, (colour, dash) in lanes.items():
            doses = drawn.filter(kind="dose", component=drug).with_columns(pl.col("y") + offsets[drug])
            days, stretches = doses.filter(single), doses.filter(~single)
            axes.plot(days["first"], days["y"], linestyle="none", marker="|", color=colour, markersize=3.6, markeredgewidth=1.1)
            axes.hlines(stretches["y"], stretches["first"], stretches["last"], color=colour, linestyle=dash, linewidth=1.5)
        for kind, look in _marks().items():
            rows = courses.filter(kind=kind)
            x = rows["to_day"].to_numpy() / MONTH + (0.012 * last_day / MONTH if kind == "ongoing" else 0)
            axes.plot(x, [place[name] for name in rows["USUBJID"]], linestyle="none", clip_on=False, zorder=4, **look)
        axes.set_yticks(range(len(names)), [short(name) for name in reversed(names)], fontsize=6.8)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.7, len(names) - 0.3)
        axes.set_xlim(-0.008 * last_day / MONTH, last_day / MONTH * 1.03)
        axes.set_xlabel(t("Months from first treatment; subjects on this page (n = {n})", n=len(names)))
        _legend(axes, lanes, courses)
        counts = {kind: courses.filter(kind=kind).height for kind in ("serious", "high_grade", "death", "ongoing")}
        alt = t(
            "Courses of {n} subjects, longest under observation first. Serious events: {serious}; other events of grade 3 or "
            "worse: {high_grade}; deaths: {death}; still under observation: {ongoing}.",
            n=len(names), **counts,
        )  # fmt: skip
        return render(figure, alt)


def short(name: str) -> str:
    """The part of a subject's name that tells it from others of the study.

    >>> short("HCC-SIM-01-02-017"), short("S-7")
    ('02-017', 'S-7')
    """
    return "-".join(name.split("-")[-2:])


def _marks() -> dict[str, dict[str, Any]]:
    white: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.4}
    return {
        "procedure": {"marker": "^", "color": INK, "markersize": 5, **white},
        "high_grade": {"marker": "o", "color": "white", "markersize": 4.4, "markeredgecolor": VERMILION, "markeredgewidth": 1.2},
        "serious": {"marker": "D", "color": VERMILION, "markersize": 5, **white},
        "death": {"marker": "X", "color": "black", "markersize": 6.5, **white},
        "ongoing": {"marker": ">", "color": "#5B6570", "markersize": 4.5, "markeredgewidth": 0},
    }


def _legend(axes: Axes, lanes: dict[str, tuple[str, Any]], courses: pl.DataFrame) -> None:
    """Above the plot: what was given, drawn as it mostly was, and what happened."""
    given = []
    for drug, (colour, dash) in lanes.items():
        nights = courses.filter(kind="dose", component=drug).select((pl.col("to_day") - pl.col("from_day")).median()).item()
        ticked: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 6, "markeredgewidth": 1.4}
        drawn = ticked if nights is not None and nights <= SINGLE_DAYS else {"linestyle": dash, "linewidth": 1.8}
        given.append(Line2D([], [], color=colour, label=drug, **drawn))
    says = {
        "procedure": t("procedure"), "serious": t("serious event"), "high_grade": t("other event of grade ≥ 3"),
        "death": t("death"), "ongoing": t("under observation at the cut-off"),
    }  # fmt: skip
    marks = [Line2D([], [], linestyle="none", label=says[kind], **look) for kind, look in _marks().items()]
    axes.legend(
        handles=[*given, *marks], loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4, frameon=False, fontsize=7.2,
        handlelength=1.8, columnspacing=1.4, borderaxespad=0.2,
    )  # fmt: skip
