"""Who is in the trial and how it is run: numbers worked by hand, and laws that hold of any trial."""

from __future__ import annotations

import importlib
import re
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from safety_monitor.records import Snapshot
from safety_monitor.reporting import figures
from safety_monitor.reporting.codelists import CONDUCT
from safety_monitor.reporting.figures.accrual import accrual_steps
from safety_monitor.reporting.render import environment
from safety_monitor.reporting.sections import Material
from safety_monitor.reporting.tables import all_tables
from safety_monitor.reporting.tables.accrual import expected_by
from safety_monitor.reporting.wording import catalogue, speaking, t
from safety_monitor.stats.incidence import funnel_limits
from safety_monitor.study import Accrual, StudySettings

DAY = date(2025, 3, 1)
CUTOFF = date(2025, 12, 31)
SETTINGS: dict[str, Any] = {
    "study": {"id": "S"},
    "accrual": {"planned": 10, "begins": date(2025, 1, 1), "ends": date(2026, 1, 1)},
    "components": [
        {"name": "ablation", "kind": "procedure", "match": ["MWA"]},
        {"name": "lenvatinib", "profile": "lenvatinib", "match": ["LENVATINIB"]},
        {"name": "pd1", "profile": "pd1", "match": ["SINTILIMAB"]},
    ],
}
SUBJECT = {
    "usubjid": pl.String, "siteid": pl.String, "country": pl.String, "age": pl.Float64, "sex": pl.String, "race": pl.String,
    "arm": pl.String, "consented_on": pl.Date, "treated": pl.Boolean, "first_treatment_on": pl.Date,
    "last_treatment_on": pl.Date, "dthfl": pl.Boolean, "death_on": pl.Date,
}  # fmt: skip
GIVEN = {
    "usubjid": pl.String, "domain": pl.String, "seq": pl.Int64, "treatment": pl.String, "component": pl.String,
    "dose": pl.Float64, "unit": pl.String, "frequency": pl.String, "location": pl.String, "start_on": pl.Date,
    "end_on": pl.Date, "end_is_stated": pl.Boolean,
}  # fmt: skip
EVENT = {
    **dict.fromkeys(("usubjid", "siteid", "aeterm", "aedecod", "aebodsys", "aerel", "aeacn", "aeout", "aestdtc", "aeendtc",
                     "leading"), pl.String),
    **dict.fromkeys(("aeser", "aesdth", "aeslife", "aeshosp", "aesdisab", "aescong", "aesmie", "immune", "treatment_emergent",
                     "serious", "serious_as_flagged", "related", "fatal", "treated"), pl.Boolean),
    "aeseq": pl.Int64, "grade": pl.Int64, "n_queries": pl.Int64, "onset_on": pl.Date,
}  # fmt: skip
ENDED = {"usubjid": pl.String, "dsdecod": pl.String, "dsterm": pl.String, "dscat": pl.String, "on": pl.Date}
QUERY = dict.fromkeys(("usubjid", "siteid", "about", "check_id", "owner", "text"), pl.String) | {
    "aeseq": pl.Int64, "opened_on": pl.Date,
}  # fmt: skip


