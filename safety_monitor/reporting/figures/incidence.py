"""Cumulative incidence of a first event, with numbers at risk."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from safety_monitor.reporting.figures.theme import BLUE, GREY, THEME, Figure, axes_of, render
from safety_monitor.reporting.wording import t
from safety_monitor.stats.competing import EVENT, NOTHING_YET, Point, aalen_johansen, point_at

MONTH = 30.4375  # days, a twelfth of the Julian year


def cumulative_incidence(times: Sequence[int], status: Sequence[int], event_label: str) -> Figure:
    """*times* in days from first treatment, *status* 0 censored, 1 event, 2 death first; 1 - KM is not drawn, it overstates."""
    curve = aalen_johansen(times, status)
    with plt.rc_context(THEME):
        figure, axes = axes_of(6.3, 2.05)
        last = max(times)
        points = [NOTHING_YET, *curve]
        days = np.array([*(p.time for p in points), last]) / MONTH
        middle = _percent([p.incidence for p in points])
        lower = _percent([p.incidence if p.lower is None else p.lower for p in points])
        upper = _percent([p.incidence if p.upper is None else p.upper for p in points])
        axes.fill_between(days, lower, upper, step="post", facecolor="#D6E6F2", edgecolor=GREY, linewidth=0.4)
        axes.step(days, middle, where="post", color=BLUE)
        n_events = sum(state == EVENT for state in status)
        axes.annotate(
            f"{middle[-1]:.0f} %", (days[-1], middle[-1]), xytext=(4, 0), textcoords="offset points", color=BLUE, va="center",
            annotation_clip=False,
        )  # fmt: skip
        step = next(months for months in (1, 2, 3, 6, 12, 24) if last / MONTH / months <= 9)
        ticks = np.arange(0, last / MONTH + 1e-9, step)
        at_risk = [sum(time >= max(tick * MONTH, 1) for time in times) for tick in ticks]
        axes.set_xticks(ticks)
        axes.set_xlim(0, last / MONTH * 1.005 or 1)
        axes.set_ylim(0, min(100, max(20.0, float(upper.max()) * 1.08)))
        axes.set_ylabel(t("Subjects with the event (%)"))
        says = t("Months from first treatment (N = {n}; subjects with the event: {events})", n=len(times), events=n_events)
        axes.set_xlabel(says)
        for tick, n in zip(ticks, at_risk, strict=True):
            axes.annotate(
                str(n), (tick, 0), xycoords=("data", "axes fraction"), xytext=(0, -38), textcoords="offset points", ha="center",
                fontsize=7.5, annotation_clip=False,
            )  # fmt: skip
        axes.annotate(
            t("at risk (n)"), (0, 0), xycoords="axes fraction", xytext=(-14, -38), textcoords="offset points", ha="right",
            fontsize=7.5, annotation_clip=False,
        )  # fmt: skip
        said = "; ".join(_said(curve, months) for months in (3, 6, 12) if last >= months * MONTH)
        alt = t(
            "Cumulative incidence, death competing: {event}, N = {n}. By month: {said}.",
            event=event_label, n=len(times), said=said,
        )  # fmt: skip
        return render(figure, alt)


def _percent(values: Sequence[float]) -> NDArray[np.float64]:
    return 100 * np.array([*values, values[-1]])  # the last value holds until the end of observation


def _said(curve: Sequence[Point], months: int) -> str:
    point = point_at(curve, round(months * MONTH))
    limits = "" if point.lower is None or point.upper is None else f" ({100 * point.lower:.1f}–{100 * point.upper:.1f})"
    return f"{months}: {100 * point.incidence:.1f} %{limits}"
