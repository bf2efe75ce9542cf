"""How numbers and dates are printed in reports: one place, so that equal things look equal."""

from __future__ import annotations

from datetime import date

from safety_monitor.reporting.codelists import said
from safety_monitor.reporting.wording import catalogue, language, t

#: What stands where a value is not known. Never 0, never empty: a board must see that it is missing.
UNKNOWN = "–"


def count(value: int | float | None) -> str:
    """Whole numbers with a thin space between thousands.

    >>> count(12345), count(None)
    ('12\\u202f345', '–')
    """
    return UNKNOWN if value is None else f"{int(value):,}".replace(",", "\u202f")


def percent(value: float | None, digits: int = 1) -> str:
    """A percentage without its sign; the column header carries it.

    >>> percent(36.111111), percent(100.0), percent(None)
    ('36.1', '100.0', '–')
    """
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def n_percent(n: int | None, percentage: float | None) -> str:
    """A count with its share.

    >>> n_percent(13, 36.1111), n_percent(0, 0.0)
    ('13 (36.1)', '0')
    """
    if n is None:
        return UNKNOWN
    return count(n) if n == 0 else f"{count(n)} ({percent(percentage)})"


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """A confidence interval.

    >>> interval(20.8222, 53.779)
    '20.8–53.8'
    """
    if low is None or high is None:
        return UNKNOWN
    return f"{low:.{digits}f}–{high:.{digits}f}"


def number(value: float | None, digits: int = 1) -> str:
    return UNKNOWN if value is None else f"{value:,.{digits}f}".replace(",", "\u202f")


def day(value: date | None) -> str:
    """A date as people of every country read it.

    >>> day(date(2026, 6, 30))
    '30 Jun 2026'
    """
    if value is None:
        return UNKNOWN
    if language() == "zh":
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def text(value: object) -> str:
    return UNKNOWN if value is None or value == "" else str(value)


def coded(value: str | None) -> str:
    """A word of a list (class, outcome, action, level) in the reader's language; one that is on no list stays as reported.

    >>> coded("RECOVERED/RESOLVED"), coded("Vascular disorders"), coded(None)
    ('recovered/resolved', 'Vascular disorders', '–')
    """
    if not value:
        return UNKNOWN
    said = value.lower() if value.isupper() else value
    return catalogue(language()).get(said, said) if language() != "en" else said


def yes_no(value: bool | None) -> str:
    return UNKNOWN if value is None else t("yes" if value else "no")


FILTERS = {
    "count": count, "percent": percent, "n_percent": n_percent, "interval": interval, "number": number,
    "day": day, "text": text, "yes_no": yes_no,
    "coded": coded, "said": said,
}  # fmt: skip
