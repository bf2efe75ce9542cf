"""The updated RUCAM of 2016, in its forms for hepatocellular and for cholestatic or mixed liver injury.

The form follows R = (ALT / ULN) / (ALP / ULN). In a diseased liver the baseline is not the upper limit: the course may be
read against the subject's own baseline instead, and the result says so.

>>> r_ratio(alt_x_uln=10.0, alp_x_uln=1.0), rucam_form(10.0), rucam_form(1.5), rucam_form(3.0)
(10.0, 'hepatocellular', 'cholestatic', 'cholestatic')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from safety_monitor.attribution.instruments.items import UNKNOWN, Answered, Result, score, tables

FORMS = ("hepatocellular", "cholestatic")


def r_ratio(*, alt_x_uln: float, alp_x_uln: float) -> float:
    """ALT over ALP, each in multiples of its upper limit. ValueError unless both are above zero."""
    if alt_x_uln <= 0 or alp_x_uln <= 0:
        raise ValueError(f"ALT {alt_x_uln} and ALP {alp_x_uln} × ULN: both must be above zero")
    return alt_x_uln / alp_x_uln


def rucam_form(r: float) -> str:
    """Which form a ratio asks for; mixed injury (2 < R < 5) goes by the cholestatic one."""
    return "hepatocellular" if r >= tables()["rucam"]["r_hepatocellular"] else "cholestatic"


def rucam(form: str, answers: Mapping[str, str | Answered], notes: Sequence[str] = ()) -> Result:
    """*answers* by item of the *form*; highly probable, probable, possible, unlikely or excluded."""
    if form not in FORMS:
        raise ValueError(f"RUCAM has no form {form!r}; use one of {', '.join(FORMS)}")
    table = tables()["rucam"]
    return score(f"RUCAM {form}", table[form], table["categories"], answers, notes)


def onset_answer(
    form: str, *, days_from_start: float | None, days_from_stop: float | None, later_treatment: bool = False
) -> str:
    """The answer to the onset item. Days from the last dose count only where the drug was stopped before the onset."""
    days = tables()["rucam"]["days"][form]
    if days_from_start is None:
        return UNKNOWN
    if days_from_start < 0:
        return "incompatible"
    if days_from_stop is not None and days_from_stop > 0:
        return "after_stop" if days_from_stop <= days["after_stop"] else "incompatible"
    first, last = days["later" if later_treatment else "first"]
    return "suggestive" if first <= days_from_start <= last else "compatible"


def course_answer(form: str, series: Sequence[tuple[float, float]], *, stopped_on: float | None, reference: float = 1.0) -> str:
    """The answer to the course item from *series*: (day, multiple of ULN) of ALT, or of ALP for the cholestatic form.

    The fall is that of the peak's excess over *reference* (1: the upper limit; a diseased liver: the own baseline).
    """
    rule = tables()["rucam"]["course"]
    if stopped_on is None:
        return "continued"
    peak = max((value for day, value in series if day <= stopped_on), default=None)
    later = sorted((day, value) for day, value in series if day > stopped_on)
    if peak is None or peak <= reference or not later:
        return UNKNOWN
    falls = [(day - stopped_on, (peak - value) / (peak - reference)) for day, value in later]
    half = next((days for days, fall in falls if fall >= rule["half"]), None)
    if form == "hepatocellular":
        soon, month = rule["hepatocellular_days"]
        if half is not None and half <= soon:
            return "fall_half_8_days"
        if half is not None and half <= month:
            return "fall_half_30_days"
        if falls[-1][0] <= month:
            return UNKNOWN  # not followed for long enough
        return "fall_half_later" if half is not None else "no_fall"
    if half is not None and half <= rule["cholestatic_days"]:
        return "fall_half_180_days"
    return "fall_less" if any(fall > 0 for _, fall in falls) else "no_fall"


def alternatives_answer(excluded: Mapping[str, bool | None], *, highly_probable: bool = False) -> str:
    """The answer to the item of other causes. *excluded*: per cause of the two groups True (searched and excluded), False
    (found) or None (not searched). A cause that was found makes another explanation highly probable."""
    groups = tables()["rucam"]["groups"]
    known = {*groups["one"], *groups["two"]}
    if strange := sorted(set(excluded) - known):
        raise ValueError(f"no such cause: {', '.join(strange)}; known are {', '.join(sorted(known))}")
    if highly_probable or any(found is False for found in excluded.values()):
        return "highly_probable"
    one = sum(excluded.get(name) is True for name in groups["one"])
    two = sum(excluded.get(name) is True for name in groups["two"])
    if one == len(groups["one"]):
        return "all_excluded" if two == len(groups["two"]) else "group_one_excluded"
    return "five_or_six_excluded" if one >= groups["from_five"] else "fewer_excluded"