def framed(rows: list[dict[str, Any]], schema: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def person(number: int, **differs: Any) -> dict[str, Any]:
    plain = {
        "usubjid": f"S-{number}",
        "siteid": "01",
        "treated": True,
        "dthfl": False,
        "consented_on": DAY,
        "sex": "M",
        "age": 60.0,
    }
    treated = {"first_treatment_on": DAY, "last_treatment_on": DAY + timedelta(days=99)} if differs.get("treated", True) else {}
    return plain | treated | differs


def dose(number: int, start: int, end: int, mg: float, drug: str = "LENVATINIB", **differs: Any) -> dict[str, Any]:
    component = {"LENVATINIB": "lenvatinib", "SINTILIMAB": "pd1"}[drug]
    return {
        "usubjid": f"S-{number}", "domain": "EX", "treatment": drug, "component": component, "dose": mg, "unit": "mg",
        "frequency": "QD" if component == "lenvatinib" else "Q3W", "start_on": DAY + timedelta(days=start),
        "end_on": DAY + timedelta(days=end), "end_is_stated": True, "seq": start, **differs,
    }  # fmt: skip


def session(number: int, on: int, where: str | None = "LIVER") -> dict[str, Any]:
    day = DAY + timedelta(days=on)
    return {"usubjid": f"S-{number}", "domain": "PR", "treatment": "MWA", "component": "ablation", "location": where,
            "start_on": day, "end_on": day, "end_is_stated": True, "seq": on}  # fmt: skip


def trial(
    people: list[dict[str, Any]], cutoff: date | None = CUTOFF, configured: dict[str, Any] | None = None, **frames: Any
) -> Snapshot:
    content = {
        "subjects": framed(people, SUBJECT),
        "events": framed([{"treated": True, "treatment_emergent": True} | event for event in frames.pop("events", [])], EVENT),
        "exposures": framed(frames.pop("exposures", []), GIVEN), "queries": framed(frames.pop("queries", []), QUERY),
    }  # fmt: skip
    if "dispositions" in frames:
        content["dispositions"] = framed(frames.pop("dispositions"), ENDED)
    content |= {name: pl.DataFrame(rows) for name, rows in frames.items()}
    raw = StudySettings.of(configured or SETTINGS).model_dump(mode="json")
    return Snapshot(raw, cutoff, content, {"software": "0", "dictionary": "v4.03"})


def end(number: int, reason: str, day: int = 50, category: str | None = "DISPOSITION EVENT") -> dict[str, Any]:
    return {"usubjid": f"S-{number}", "dsdecod": reason, "dsterm": reason, "dscat": category, "on": DAY + timedelta(days=day)}


# -- accrual ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2025, 1, 1), 0.0),
        (date(2024, 6, 1), 0.0),
        (date(2026, 1, 1), 10.0),
        (date(2027, 1, 1), 10.0),
        (date(2025, 3, 15), 2.0),
    ],
)
def test_expected_accrual_is_a_straight_line(on: date, expected: float) -> None:
    """73 of 365 days are a fifth of the ten planned."""
    planned = Accrual(planned=10, begins=date(2025, 1, 1), ends=date(2026, 1, 1))
    assert expected_by(planned, on) == pytest.approx(expected)


def test_nothing_is_expected_without_dates() -> None:
    assert expected_by(Accrual(planned=10), DAY) is None


@pytest.mark.parametrize("dates", [{"begins": DAY}, {"ends": DAY}, {"begins": DAY, "ends": DAY}])
def test_planned_dates_come_in_pairs_and_in_order(dates: dict[str, date]) -> None:
    with pytest.raises(ValueError, match="begins and ends"):
        Accrual(planned=10, **dates)


# -- disposition -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "records", "state", "reason"),
    [
        (person(0), [], "going on", None),
        (person(0), [end(0, "ONGOING")], "going on", None),
        (person(0), [end(0, "INFORMED CONSENT OBTAINED", 0, "PROTOCOL MILESTONE")], "going on", None),
        (person(0), [end(0, "Progressive Disease")], "ended", "PROGRESSIVE DISEASE"),
        (person(0), [end(0, "ADVERSE EVENT", 40), end(0, "DEATH", 60, "OTHER EVENT")], "ended", "ADVERSE EVENT"),
        (person(0, dthfl=True, death_on=DAY), [end(0, "ONGOING")], "ended", "DEATH"),
        (person(0, treated=False), [end(0, "SCREEN FAILURE")], "screening failure", "SCREEN FAILURE"),
        (person(0, treated=False, arm="Screen Failure"), [], "screening failure", "SCREEN FAILURE"),
        (person(0, treated=False), [end(0, "WITHDRAWAL BY SUBJECT")], "not treated", "WITHDRAWAL BY SUBJECT"),
        (person(0, treated=False), [], "not treated", None),
    ],
)
def test_each_subject_has_one_state(subject: dict[str, Any], records: list[Any], state: str, reason: str | None) -> None:
    tables = all_tables(trial([subject], dispositions=records))
    flow = {(row["row"], row["reason"]): row["n"] for row in tables["disposition"].frame.to_dicts()}
    (site, _) = tables["disposition_sites"].frame.to_dicts()
    column = {"screening failure": "screen_failures", "not treated": "not_treated", "going on": "going_on", "ended": "ended"}
    assert {name: site[name] for name in column.values()} == {name: int(name == column[state]) for name in column.values()}
    heading = {"ended": "Treatment ended", "going on": "Treatment going on, or no end on record"}.get(state, "Not treated")
    assert flow[heading, None] == 1
    if state != "going on":
        assert flow[heading, reason or "Not stated"] == 1


