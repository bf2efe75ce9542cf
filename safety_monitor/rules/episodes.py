"""Episodes of results: when a series of graded results becomes one adverse event, how bad it was and how it ended.

The rules are those of ``docs/events.md``, in its numbering; the protocol's ``gap_days`` and treatment window come from the
study. Columns of days, sorted once by subject, term and day, then one pass each: ten thousand subjects take seconds.

>>> from datetime import date
>>> series = pl.DataFrame({"usubjid": ["01"] * 4, "term": ["Anemia"] * 4, "on": [date(2026, 3, day) for day in (1, 8, 15, 22)],
...                        "grade": [0, 1, 3, 0], "is_baseline": [True, False, False, False]})
>>> people = pl.DataFrame({"usubjid": ["01"], "first_treatment_on": [date(2026, 3, 2)], "last_treatment_on": [None],
...                        "death_on": [None]}, schema_overrides={"last_treatment_on": pl.Date, "death_on": pl.Date})
>>> episodes(series, people, gap_days=63, days_after_last=30).select("onset_on", "worst_grade", "ended", "resolved_on").row(0)
(datetime.date(2026, 3, 8), 3, 'resolved', datetime.date(2026, 3, 22))
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from safety_monitor.vocabulary import EpisodeEnd

CHANGE = pl.Struct({"on": pl.Date, "grade": pl.Int64})
EPISODE: dict[str, Any] = {
    "usubjid": pl.String, "term": pl.String, "onset_on": pl.Date, "onset_grade": pl.Int64, "worst_grade": pl.Int64,
    "worst_on": pl.Date, "last_on": pl.Date, "n_results": pl.Int64, "baseline_grade": pl.Int64, "baseline_unknown": pl.Boolean,
    "ended": pl.String, "resolved_on": pl.Date, "emergent_on": pl.Date, "changes": pl.List(CHANGE),
}  # fmt: skip
_DAY_BITS = 20  # a day since 1970, shifted to be positive, fits: a subject, a term and a day are one number
_NEVER = 1 << (_DAY_BITS - 1)  # later than any day; its negative, earlier
_ENDS = (EpisodeEnd.RESOLVED, EpisodeEnd.GAP, EpisodeEnd.ONGOING_AT_DEATH, EpisodeEnd.ONGOING)


def episodes(series: pl.DataFrame, people: pl.DataFrame, *, gap_days: int, days_after_last: int) -> pl.DataFrame:
    """The episodes of *series*, sorted by subject, term and onset; columns as ``EPISODE``.

    *series*: ``usubjid term on grade is_baseline``, a row per result and term, in any order; a null grade is one that could
    not be given. *people*: ``usubjid first_treatment_on last_treatment_on death_on``, one row a subject.
    """
    graded = series.select("usubjid", "term", "on", "grade", "is_baseline").drop_nulls(["usubjid", "term", "on", "grade"])
    if graded.is_empty():
        return pl.DataFrame(schema=EPISODE)
    who, subjects = _coded(graded["usubjid"])
    what, terms = _coded(graded["term"])
    packed = ((who * len(terms) + what) << _DAY_BITS) | (_days(graded["on"]) + _NEVER)
    order = np.argsort(packed, kind="stable")
    packed, grade = packed[order], graded["grade"].cast(pl.Int64).to_numpy()[order]
    key, day = packed >> _DAY_BITS, (packed & (2 * _NEVER - 1)) - _NEVER
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))  # of each series
    of = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(key))))
    subject, term = np.divmod(key[first], len(terms))
    began, ended, died = _treatment(people, subjects, days_after_last)

    # 3: the last baseline result
    flagged = np.flatnonzero(graded["is_baseline"].fill_null(False).to_numpy()[order])
    baseline, baseline_day = np.full(len(first), -1), np.full(len(first), -_NEVER)
    baseline[of[flagged]], baseline_day[of[flagged]] = grade[flagged], day[flagged]  # of several the last stays

    # 2: days, and 4: those that are worse
    start = np.flatnonzero(np.concatenate([[True], packed[1:] != packed[:-1]]))
    n_of_day, grade = np.diff(np.append(start, len(packed))), np.maximum.reduceat(grade, start)
    of, day = of[start], day[start]
    inside = day > baseline_day[of]
    of, day, grade, n_of_day = of[inside], day[inside], grade[inside], n_of_day[inside]
    worse = np.flatnonzero(grade > np.maximum(baseline, 0)[of])
    if not len(worse):
        return pl.DataFrame(schema=EPISODE)

    # 5: runs of neighbours that are near enough
    joined = np.diff(worse) == 1
    joined &= (np.diff(of[worse]) == 0) & (np.diff(day[worse]) <= gap_days)
    opening = np.flatnonzero(np.concatenate([[True], ~joined]))
    closing = worse[np.append(opening[1:], len(worse)) - 1]
    level, on, series_of = grade[worse], day[worse], of[worse]
    episode = np.repeat(np.arange(len(opening)), np.diff(np.append(opening, len(worse))))
    worst = np.maximum.reduceat(level, opening)
    at_worst = np.flatnonzero(level == worst[episode])
    _, firsts = np.unique(episode[at_worst], return_index=True)
    treated = on > began[subject][series_of]
    before = np.maximum.reduceat(np.where(treated, 0, level), opening)  # 8: what the episode had reached until treatment
    emerged = treated & (on <= ended[subject][series_of]) & (level > before[episode])
    emergent = np.minimum.reduceat(np.where(emerged, on, _NEVER), opening)
    changed = np.concatenate([[True], level[1:] != level[:-1]])
    changed[opening] = True

    # 7: what came after the last worse day
    own = series_of[opening]
    follows = np.minimum(closing + 1, len(of) - 1)
    has_next = (closing + 1 < len(of)) & (of[follows] == own)
    back = has_next & (grade[follows] <= np.maximum(baseline, 0)[own])
    end = np.select([back, has_next, died[subject[own]]], [0, 1, 2], 3)

    found = pl.DataFrame(
        {
            "usubjid": subjects.gather(subject[own]), "term": terms.gather(term[own]),
            "onset_on": _dates(on[opening]), "onset_grade": level[opening], "worst_grade": worst,
            "worst_on": _dates(on[at_worst[firsts]]), "last_on": _dates(day[closing]),
            "n_results": np.add.reduceat(n_of_day[worse], opening),
            "baseline_grade": pl.Series(np.where(baseline[own] < 0, 0, baseline[own])),
            "baseline_unknown": baseline[own] < 0,
            "ended": pl.Series([each.value for each in _ENDS]).gather(end),
            "resolved_on": _dates(np.where(back, day[follows], _NEVER)), "emergent_on": _dates(emergent),
        }
    ).with_columns(pl.when(~pl.col("baseline_unknown")).then("baseline_grade").alias("baseline_grade"))  # fmt: skip
    changes = pl.DataFrame({"episode": episode[changed], "on": _dates(on[changed]), "grade": level[changed]})
    listed = changes.group_by("episode", maintain_order=True).agg(pl.struct("on", "grade").alias("changes"))
    columns = [pl.col(name).cast(kind) for name, kind in EPISODE.items()]
    return found.with_columns(listed["changes"]).select(columns).sort("usubjid", "term", "onset_on")


def _coded(words: pl.Series) -> tuple[Any, pl.Series]:
    """For each word its number (int64), and the words by number."""
    distinct = words.cast(pl.String).unique().sort()
    kind = pl.Enum(distinct)
    return words.cast(pl.String).cast(kind).to_physical().to_numpy().astype(np.int64), distinct


def _days(dates: pl.Series) -> Any:
    return dates.cast(pl.Date).to_physical().to_numpy().astype(np.int64)


def _dates(days: Any) -> pl.Series:
    """Days since 1970 as dates, null for ``_NEVER``."""
    whole = pl.Series(days.astype(np.int32))
    return pl.select(pl.when(whole < _NEVER).then(whole).cast(pl.Date)).to_series()


def _treatment(people: pl.DataFrame, subjects: pl.Series, days_after_last: int) -> tuple[Any, Any, Any]:
    """By number of subject: day of first treatment (never where there was none), end of the window, whether dead."""
    known = pl.DataFrame({"usubjid": subjects}).join(people, on="usubjid", how="left", maintain_order="left")
    began, last = (known[name].cast(pl.Date).to_physical().cast(pl.Int64) for name in ("first_treatment_on", "last_treatment_on"))
    return (
        began.fill_null(_NEVER).to_numpy(),
        (last + days_after_last).fill_null(_NEVER).to_numpy(),
        known["death_on"].is_not_null().to_numpy(),
    )
