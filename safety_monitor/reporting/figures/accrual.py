"""Accrual against the plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from safety_monitor.reporting.figures.theme import BLUE, DASHED, GREY, THEME, VERMILION, Figure, axes_of, render
from safety_monitor.reporting.wording import t

_DOTTED = (0, (1, 1.6))


def accrual_steps(
    treated: Sequence[date], consented: Sequence[date], until: date, planned: int | None = None,
    span: tuple[date, date] | None = None,
) -> Figure:  # fmt: skip
    """Subjects treated and consented so far, by day; *planned*: how many in all, *span*: the days they are planned over."""
    with plt.rc_context(THEME):
        figure, drawn = axes_of(6.3, 3.0)
        axes: Any = drawn  # matplotlib draws dates, its types do not know it
        dates: Any = mdates
        days = [*treated, *consented, until]
        start = min([*days, *(span or ())])
        end = max(until, span[1]) if span else until
        top = max(len(treated), len(consented), planned or 0, 1)
        ends: list[tuple[float, str, str]] = []
        if consented:
            axes.step(*_steps(consented, start, until), where="post", color=GREY, linestyle=DASHED, linewidth=1.1)
            ends.append((len(consented), t("screened: {n}", n=len(consented)), GREY))
        axes.step(*_steps(treated, start, until), where="post", color=BLUE, linewidth=1.9)
        ends.append((len(treated), t("treated: {n}", n=len(treated)), BLUE))
        if planned and span:
            axes.plot(list(span), [0, planned], color=VERMILION, linestyle=_DOTTED, linewidth=1.4)
            if end > span[1]:
                axes.plot([span[1], end], [planned, planned], color=VERMILION, linestyle=_DOTTED, linewidth=1.4)
            ends.append((planned, t("planned: {n}", n=planned), VERMILION))
        elif planned:
            axes.axhline(planned, color=VERMILION, linestyle=_DOTTED, linewidth=1.4)
            ends.append((planned, t("planned: {n}", n=planned), VERMILION))
        for height, text, colour in _apart(ends, 0.075 * top):
            axes.annotate(text, (1, height), xycoords=("axes fraction", "data"), xytext=(5, 0), textcoords="offset points",
                          va="center", color=colour, fontsize=8)  # fmt: skip
        if end > until:
            axes.axvline(until, color=GREY, linewidth=0.7)
            axes.annotate(t("cut-off"), (until, 0), xytext=(3, 4), textcoords="offset points", color=GREY, fontsize=7.5)
        axes.set_xlim(start, max(end, start + timedelta(days=1)))  # a trial of one day has a width
        axes.set_ylim(0, top * 1.08)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        locator = dates.AutoDateLocator(minticks=4, maxticks=8)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.DateFormatter("%Y-%m"))
        axes.set_xlabel(t("Date (year and month)"))
        axes.set_ylabel(t("Subjects, cumulative (n)"))
        axes.grid(axis="y", color="#E3E6EA", linewidth=0.6)
        axes.set_axisbelow(True)
        alt = t("Accrual by {day}: {treated} treated and {screened} screened.", day=until.isoformat(), treated=len(treated),
                screened=len(consented))  # fmt: skip
        if planned:
            alt += " " + t("Planned in all: {n}.", n=planned)
        return render(figure, alt)


def _steps(days: Sequence[date], start: date, until: date) -> Any:
    ordered = sorted(day for day in days if day <= until)
    return [start, *ordered, until], [*range(len(ordered) + 1), len(ordered)]


def _apart(labels: Sequence[tuple[float, str, str]], least: float) -> list[tuple[float, str, str]]:
    """The labels moved up until none covers another."""
    placed: list[tuple[float, str, str]] = []
    for height, text, colour in sorted(labels):
        lowest = placed[-1][0] + least if placed else height
        placed.append((max(height, lowest), text, colour))
    return placed