def test_overdue_items_wait_for_their_days() -> None:
    def event(number: int, before: int, **differs: Any) -> dict[str, Any]:
        on = CUTOFF - timedelta(days=before)
        full = {
            "aestdtc": on.isoformat(),
            "aeendtc": on.isoformat(),
            "grade": 1,
            "aerel": "Y",
            "aeout": "RECOVERED/RESOLVED",
            "aedecod": "Rash",
        }
        return {"usubjid": "S-0", "aeseq": number, "onset_on": on, "serious": False, "treated": True, **full, **differs}

    events = [
        event(1, 6, grade=None), event(2, 7, grade=None), event(3, 30, aerel=None, aedecod="[not coded] itch"),
        event(4, 59, aeendtc=None), event(5, 60, aeendtc=None), event(6, 90, aeendtc=None, aeout="NOT RECOVERED/NOT RESOLVED"),
        event(7, 20, aestdtc="2025-12"),
    ]  # fmt: skip
    frame = all_tables(trial([person(0)], events=events))["overdue"].frame
    assert dict(frame.filter(SITEID="ALL").select("item", "records").iter_rows()) == {
        "Grade missing": 1, "Relationship missing": 1, "Coding missing": 1, "Outcome missing": 0,
        "Start date missing or partial": 1, "End date missing": 1,
    }  # fmt: skip


# -- baseline --------------------------------------------------------------------------------------------------


def levels(snapshot: Snapshot, variable: str) -> dict[str, int | None]:
    frame = all_tables(snapshot)["baseline"].frame
    return dict(frame.filter(variable=variable).select("level", "n").iter_rows())


def test_what_was_not_collected_is_not_zero() -> None:
    snapshot = trial([person(0)])
    for variable in ("BCLC stage", "Chronic hepatitis B", "Body weight (kg)", "ALBI grade"):
        assert levels(snapshot, variable) == {"Not collected": None}


def test_history_and_classes_from_every_domain() -> None:
    history = [
        {"USUBJID": "S-0", "MHTERM": "Chronic hepatitis B (HBV)", "MHSTDTC": "2010"},
        {"USUBJID": "S-0", "MHTERM": "Cirrhosis, Child-Pugh B", "MHSTDTC": "2015"},
        {"USUBJID": "S-1", "MHTERM": "Portal hypertension", "MHSTDTC": None},
        {"USUBJID": "S-1", "MHTERM": "Hepatitis B", "MHSTDTC": "2025-06-01"},  # began after first treatment
    ]
    characteristics = [{"USUBJID": "S-1", "SCTESTCD": "BCLC", "SCSTRESC": "c"}]
    snapshot = trial([person(0), person(1), person(2)], mh=history, sc=characteristics)
    assert levels(snapshot, "Chronic hepatitis B") == {"On record": 1, "No record": 1, "Missing": 1}
    assert levels(snapshot, "Hypertension") == {"On record": 0, "No record": 2, "Missing": 1}
    assert levels(snapshot, "Child-Pugh class, as reported") == {"B": 1, "Missing": 2}
    assert levels(snapshot, "BCLC stage") == {"C": 1, "Missing": 2}


def test_weight_is_the_flagged_value_in_kilograms() -> None:
    def weight(number: int, value: str, unit: str, day: str, flag: str | None) -> dict[str, str | None]:
        return {"USUBJID": f"S-{number}", "VSTESTCD": "WEIGHT", "VSSTRESN": value, "VSSTRESU": unit, "VSDTC": day, "VSBLFL": flag}

    vs = [
        weight(0, "70", "kg", "2025-02-20", "Y"), weight(0, "90", "kg", "2025-02-28", None),  # the flag wins
        weight(1, "100", "LB", "2025-02-20T08:00", None), weight(1, "1", "kg", "2025-05-01", None),  # before treatment
        weight(2, "60", "stone", "2025-02-20", "Y"),  # a unit that is not read is missing
    ]  # fmt: skip
    frame = all_tables(trial([person(k) for k in range(3)], vs=vs))["baseline"].frame
    (row,) = frame.filter(variable="Body weight (kg)", level="Median").to_dicts()
    assert (row["known"], row["min"], row["max"]) == (2, pytest.approx(45.359237), 70.0)
    assert frame.filter(variable="Body weight (kg)", level="Missing")["n"].to_list() == [1]


