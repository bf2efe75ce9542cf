"""Days are counted from first treatment, day 0 = 2026-03-02; limits: ALT AST 40 U/L, ALP 100 U/L, bilirubin 20 umol/L."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.rules.liver import (
    ALBI,
    BASELINES,
    CHILD_PUGH,
    HBV_FLARE,
    HYS_LAW,
    albi,
    baselines,
    child_pugh,
    hbv_flare,
    hys_law,
    reported_findings,
)

START = date(2026, 3, 2)
LIMITS = {"ALT": 40.0, "AST": 40.0, "ALP": 100.0, "BILI": 20.0, "INR": 1.2, "ALB": 50.0}
UNITS = {"ALT": "U/L", "AST": "U/L", "ALP": "U/L", "BILI": "umol/L", "INR": "1", "ALB": "g/L", "HBVDNA": "IU/mL"}
VALUES: dict[str, Any] = {"usubjid": pl.String, "test": pl.String, "on": pl.Date, "x": pl.Float64, "unit": pl.String,
                          "lln": pl.Float64, "uln": pl.Float64, "is_baseline": pl.Boolean}  # fmt: skip
PEOPLE: dict[str, Any] = {"usubjid": pl.String, "first_treatment_on": pl.Date, "last_treatment_on": pl.Date, "death_on": pl.Date,
                          "ablations": pl.List(pl.Date)}  # fmt: skip


def day(n: int) -> date:
    return START + timedelta(days=n)


def lab(n: int, test: str, x: float, **other: Any) -> dict[str, Any]:
    return {"usubjid": "01", "test": test, "on": day(n), "x": x, "unit": UNITS.get(test), "lln": None,
            "uln": LIMITS.get(test), "is_baseline": False, **other}  # fmt: skip


def frame(*labs: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(labs), schema=VALUES)


def people(**other: Any) -> pl.DataFrame:
    one = {"usubjid": "01", "first_treatment_on": START, "last_treatment_on": day(60), "death_on": None, "ablations": [], **other}
    return pl.DataFrame([one], schema=PEOPLE)


def screened(*labs: dict[str, Any], **other: Any) -> dict[str, dict[str, Any]]:
    """Rows by definition."""
    found = hys_law(frame(*labs), people(**other))
    assert dict(found.schema) == HYS_LAW
    rows = {row["definition"]: row for row in found.iter_rows(named=True)}
    assert len(rows) == found.height
    return rows


ALT, ALP = lab(10, "ALT", 200), lab(10, "ALP", 90)
MET = [ALT, lab(12, "BILI", 40), ALP]
NORMAL = (lab(-7, "ALT", 30), lab(-7, "AST", 30), lab(-7, "BILI", 10), lab(-7, "ALP", 80))


class TestBaselines:
    @pytest.mark.parametrize(
        ("labs", "n", "x_uln", "x", "unit", "abnormal"),
        [
            ([lab(-3, "ALT", 60)], 1, 1.5, 60, "U/L", True),
            ([lab(-9, "ALT", 40), lab(-3, "ALT", 80)], 2, 1.5, 60, "U/L", True),
            ([lab(-9, "ALT", 40), lab(0, "ALT", 40)], 2, 1.0, 40, "U/L", False),  # the day of treatment is before it
            ([lab(-9, "ALT", 40), lab(1, "ALT", 400)], 1, 1.0, 40, "U/L", False),
            ([lab(-9, "ALT", 80, uln=None)], 1, None, 80, "U/L", None),
            ([lab(-9, "ALT", 80, uln=None), lab(-3, "ALT", 40)], 2, 1.0, 60, "U/L", False),
            ([lab(-9, "ALT", 80, uln=0)], 1, None, 80, "U/L", None),
            ([lab(-9, "ALT", 80, unit=None), lab(-3, "ALT", 40)], 2, 1.5, None, None, True),
            ([lab(-9, "ALT", 80, unit="U/l"), lab(-3, "ALT", 40, unit="IU/L")], 2, 1.5, 60, "U/L", True),
            ([lab(-9, "ALT", 1, unit="ukat/L", uln=0.5), lab(-3, "SGPT", 40, unit="U/L", uln=40)], 2, 1.5, 50, "U/L", True),
            ([lab(-9, "ALT", float("nan")), lab(-3, "ALT", 40)], 1, 1.0, 40, "U/L", False),
        ],
    )
    def test_mean_of_what_was_measured_before(
        self, labs: list[dict[str, Any]], n: int, x_uln: float | None, x: float | None, unit: str | None, abnormal: bool | None
    ) -> None:
        found = baselines(frame(*labs), people())
        assert dict(found.schema) == BASELINES
        assert found.rows() == [("01", "ALT", n, x_uln, x, unit, abnormal)]

    def test_without_a_treatment_date_the_flagged_value_counts(self) -> None:
        labs = frame(lab(-9, "ALT", 80), lab(-3, "ALT", 40, is_baseline=True), lab(3, "ALT", 400))
        assert baselines(labs, people(first_treatment_on=None)).select("n", "x").rows() == [(2, 60.0)]

    def test_without_a_date_or_a_flag_there_is_none(self) -> None:
        assert baselines(frame(lab(-9, "ALT", 80)), people(first_treatment_on=None)).is_empty()


class TestUsual:
    @pytest.mark.parametrize(
        ("what", "labs", "candidate", "needs"),
        [
            ("numbers met", MET, True, ""),
            ("same day", [ALT, lab(10, "BILI", 40), ALP], True, ""),
            ("AST alone", [lab(10, "AST", 200), lab(12, "BILI", 40), ALP], True, ""),
            ("last day of the window", [ALT, lab(40, "BILI", 40), ALP], True, ""),
            ("after the window", [ALT, lab(41, "BILI", 40), ALP], True, "bilirubin"),
            ("normal in the window", [ALT, lab(20, "BILI", 20), lab(41, "BILI", 40), ALP], False, ""),
            ("bilirubin before ALT", [ALT, lab(9, "BILI", 40), lab(11, "BILI", 20), ALP], False, ""),
            ("bilirubin below", [ALT, lab(12, "BILI", 39.9), ALP], False, ""),
            ("ALP at its limit", [ALT, lab(12, "BILI", 40), lab(10, "ALP", 200)], False, ""),
            ("ALP missing", [ALT, lab(12, "BILI", 40)], True, "alp"),
            ("ALP too far away", [ALT, lab(12, "BILI", 40), lab(25, "ALP", 200)], True, "alp"),
            ("ALP within days", [ALT, lab(12, "BILI", 40), lab(24, "ALP", 200)], False, ""),
            ("nearest ALP decides", [ALT, lab(12, "BILI", 40), lab(11, "ALP", 90), lab(13, "ALP", 300)], True, ""),
            ("equally near: lowest", [ALT, lab(12, "BILI", 40), lab(9, "ALP", 300), lab(11, "ALP", 90)], True, ""),
            ("ALP without limit", [ALT, lab(12, "BILI", 40), lab(10, "ALP", 90, uln=None)], True, "alp"),
            ("no bilirubin", [ALT, ALP], True, "bilirubin"),
            ("ALP excludes alone", [ALT, lab(10, "ALP", 250)], False, "bilirubin"),
            ("bilirubin without limit", [ALT, lab(12, "BILI", 40, uln=None), ALP], True, "bilirubin limit"),
            ("a limit known later", [ALT, lab(12, "BILI", 40, uln=None), lab(14, "BILI", 50), ALP], True, ""),
            ("ALT without limit", [lab(10, "ALT", 200, uln=None), lab(12, "BILI", 40), ALP], True, "aminotransferase limit"),
            ("nothing but ALT", [ALT], True, "bilirubin, alp"),
            ("unit not stated", [lab(10, "ALT", 200, unit=None), lab(12, "BILI", 40, unit=None), ALP], True, ""),
        ],
    )  # fmt: skip
    def test_candidate(self, what: str, labs: list[dict[str, Any]], candidate: bool, needs: str) -> None:
        row = screened(*NORMAL, *labs)["usual"]
        assert (row["candidate"], row["needs"]) == (candidate, needs), what

    @pytest.mark.parametrize(
        ("what", "labs"),
        [
            ("at the limit, which is not beyond", [lab(10, "ALT", 120), lab(12, "BILI", 40), lab(10, "ALP", 90)]),
            ("before treatment", [lab(0, "ALT", 200), lab(0, "BILI", 40), lab(0, "ALP", 90)]),
            ("bilirubin alone", [lab(10, "BILI", 90)]),
            ("ALT without limit, bilirubin normal", [lab(10, "ALT", 200, uln=None), lab(12, "BILI", 20)]),
            ("not a number", [lab(10, "ALT", float("nan")), lab(12, "BILI", 40)]),
            ("no labs", []),
        ],
    )
    def test_no_row(self, what: str, labs: list[dict[str, Any]]) -> None:
        assert "usual" not in screened(*labs), what

    def test_what_the_row_holds(self) -> None:
        labs = (lab(10, "ALT", 200), lab(13, "ALT", 400), lab(12, "BILI", 50), lab(15, "BILI", 90), lab(10, "ALP", 90),
                lab(14, "ALP", 160))  # fmt: skip
        row = screened(*NORMAL, *labs, ablations=[day(-30), day(3), day(11)])["usual"]
        assert row == {
            "usubjid": "01", "definition": "usual", "ta_test": "ALT", "ta_on": day(10), "ta_x_uln": 5.0,
            "ta_x_baseline": pytest.approx(200 / 30), "bili_on": day(12), "bili_x_uln": 2.5, "bili_x_baseline": 5.0,
            "days_between": 2, "alp_x_uln": 0.9, "alp_ok": True,
            "r_ratio": pytest.approx(10 / 1.6), "pattern": "hepatocellular",  # highest ALT on day 13, ALP of day 14
            "days_since_first_treatment": 10, "days_since_ablation": 7, "candidate": True, "needs": "",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("alp", "pattern"), [(100, "hepatocellular"), (101, "mixed"), (249, "mixed"), (250, "cholestatic"), (None, None)]
    )
    def test_pattern_of_the_r_ratio(self, alp: float | None, pattern: str | None) -> None:
        labs = [lab(10, "ALT", 200), lab(12, "BILI", 40)] + ([lab(10, "ALP", alp)] if alp else [])
        assert screened(*labs)["usual"]["pattern"] == pattern

    def test_every_peak_is_looked_at_not_only_the_highest(self) -> None:
        highest_is_harmless = [lab(10, "ALT", 900), lab(11, "BILI", 10), lab(10, "ALP", 90)]
        later = [lab(100, "ALT", 130), lab(103, "BILI", 45), lab(100, "ALP", 90)]
        row = screened(*NORMAL, *highest_is_harmless, *later)["usual"]
        assert (row["candidate"], row["ta_on"], row["ta_x_uln"]) == (True, day(100), 3.25)

    def test_the_earliest_candidate_is_reported(self) -> None:
        labs = [lab(n, test, x) for n in (50, 20) for test, x in (("AST", 300), ("BILI", 60), ("ALP", 90))]
        assert screened(*NORMAL, *labs)["usual"]["ta_on"] == day(20)

    def test_what_is_known_goes_before_what_only_may_be(self) -> None:
        maybe = [lab(5, "ALT", 45, uln=None)]
        sure = [lab(100, "ALT", 200), lab(100, "BILI", 60), lab(100, "ALP", 90)]
        row = screened(*NORMAL, *maybe, *sure)["usual"]
        assert (row["ta_on"], row["needs"]) == (day(100), "")

    def test_of_none_the_highest_is_reported(self) -> None:
        labs = [each for n, x in ((10, 200), (80, 300), (150, 210)) for each in (lab(n, "ALT", x), lab(n, "BILI", 10))]
        row = screened(*NORMAL, *labs)["usual"]
        assert (row["candidate"], row["ta_on"], row["bili_x_uln"]) == (False, day(80), 0.5)

    def test_mixed_units_of_one_subject(self) -> None:
        labs = [lab(-7, "BILI", 1.0, unit="mg/dL", uln=1.2), lab(10, "ALT", 200), lab(12, "BILI", 51.3), lab(10, "ALP", 90)]
        row = screened(*labs)["usual"]
        assert row["bili_x_baseline"] == pytest.approx(3.0, rel=1e-3)
        unstated = screened(labs[0] | {"unit": None}, *labs[1:])["usual"]
        assert (unstated["bili_x_baseline"], unstated["bili_x_uln"], unstated["candidate"]) == (None, 51.3 / 20, True)

    def test_no_treatment_date_is_named_not_dropped(self) -> None:
        row = screened(*MET, first_treatment_on=None)["usual"]
        assert (row["candidate"], row["needs"], row["days_since_first_treatment"]) == (True, "first treatment", None)
        flagged = lab(0, "ALT", 500, is_baseline=True)
        assert screened(*MET, flagged, first_treatment_on=None)["usual"]["ta_on"] == day(10)

    def test_a_subject_without_a_row_in_people_is_not_dropped(self) -> None:
        labs = frame(*(lab(10, test, x, usubjid="99") for test, x in (("ALT", 200), ("BILI", 40), ("ALP", 90))))
        assert hys_law(labs, people()).select("usubjid", "candidate", "needs").rows() == [("99", True, "first treatment")]

    @pytest.mark.parametrize(("died", "needs"), [(12, ""), (11, "dates (measured after death)")])
    def test_measured_after_death(self, died: int, needs: str) -> None:
        row = screened(*NORMAL, *MET, death_on=day(died))["usual"]
        assert (row["candidate"], row["needs"]) == (True, needs)

    def test_death_before_bilirubin_leaves_it_unknown(self) -> None:
        row = screened(*NORMAL, lab(10, "ALT", 200), lab(10, "ALP", 90), death_on=day(11))["usual"]
        assert (row["candidate"], row["bili_on"], row["needs"]) == (True, None, "bilirubin")

    @pytest.mark.parametrize(
        ("ablations", "days"), [([], None), ([day(11)], None), ([day(10)], 0), ([day(9), day(2)], 1), ([day(-40)], 50)]
    )
    def test_days_since_ablation(self, ablations: list[date], days: int | None) -> None:
        assert screened(*MET, ablations=ablations)["usual"]["days_since_ablation"] == days


class TestAbnormalBaseline:
    @pytest.mark.parametrize(
        ("what", "base", "labs", "candidate"),
        [
            ("twice its ALT, bilirubin normal before", {"ALT": 60}, {"ALT": 120, "BILI": 40, "ALP": 90}, True),
            ("ALT below twice", {"ALT": 60}, {"ALT": 119, "BILI": 40, "ALP": 90}, None),
            ("300 U/L is first", {"ALT": 200}, {"ALT": 300, "BILI": 40, "ALP": 90}, True),
            ("beyond 300 U/L before: the multiple alone", {"ALT": 320}, {"ALT": 500, "BILI": 40, "ALP": 90}, None),
            ("and twice that", {"ALT": 320}, {"ALT": 640, "BILI": 40, "ALP": 90}, True),
            ("bilirubin abnormal, below twice", {"ALT": 60, "BILI": 28}, {"ALT": 120, "BILI": 50, "ALP": 90}, False),
            ("bilirubin twice baseline", {"ALT": 60, "BILI": 28}, {"ALT": 120, "BILI": 56, "ALP": 90}, True),
            ("bilirubin 3 x ULN is first", {"ALT": 60, "BILI": 40}, {"ALT": 120, "BILI": 60, "ALP": 90}, True),
            ("bilirubin alone abnormal: ALT as usual", {"ALT": 30, "BILI": 28}, {"ALT": 110, "BILI": 56, "ALP": 90}, None),
            ("ALT as usual, beyond", {"ALT": 30, "BILI": 28}, {"ALT": 130, "BILI": 56, "ALP": 90}, True),
            ("ALP high from the start", {"ALT": 60, "ALP": 250}, {"ALT": 130, "BILI": 40, "ALP": 260}, True),
            ("ALP twice that", {"ALT": 60, "ALP": 250}, {"ALT": 130, "BILI": 40, "ALP": 500}, False),
            ("ALP alone abnormal", {"ALT": 30, "ALP": 250}, {"ALT": 130, "BILI": 40, "ALP": 260}, True),
            ("the other enzyme is judged by ULN", {"ALT": 60, "AST": 30}, {"AST": 100, "BILI": 40, "ALP": 90}, None),
        ],
    )
    def test_candidate(self, what: str, base: dict[str, float], labs: dict[str, float], candidate: bool | None) -> None:
        found = screened(*(lab(-7, *each) for each in base.items()), *(lab(10, *each) for each in labs.items()))
        row = found.get("abnormal_baseline")
        assert (row and row["candidate"]) == candidate, what

    def test_baseline_is_the_mean(self) -> None:
        base = [lab(-14, "ALT", 60), lab(-7, "ALT", 100)]
        found = screened(*base, lab(10, "ALT", 160), lab(10, "BILI", 40), lab(10, "ALP", 90))
        assert found["abnormal_baseline"]["ta_x_baseline"] == 2.0

    def test_both_definitions_stand_beside_each_other(self) -> None:
        labs = [lab(-7, "ALT", 110), lab(10, "ALT", 130), lab(10, "BILI", 40), lab(10, "ALP", 90)]
        assert list(screened(*labs)) == ["usual"]  # 3.25 x ULN is but 1.2 x baseline
        later = [lab(20, "ALT", 220), lab(20, "BILI", 40), lab(20, "ALP", 90)]
        assert {name: row["ta_on"] for name, row in screened(*labs, *later).items()} == {
            "usual": day(10), "abnormal_baseline": day(20)
        }  # fmt: skip

    def test_a_normal_baseline_has_the_usual_definition_alone(self) -> None:
        assert list(screened(*NORMAL, lab(10, "ALT", 500), lab(10, "BILI", 90), lab(10, "ALP", 90))) == ["usual"]

    def test_a_baseline_that_cannot_be_compared_is_unknown(self) -> None:
        labs = [lab(-7, "ALT", 60, unit=None), lab(10, "ALT", 90), lab(10, "BILI", 40), lab(10, "ALP", 90)]
        row = screened(*labs)["abnormal_baseline"]
        assert (row["candidate"], row["needs"]) == (True, "aminotransferase limit")


def test_frames_without_rows_or_values_keep_their_columns() -> None:
    labs, nobody = frame(), people().clear()
    findings = pl.DataFrame(schema={"usubjid": pl.String, "on": pl.Date, "finding": pl.String, "level": pl.String})
    for found, columns in [
        (baselines(labs, nobody), BASELINES), (hys_law(labs, nobody), HYS_LAW), (albi(labs), ALBI),
        (child_pugh(labs, findings), CHILD_PUGH), (hbv_flare(labs, nobody), HBV_FLARE),
    ]:  # fmt: skip
        assert dict(found.schema) == columns
        assert found.is_empty()


def test_a_column_without_any_value_has_no_type_and_is_unknown() -> None:
    labs = frame(lab(10, "ALT", 200, uln=None), lab(10, "BILI", 40, uln=None)).with_columns(
        uln=pl.lit(None), unit=pl.lit(None), lln=pl.lit(None)
    )
    untyped = people().with_columns(death_on=pl.lit(None), ablations=pl.lit([], dtype=pl.List(pl.Null)))
    assert hys_law(labs, untyped)["needs"].to_list() == ["aminotransferase limit, bilirubin limit, alp"]


class TestAlbi:
    # By hand from the published formula and cut-offs (Johnson 2015); no published patient is quoted.
    @pytest.mark.parametrize(
        ("bilirubin", "unit_b", "albumin", "unit_a", "score", "grade"),
        [
            (10, "umol/L", 40, "g/L", -2.74, 1),  # 0.66 x 1 - 3.4
            (100, "umol/L", 40, "g/L", -2.08, 2),  # 0.66 x 2 - 3.4
            (100, "umol/L", 25, "g/L", -0.805, 3),  # 1.32 - 2.125
            (1, "umol/L", 2.6 / 0.085, "g/L", -2.60, 1),  # at the cut-off: grade 1
            (1, "umol/L", 2.599 / 0.085, "g/L", -2.599, 2),
            (1, "umol/L", 1.39 / 0.085, "g/L", -1.39, 2),  # at the cut-off: grade 2
            (1, "umol/L", 1.389 / 0.085, "g/L", -1.389, 3),
            (1.2, "mg/dL", 3.5, "g/dL", -2.1088, 2),  # 20.52 umol/L, 35 g/L
            (1.2, "mg/dL", 35, "g/L", -2.1088, 2),
        ],
    )
    def test_score_and_grade(
        self, bilirubin: float, unit_b: str, albumin: float, unit_a: str, score: float, grade: int
    ) -> None:
        found = albi(frame(lab(1, "BILI", bilirubin, unit=unit_b), lab(1, "ALB", albumin, unit=unit_a)))
        assert dict(found.schema) == ALBI
        assert found.drop("albi").rows() == [("01", day(1), grade, None)]
        assert found["albi"].item() == pytest.approx(score, abs=2e-4)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"unit": None}, "Total bilirubin: no unit is stated; usual are mg/dL, umol/L and mg/L."),
            ({"unit": "foo"}, "Total bilirubin: 'foo' is no unit we know; did you mean mg/dL, umol/L or mg/L?"),
            ({"x": 0.0}, "Total bilirubin is not above 0; its logarithm does not exist."),
        ],
    )
    def test_no_score_says_why(self, change: dict[str, Any], reason: str) -> None:
        found = albi(frame(lab(1, "BILI", 10) | change, lab(1, "ALB", 40)))
        assert found.rows() == [("01", day(1), None, None, reason)]

    def test_only_values_of_one_day_make_a_score(self) -> None:
        assert albi(frame(lab(1, "BILI", 10), lab(2, "ALB", 40))).is_empty()

    def test_of_several_the_worst(self) -> None:
        labs = frame(lab(1, "BILI", 10), lab(1, "BILI", 100), lab(1, "ALB", 40), lab(1, "ALB", 2.5, unit="g/dL"))
        assert albi(labs)["albi"].item() == pytest.approx(-0.805)

    @given(st.floats(0.1, 60), st.floats(0.5, 7))
    def test_the_unit_does_not_change_it(self, mg_dl: float, g_dl: float) -> None:
        umol_l = mg_dl * 1e4 / 584.66
        labs = [
            lab(1, "BILI", mg_dl, unit="mg/dL"), lab(1, "ALB", g_dl, unit="g/dL"),
            lab(2, "BILI", umol_l), lab(2, "ALB", g_dl * 10),
            lab(3, "BILI", umol_l / 1000, unit="mmol/L"), lab(3, "ALB", g_dl * 10),
        ]  # fmt: skip
        scores = albi(frame(*labs))["albi"].to_list()
        assert scores == pytest.approx([0.66 * math.log10(umol_l) - 0.85 * g_dl] * 3, abs=1e-9)

    @given(st.floats(1, 500), st.floats(10, 60), st.floats(1, 5))
    def test_it_never_falls_as_bilirubin_rises_or_albumin_falls(self, bilirubin: float, albumin: float, times: float) -> None:
        labs = frame(*(lab(n, *each) for n, each in [
            (1, ("BILI", bilirubin)), (1, ("ALB", albumin)), (2, ("BILI", bilirubin * times)), (2, ("ALB", albumin / times)),
        ]))  # fmt: skip
        found = albi(labs)
        assert found["albi"].is_sorted()
        assert found["grade"].is_sorted()


def finding(n: int, what: str, level: str) -> dict[str, Any]:
    return {"usubjid": "01", "on": day(n), "finding": what, "level": level}


NO_FINDING = (finding(1, "ascites", "none"), finding(1, "encephalopathy", "none"))


def points(labs: list[dict[str, Any]], *findings: dict[str, Any]) -> list[tuple[Any, ...]]:
    schema = {"usubjid": pl.String, "on": pl.Date, "finding": pl.String, "level": pl.String}
    found = child_pugh(frame(*labs), pl.DataFrame(list(findings), schema=schema))
    assert dict(found.schema) == CHILD_PUGH
    return found.drop("usubjid", "on").rows()


class TestChildPugh:
    # The bands and classes themselves (Pugh 1973 with INR), every edge; no published patient is quoted.
    @pytest.mark.parametrize(
        ("test", "unit", "edges"),
        [
            ("BILI", "mg/dL", [(1.9, 5), (2.0, 6), (3.0, 6), (3.1, 7)]),
            ("BILI", "umol/L", [(34, 5), (34.3, 6), (51.3, 6), (52, 7)]),
            ("ALB", "g/dL", [(3.51, 5), (3.5, 6), (2.8, 6), (2.7, 7)]),
            ("ALB", "g/L", [(36, 5), (35, 6), (28, 6), (27.9, 7)]),
            ("INR", "1", [(1.6, 5), (1.7, 6), (2.3, 6), (2.31, 7)]),
            ("INR", None, [(1.6, 5), (1.7, 6), (2.3, 6), (2.31, 7)]),
        ],
    )
    def test_bands(self, test: str, unit: str | None, edges: list[tuple[float, int]]) -> None:
        others = [lab(1, *each) for each in (("BILI", 10.0), ("ALB", 40.0), ("INR", 1.0)) if each[0] != test]
        assert [points([lab(1, test, x, unit=unit), *others], *NO_FINDING)[0][:2] for x, _ in edges] == [
            (expected, expected) for _, expected in edges
        ]

    @pytest.mark.parametrize(
        ("bilirubin", "albumin", "inr", "ascites", "encephalopathy", "expected"),
        [
            (1.0, 4.0, 1.0, "none", "none", (5, "A")),
            (1.0, 4.0, 1.0, "mild", "none", (6, "A")),
            (1.0, 3.0, 1.0, "mild", "none", (7, "B")),
            (2.5, 3.0, 2.0, "mild", "none", (9, "B")),
            (2.5, 3.0, 2.0, "Mild", "mild", (10, "C")),
            (4.0, 2.0, 3.0, "severe", "severe", (15, "C")),
            (1.0, 4.0, 1.0, "moderate", "none", (7, "B")),
        ],
    )
    def test_points_and_class(
        self, bilirubin: float, albumin: float, inr: float, ascites: str, encephalopathy: str, expected: tuple[int, str]
    ) -> None:
        labs = [lab(1, "BILI", bilirubin, unit="mg/dL"), lab(1, "ALB", albumin, unit="g/dL"), lab(1, "INR", inr)]
        n, letter = expected
        assert points(labs, finding(1, "ascites", ascites), finding(1, "encephalopathy", encephalopathy)) == [
            (n, n, letter, letter, "")
        ]

    LABS = (lab(1, "BILI", 10), lab(1, "ALB", 40), lab(1, "INR", 1.0))

    @pytest.mark.parametrize(
        ("what", "labs", "findings", "expected"),
        [
            ("no findings", LABS, (), (5, 9, "A", "B", "ascites, encephalopathy")),
            ("bilirubin alone", LABS[:1], (), (5, 13, "A", "C", "albumin, INR, ascites, encephalopathy")),
            ("unit unknown", (lab(1, "BILI", 10, unit=None), *LABS[1:]), NO_FINDING, (5, 7, "A", "B", "bilirubin")),
            ("a word we do not know", LABS, (finding(1, "ascites", "some"), NO_FINDING[1]), (5, 7, "A", "B", "ascites")),
            ("examined weeks before", LABS, (finding(-41, "ascites", "severe"), NO_FINDING[1]), (7, 7, "B", "B", "")),
            ("too long before", LABS, (finding(-42, "ascites", "severe"), NO_FINDING[1]), (5, 7, "A", "B", "ascites")),
            ("examined later", LABS, (finding(2, "ascites", "severe"), NO_FINDING[1]), (5, 7, "A", "B", "ascites")),
            ("the last examination", LABS, (finding(-5, "ascites", "severe"), *NO_FINDING), (5, 5, "A", "A", "")),
            ("two on a day: the worst", LABS, (finding(1, "ascites", "mild"), *NO_FINDING), (6, 6, "A", "A", "")),
        ],
    )
    def test_what_is_unknown_leaves_a_range(
        self, what: str, labs: tuple[dict[str, Any], ...], findings: tuple[dict[str, Any], ...], expected: tuple[Any, ...]
    ) -> None:
        assert points(list(labs), *findings) == [expected], what

    def test_a_laboratory_value_of_a_near_day_counts(self) -> None:
        near = [*self.LABS[:2], lab(8, "INR", 2.0)]
        far = [*self.LABS[:2], lab(9, "INR", 2.0)]
        assert [row[4] for row in points(near, *NO_FINDING)] == ["", ""]
        assert [row[4] for row in points(far, *NO_FINDING)] == ["INR", "bilirubin, albumin"]

    def test_the_day_itself_before_a_near_one_and_of_two_the_earlier(self) -> None:
        labs = [*self.LABS, lab(2, "INR", 2.0)]
        assert points(labs, *NO_FINDING)[0][:2] == (5, 5)
        labs = [*self.LABS[:2], lab(0, "INR", 1.0), lab(2, "INR", 2.0)]
        assert points(labs, *NO_FINDING)[1][:2] == (5, 5)

    @given(st.sets(st.sampled_from(["BILI", "ALB", "INR", "ascites", "encephalopathy"])))
    def test_the_range_holds_the_full_score(self, known: set[str]) -> None:
        full = [lab(1, "BILI", 45), lab(1, "ALB", 30), lab(1, "INR", 2.0)]
        found = [finding(1, "ascites", "mild"), finding(1, "encephalopathy", "none")]
        labs = [each for each in full if each["test"] in known]
        for low, high, *_ in points(labs, *(each for each in found if each["finding"] in known)):
            assert 5 <= low <= 9 <= high <= 15


class TestHbv:
    def prompts(self, *labs: dict[str, Any]) -> list[dict[str, Any]]:
        found = hbv_flare(frame(*labs), people())
        assert dict(found.schema) == HBV_FLARE
        return found.rows(named=True)

    @pytest.mark.parametrize(
        ("what", "levels", "expected"),
        [
            ("tenfold", {-7: 1000, 20: 10000}, [(20, 1000)]),
            ("below tenfold", {-7: 1000, 20: 9999}, []),
            ("above the lowest, not the first", {-7: 100000, 20: 100, 40: 1000}, [(40, 100)]),
            ("not detected to detected", {-7: 0, 20: 20}, [(20, 0)]),
            ("below detection stays so", {-7: 0, 20: 19}, []),
            ("before treatment", {-7: 10, 0: 10000}, []),
            ("high once, high on: one prompt", {-7: 100, 20: 5000, 40: 5000, 60: 4000}, [(20, 100)]),
            ("a further step: one more", {-7: 0, 20: 25, 40: 30, 60: 1000000}, [(20, 0), (60, 0)]),
            ("down and up again", {-7: 0, 20: 50, 40: 0, 60: 50}, [(20, 0), (60, 0)]),
            ("nothing earlier, AASLD's level", {20: 10000}, [(20, None)]),
            ("nothing earlier, below it", {20: 9999}, []),
        ],
    )
    def test_rise(self, what: str, levels: dict[int, float], expected: list[tuple[int, float | None]]) -> None:
        rows = self.prompts(*(lab(n, "HBVDNA", float(x)) for n, x in levels.items()))
        assert [(row["on"], row["reference"]) for row in rows] == [(day(n), x) for n, x in expected], what
        assert all(row["kind"] == "hbv_dna_rise" and row["why"].endswith("no ALT in the window.") for row in rows)

    @pytest.mark.parametrize(
        ("what", "base", "later", "kind", "alt_on"),
        [
            ("both conditions", 35, {25: 105}, "hepatitis_flare", 25),
            ("just above 100", 33, {25: 100.5}, "hepatitis_flare", 25),
            ("threefold, not above 100", 30, {25: 100}, "hbv_dna_rise", 25),
            ("above 100, not threefold", 60, {25: 170}, "hbv_dna_rise", 25),
            ("the first that meets", 35, {25: 90, 30: 120, 35: 400}, "hepatitis_flare", 30),
            ("the highest where none meets", 60, {25: 90, 30: 150, 35: 100}, "hbv_dna_rise", 30),
            ("ALT before DNA was measured", 35, {9: 200, 12: 200}, "hepatitis_flare", 9),
            ("ALT too long before", 35, {8: 200}, "hbv_dna_rise", None),
            ("last day of the window", 35, {129: 200}, "hepatitis_flare", 129),
            ("after the window", 35, {130: 200}, "hbv_dna_rise", None),
            ("no baseline", None, {45: 500}, "hbv_dna_rise", 45),
        ],
    )
    def test_with_alt(self, what: str, base: float | None, later: dict[int, float], kind: str, alt_on: int | None) -> None:
        dna = [lab(-7, "HBVDNA", 100), lab(39, "HBVDNA", 100000)]
        alt = [lab(-7, "ALT", base)] if base else []
        (row,) = self.prompts(*dna, *alt, *(lab(n, "ALT", float(x)) for n, x in later.items()))
        assert (row["kind"], row["alt_on"]) == (kind, None if alt_on is None else day(alt_on)), what

    @pytest.mark.parametrize(
        ("labs", "why"),
        [
            ([lab(-7, "HBVDNA", 100), lab(-7, "ALT", 40), lab(20, "HBVDNA", 30000), lab(22, "ALT", 200)],
             "HBV DNA 3e+04 IU/mL on 2026-03-22, 2.5 log10 above the lowest earlier value, 100; "
             "ALT 200 U/L on 2026-03-24, 5.0 x baseline."),
            ([lab(-7, "HBVDNA", 0), lab(20, "HBVDNA", 300), lab(22, "ALT", 200)],
             "HBV DNA 300 IU/mL on 2026-03-22, not detectable before; "
             "highest ALT in the window on 2026-03-24, its multiple of baseline is not known."),
            ([lab(20, "HBVDNA", 20000)],
             "HBV DNA 2e+04 IU/mL on 2026-03-22, no earlier value to compare with; no ALT in the window."),
        ],
    )  # fmt: skip
    def test_why(self, labs: list[dict[str, Any]], why: str) -> None:
        assert [row["why"] for row in self.prompts(*labs)] == [why]

    @pytest.mark.parametrize(
        ("units", "n"),
        [
            (("IU/mL", "iu/ml"), 1),
            (("copies/mL", "copies/mL"), 1),
            (("copies/mL", "IU/mL"), 0),  # not comparable, and below the level that needs no comparison
            ((None, None), 0),
        ],
    )
    def test_only_one_unit_compares(self, units: tuple[str | None, str | None], n: int) -> None:
        assert len(self.prompts(lab(-7, "HBVDNA", 100, unit=units[0]), lab(20, "HBVDNA", 2000, unit=units[1]))) == n

    def test_logarithms(self) -> None:
        (row,) = self.prompts(lab(-7, "HBVDNA", 2, unit="log10 IU/mL"), lab(20, "HBVDNA", 3, unit="log10 IU/mL"))
        assert (row["hbv_dna"], row["reference"]) == pytest.approx((1000, 100))


# --- what reports tell of ascites and encephalopathy


@pytest.mark.parametrize(
    ("term", "grade", "start", "end", "level"),
    [
        ("Ascites", 1, 0, None, "mild"),
        ("Ascites", 2, 0, None, "severe"),
        ("Ascites", 3, 10, 10, "severe"),
        ("Encephalopathy", 2, 0, 20, "mild"),
        ("Encephalopathy", 4, 0, 20, "severe"),
        ("Ascites", 1, 11, None, None),  # not yet
        ("Ascites", 1, 0, 9, None),  # not any more: whether it is gone nobody says
        ("Ascites", None, 0, None, None),
        ("Ascites", 1, None, None, None),
        ("Fatigue", 1, 0, None, None),
    ],
)
def test_reported_findings(term: str, grade: int | None, start: int | None, end: int | None, level: str | None) -> None:
    first = date(2026, 3, 1)

    def day(number: int | None) -> date | None:
        return None if number is None else first + timedelta(days=number)

    events = pl.DataFrame(
        [("01", term, grade, day(start), day(end))],
        schema={"usubjid": pl.String, "term": pl.String, "grade": pl.Int64, "start": pl.Date, "end": pl.Date}, orient="row",
    )  # fmt: skip
    labs = pl.DataFrame({"usubjid": "01", "test": ["BILI", "ALB", "INR"], "on": day(10), "x": [1.0, 4.0, 1.0],
                         "unit": ["mg/dL", "g/dL", "1"]})  # fmt: skip
    found = reported_findings(labs, events)
    assert found["level"].to_list() == ([] if level is None else [level])
    points = child_pugh(labs, found).row(0, named=True)
    assert points["points_low"] == 5 + {"mild": 1, "severe": 2, None: 0}[level]
    other = "encephalopathy" if term == "Ascites" else "ascites"
    assert points["unknown"] == ("ascites, encephalopathy" if level is None else other)