# -- exposure --------------------------------------------------------------------------------------------------

HEAVY = {"USUBJID": "S-0", "VSTESTCD": "WEIGHT", "VSSTRESN": "60", "VSSTRESU": "kg", "VSDTC": "2025-02-20", "VSBLFL": "Y"}


def course(exposures: list[dict[str, Any]], component: str = "lenvatinib", **frames: Any) -> dict[str, Any]:
    frame = all_tables(trial([person(0, last_treatment_on=CUTOFF)], exposures=exposures, **frames))["exposure_subjects"].frame
    (row,) = frame.filter(component=component).to_dicts()
    return row


def test_dose_intensity_holds_and_reductions_by_hand() -> None:
    """10 days of 12 mg, 5 days held, 5 of 8 mg: 160 mg in 20 days; 12 x 20 = 240 mg were intended at 60 kg."""
    row = course([dose(0, 0, 9, 12), dose(0, 15, 19, 8)], vs=[HEAVY])
    assert (row["days"], row["given"], row["cumulative"], row["per_day"]) == (20, 15, 160, 8)
    assert (row["intended_dose"], row["intended_from"]) == (12, "body weight")
    assert row["intensity_pct"] == pytest.approx(100 * 160 / 240)
    assert (row["held"], row["days_held"], row["reduced"], row["resumed"]) == (1, 5, 1, 1)


@pytest.mark.parametrize(
    ("kilograms", "intended", "source"), [("59.9", 8, "body weight"), ("60", 12, "body weight"), (None, 12, "first dose")]
)
def test_intended_dose_by_weight(kilograms: str | None, intended: float, source: str) -> None:
    row = course([dose(0, 0, 9, 12)], vs=[HEAVY | {"VSSTRESN": kilograms}])
    assert (row["intended_dose"], row["intended_from"]) == (intended, source)


def test_infusions_every_three_weeks() -> None:
    """Four infusions over 84 days where five were due: days 0, 21, 63 and 84; the third came 42 days after the second."""
    row = course([dose(0, day, day, 200, "SINTILIMAB") for day in (0, 21, 63, 84)], "pd1")
    assert (row["given"], row["cumulative"], row["days"]) == (4, 800, 85)
    assert row["intensity_pct"] == pytest.approx(80.0)
    assert (row["held"], row["days_held"], row["reduced"]) == (1, 21, 0)
    assert row["person_years"] == pytest.approx((85 + 20) / 365.25)


def test_zero_is_no_dose_and_an_unknown_dose_has_no_intensity() -> None:
    row = course([dose(0, 0, 4, 12), dose(0, 5, 9, 0), dose(0, 10, 14, 12)])
    assert (row["given"], row["held"]) == (10, 1)
    row = course([dose(0, 0, 4, 12), dose(0, 5, 9, 12, dose=None)])
    assert (row["given"], row["cumulative"], row["intensity_pct"]) == (10, None, None)


@pytest.mark.parametrize(
    ("last", "records", "state"),
    [(300, [], "going on"), (250, [], "ended alone"), (90, [end(0, "PROGRESSIVE DISEASE", 100)], "ended"),
     (20, [end(0, "PROGRESSIVE DISEASE", 100)], "ended alone")],
)  # fmt: skip
def test_what_became_of_a_component(last: int, records: list[Any], state: str) -> None:
    """The cut-off is day 305; 42 days without a dose end a component by itself."""
    assert course([dose(0, 0, last, 12)], dispositions=records)["state"] == state


def test_sessions_by_number_and_place() -> None:
    snapshot = trial([person(0), person(1)], exposures=[session(0, 0), session(0, 40, "LUNG"), session(1, 0, None)])
    rows = all_tables(snapshot)["exposure_components"].frame.filter(component="ablation")
    counts = {(row["row"], row["value"]): row["n"] for row in rows.to_dicts() if row["n"] is not None}
    assert counts == {
        ("Subjects given", None): 2, ("Sessions", "1"): 1, ("Sessions", "2"): 1, ("Location", "LIVER"): 1,
        ("Location", "LUNG"): 1, ("Location", "Not stated"): 1, ("Modality", "MWA"): 2,
    }  # fmt: skip
    assert rows.filter(row="Sessions").drop_nulls("total")["total"].to_list() == [3]


def test_dose_of_each_fourth_week() -> None:
    """Day 0: 12; 28: held; 56: 8; 84: 8; 112: ended, as the treatment was on day 100."""
    snapshot = trial([person(0)], cutoff=DAY + timedelta(days=115), exposures=[dose(0, 0, 20, 12), dose(0, 40, 95, 8)],
                     dispositions=[end(0, "ADVERSE EVENT", 100)])  # fmt: skip
    assert all_tables(snapshot)["dose_levels"].frame.select("week", "dose", "n").rows() == [
        (0, "12 mg", 1), (4, "held", 1), (8, "8 mg", 1), (12, "8 mg", 1), (16, "ended", 1),
    ]  # fmt: skip


# -- sites -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "time"), [(0.5, 10.0), (3.0, 2.0), (9.0, 40.0)])
@pytest.mark.parametrize("level", [0.95, 0.998])
def test_funnel_limits_lie_between_the_exact_quantiles(rate: float, time: float, level: float) -> None:
    """Interpolated by at most one count downwards from scipy's discrete quantiles."""
    limits = funnel_limits(rate, time, level)
    assert limits is not None
    for limit, tail in zip(limits, ((1 - level) / 2, (1 + level) / 2), strict=True):
        count = poisson.ppf(tail, rate * time)
        assert max(0.0, count - 1) / time <= limit <= count / time


def test_funnel_limits_of_nothing() -> None:
    assert funnel_limits(0.0, 5.0) is None
    assert funnel_limits(1.0, 0.0) is None


def test_lags_of_receipts() -> None:
    events = [{"usubjid": "S-0", "aeseq": k, "aedecod": "Rash", "onset_on": DAY, "serious": True} for k in (1, 2, 3)]
    receipts = [
        {"USUBJID": "S-0", "AESEQ": "1", "SITE_AWARE_AT": "2025-03-02T08:00+08:00", "SPONSOR_AWARE_AT": "2025-03-02T10:00+08:00"},
        {"USUBJID": "S-0", "AESEQ": "2", "SITE_AWARE_AT": "2025-03-02T08:00+08:00", "SPONSOR_AWARE_AT": "2025-03-03T02:00+00:00"},
        {"USUBJID": "S-0", "AESEQ": "3", "SITE_AWARE_AT": None, "SPONSOR_AWARE_AT": "2025-03-05T08:00+08:00"},
    ]
    (row,) = all_tables(trial([person(0)], events=events, sae_receipt=receipts))["sites"].frame.to_dicts()
    assert (row["receipts"], row["hours_median"], row["hours_max"], row["late_receipts"]) == (2, 14, 26, 1)
    assert row["days_to_sponsor_median"] == 2
    (row,) = all_tables(trial([person(0)], events=events))["sites"].frame.to_dicts()
    assert (row["receipts"], row["late_receipts"]) == (None, None)


def test_questions_by_owner_and_age() -> None:
    ages = (0, 7, 8, 30, 91, -1)
    queries = [
        {"usubjid": "S-0", "siteid": "01", "owner": "investigator", "check_id": "X", "opened_on": CUTOFF - timedelta(days=d)}
        for d in ages
    ]
    frame = all_tables(trial([person(0)], queries=[*queries, {"owner": "data_manager"}]))["query_ages"].frame
    assert frame.filter(owner="investigator").select("age", "questions").rows() == [
        ("<= 7", 2), ("8 to 30", 2), ("> 90", 1), ("After the cut-off", 1), ("Any age", 6),
    ]  # fmt: skip
    assert frame.filter(owner="data_manager").select("age", "questions", "subjects").rows() == [
        ("Not known", 1, 0),
        ("Any age", 1, 0),
    ]


# -- deviations, consent, eligibility --------------------------------------------------------------------------


def test_conduct_checks() -> None:
    people = [
        person(0, consented_on=DAY + timedelta(days=1)), person(1, consented_on=None),
        person(2, death_on=DAY + timedelta(days=5), dthfl=True),
        person(3, treated=False),
    ]  # fmt: skip
    criteria = [
        {"USUBJID": "S-0", "IECAT": "INCLUSION", "IETESTCD": "I1", "IEORRES": "N"},
        {"USUBJID": "S-1", "IECAT": "EXCLUSION", "IETESTCD": "E1", "IEORRES": "N"},  # an exclusion criterion that is not met
        {"USUBJID": "S-3", "IECAT": "EXCLUSION", "IETESTCD": "E1", "IEORRES": "Y"},  # never treated
    ]
    records = [end(2, "SCREEN FAILURE"), end(2, "INFORMED CONSENT OBTAINED", -1, "PROTOCOL MILESTONE")]
    snapshot = trial(people, exposures=[dose(2, 0, 3, 12), dose(2, 6, 8, 12)], dispositions=records, ie=criteria)
    found = dict(all_tables(snapshot)["conduct_checks"].frame.select("row", "subjects").iter_rows())
    assert found == {
        "Consent date missing": "S-1", "Consent after first treatment": "S-0", "Consent dates of DM and DS differ": "S-2",
        "Treated although a screening failure": "S-2", "Treated although a criterion was not met": "S-0",
        "Dose or session after death": "S-2",
    }  # fmt: skip


def test_deviations_by_category_and_kind() -> None:
    rows = [
        {"USUBJID": f"S-{who}", "DVSEQ": "1", "DVTERM": "t", "DVDECOD": kind, "DVCAT": category, "DVSTDTC": "2025-04-01"}
        for who, kind, category in [(0, "A", "MAJOR"), (0, "A", "MAJOR"), (1, "B", "MAJOR"), (2, "C", None), (3, "A", "MAJOR")]
    ]
    tables = all_tables(trial([person(0), person(1), person(2), person(3, treated=False)], dv=rows))
    assert tables["deviations"].frame.select("category", "term", "deviations", "n").rows() == [
        ("MAJOR", None, 3, 2), ("MAJOR", "A", 2, 1), ("MAJOR", "B", 1, 1), ("Not stated", None, 1, 1), ("Not stated", "C", 1, 1),
    ]  # fmt: skip
    assert tables["deviation_listing"].frame.height == 5


# -- laws ------------------------------------------------------------------------------------------------------

PERSON = st.fixed_dictionaries({
    "treated": st.sampled_from([True, True, False]), "siteid": st.sampled_from(["01", "02", None]),
    "sex": st.sampled_from(["M", "F", None]), "age": st.sampled_from([None, 17.0, 64.0, 65.0, 75.0]), "dthfl": st.booleans(),
    "arm": st.sampled_from([None, "Screen Failure"]),
})  # fmt: skip
REASON = st.sampled_from(["ONGOING", "ADVERSE EVENT", "SCREEN FAILURE", "COMPLETED"])


@st.composite
def trials(draw: st.DrawFn) -> Snapshot:
    people = [person(k, **differs) for k, differs in enumerate(draw(st.lists(PERSON, max_size=6)))]
    everyone = range(len(people))
    exposures = [
        dose(who, start, start + length, mg)
        for who in everyone
        for start, length, mg in draw(
            st.lists(st.tuples(st.integers(0, 90), st.integers(0, 30), st.sampled_from([4.0, 8.0, 12.0])), max_size=4)
        )
    ]
    records = [end(who, draw(REASON), draw(st.integers(0, 99))) for who in everyone if draw(st.booleans())]
    return trial(people, draw(st.sampled_from([None, CUTOFF])), exposures=exposures, dispositions=records)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trials())
def test_tables_cross_foot_and_every_number_has_its_subjects(snapshot: Snapshot) -> None:
    tables = all_tables(snapshot)
    n = int(snapshot.frames["subjects"]["treated"].sum())
    for row in tables["disposition_sites"].frame.to_dicts():
        assert row["screened"] == row["screen_failures"] + row["not_treated"] + row["treated"]
        assert row["treated"] == row["going_on"] + row["ended"]
    flow = tables["disposition"].frame
    for heading in ("Not treated", "Treatment ended"):
        own = flow.filter(row=heading)
        assert own.filter(pl.col("reason").is_null())["n"].sum() == own.filter(pl.col("reason").is_not_null())["n"].sum()
    baseline = tables["baseline"].frame.filter(~pl.col("level").is_in(["Median", "Not collected"]))
    for variable in ("Age (years)", "Sex"):
        counted = baseline.filter(variable=variable)["n"]
        assert counted.sum() in (n, 0)
    exposure = tables["exposure_age_sex"].frame
    if n:
        assert exposure.filter(age="ALL", sex="ALL")["n"].to_list() == [n]
        assert exposure.filter(pl.col("age") != "ALL", pl.col("sex") != "ALL")["n"].sum() == n
    each = tables["exposure_subjects"].frame
    assert (each["days_held"].fill_null(0) >= each["held"].fill_null(0)).all()
    assert (each["resumed"].fill_null(0) == each["held"].fill_null(0)).all()
    drilled = tables["drilldown"].frame.group_by("table", "row", "column").agg(pl.col("USUBJID").n_unique().alias("n"))
    known = {(row["table"], row["row"], row["column"]): row["n"] for row in drilled.to_dicts()}
    for row in flow.to_dicts():
        name = f"{row['row']} | {row['reason']}" if row["reason"] else row["row"]
        assert known.get(("disposition", name, "n"), 0) == row["n"]
    for row in tables["exposure_components"].frame.filter(pl.col("n").is_not_null()).to_dicts():
        name = " | ".join(part for part in (row["component"], row["row"], row["value"]) if part)
        assert known.get(("exposure_components", name, "n"), 0) == row["n"]
    for row in tables["baseline"].frame.filter(pl.col("n").is_not_null()).to_dicts():
        assert known.get(("baseline", f"{row['variable']} | {row['level']}", "n"), 0) == row["n"]


# -- pages -----------------------------------------------------------------------------------------------------

MINE = ("accrual", "disposition", "baseline", "treatment", "conduct", "deviations", "definitions", "dsur")


@pytest.fixture(scope="module")
def full() -> Snapshot:
    return trial(
        [person(0), person(1, treated=False), person(2, dthfl=True, death_on=CUTOFF)],
        exposures=[dose(0, 0, 20, 12), dose(0, 40, 95, 8), session(0, 0), dose(2, 0, 0, 200, "SINTILIMAB")], vs=[HEAVY],
        dispositions=[end(1, "SCREEN FAILURE"), end(2, "as the site wrote it")],
        queries=[{"owner": "investigator", "about": "AE 1", "check_id": "X", "text": "Why?", "opened_on": DAY}],
        dv=[{"USUBJID": "S-0", "DVTERM": "t", "DVCAT": "MAJOR"}], ie=[{"USUBJID": "S-1", "IECAT": "INCLUSION", "IEORRES": "N"}],
    )  # fmt: skip


@pytest.mark.parametrize("name", MINE)
def test_every_text_of_a_page_has_its_chinese(full: Snapshot, name: str) -> None:
    module = importlib.import_module(f"safety_monitor.reporting.sections.{name}")
    material = Material(full, StudySettings.model_validate(full.study), all_tables(full))
    with speaking("zh") as missing:
        section = module.section(material)
        environment().get_template(f"{name}.html").render(values=section.values)
        t(section.title)
    assert missing == set()


def test_chinese_keeps_every_value_of_the_english() -> None:
    for file in ("conduct", "definitions"):
        path = Path("templates/reports/zh") / f"{file}.toml"
        for english, chinese in tomllib.loads(path.read_text("utf-8")).items():
            assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", chinese)), english
    assert len(catalogue("zh")) > 300


def test_words_of_codelists_have_their_chinese() -> None:
    with speaking("zh") as missing:
        for word in (*CONDUCT["reasons"]["says"].values(), *CONDUCT["words"]["says"].values()):
            t(word)
    assert missing == set()


def test_figures_say_their_result() -> None:
    steps = accrual_steps([DAY], [DAY, DAY], CUTOFF, 10, (DAY, CUTOFF))
    assert "1 treated and 2 screened" in steps.alt
    box = figures.Box("Treated: 3", ("Death: 1",), strong=True)
    flow = figures.flow(box, box, box, [box], [box, box])
    assert "Treated: 3 Death: 1" in flow.alt
    funnel = figures.site_funnel([("All", 1.0, [("01", 5.0, 1.0, False), ("02", 5.0, 4.0, True)])])
    assert funnel.alt == "All: pooled rate 1.00 per person-year; sites outside the 95 % limits: 02."
    assert figures.site_funnel([("All", None, [])]).alt.endswith("none.")
    doses = figures.dose_levels("lenvatinib", [0, 4], {"12 mg": [2, 1]}, [0, 1], [0, 0])
    assert "12 mg: 2" in doses.alt
    assert accrual_steps([DAY], [DAY, DAY], CUTOFF, 10, (DAY, CUTOFF)) == steps
