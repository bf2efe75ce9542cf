"""Figures: the numbers that they are given, the same bytes each time, and words for those who cannot see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import polars as pl
import pytest
from figure_svg import svg_of
from matplotlib.backends.backend_pdf import FigureCanvasPdf

from safety_monitor.records import Snapshot
from safety_monitor.reporting import figures
from safety_monitor.reporting.figures import Figure
from safety_monitor.reporting.figures.album import album
from safety_monitor.reporting.figures.theme import arranged
from safety_monitor.reporting.render import environment, report_html
from safety_monitor.reporting.sections import Material, attribution
from safety_monitor.reporting.tables import Tables
from safety_monitor.study import StudySettings

SVG = "{http://www.w3.org/2000/svg}"


def peaks(*values: tuple[str, float | None, float | None]) -> pl.DataFrame:
    return pl.DataFrame(values, schema={"USUBJID": pl.String, "TA": pl.Float64, "BILI": pl.Float64}, orient="row")


LIVER = peaks(
    ("S-01-001", 3.0, 2.0), ("S-01-002", 12.0, 1.99), ("S-01-003", 2.99, 5.0), ("S-01-004", 0.5, 0.4), ("S-01-005", 7.0, None)
)
NEAR = LIVER.with_columns(near_ablation=pl.Series([True, None, False, False, True]))
PANEL = figures.Panel(
    "ALT", "U/L",
    pl.DataFrame({"usubjid": ["1", "1", "2", "2"], "week": [0.0, 3.5, 0.0, 3.0], "x": [20.0, 90.0, 40.0, None]}),
    pl.DataFrame({"to_week": [0, 4], "n": [2, 1], "median": [30.0, 90.0], "q1": [25.0, 90.0], "q3": [35.0, 90.0]}),
    [(40.0, "ULN")],
)  # fmt: skip
LEVELS = pl.DataFrame({"to_week": [0, 0, 4], "level": ["1", "3", "2"], "n": [3, 1, 2]})
BARS = [("Systolic (mmHg)", [("≥ 180", 4, 10.0), ("< 180", 35, 87.5), ("missing", 1, 2.5)])]
CURVE = [(p / 20, p / 20, 30.0 - p) for p in range(1, 11)]
PATH = [0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3]
STEPS = [(n, 2 + n // 5) for n in range(2, 31)]
TERMS = [
    ("Pneumothorax", 25.0, 12.1, 42.2, 5.6, 0.7, 18.7),
    ("A term of sixty characters and more, as they come from sites", 2.8, 0.1, 14.5, 0.0, 0.0, 9.7),
]
MAKERS: dict[str, Callable[[], Figure]] = {
    "stopping": lambda: figures.stopping_boundary(STEPS, PATH, 30, 0.2, "related grade 3 or worse"),
    "stopping, one step": lambda: figures.stopping_boundary([(5, 2)], [], 10, 0.2, "death"),
    "stopping, crossed": lambda: figures.stopping_boundary(STEPS, range(1, 10), 30, 0.2, "death"),
    "stopping, looks": lambda: figures.stopping_boundary([(10, 4), (20, 7), (30, 9)], PATH, 30, 0.2, "death"),
    "operating characteristics": lambda: figures.operating_characteristics(CURVE, [0.2, 0.4], 0.2, 30, "death"),
    "incidence": lambda: figures.cumulative_incidence([3, 40, 40, 200], [1, 2, 0, 0], "first serious event"),
    "incidence, no event": lambda: figures.cumulative_incidence([3], [0], "first serious event"),
    "edish": lambda: figures.edish(LIVER),
    "edish, nobody": lambda: figures.edish(peaks()),
    "edish, zero and far out": lambda: figures.edish(peaks(("S-1", 0.0, 0.0), ("S-2", 900.0, 80.0))),
    "edish of baseline": lambda: figures.edish(NEAR, (2.0, 2.0), "baseline"),
    "edish, many in the corner": lambda: figures.edish(peaks(*((f"S-1-{n}", 5.0 + n, 4.0) for n in range(30)))),
    "small multiples": lambda: figures.small_multiples([PANEL, replace(PANEL, log=True, many=True)], 1),
    "small multiples, too few": lambda: figures.small_multiples([PANEL], 9),
    "levels": lambda: figures.levels_over_time([("ALBI grade", LEVELS)], [("1", "2", "3")]),
    "categories": lambda: figures.category_bars(BARS, 40),
    "terms": lambda: figures.term_dots(TERMS, 36),
    "terms, everybody": lambda: figures.term_dots([("Fever", 100.0, 90.3, 100.0, 100.0, 90.3, 100.0)], 36),
}


def texts(figure: Figure) -> list[str]:
    return ["".join(text.itertext()).strip() for text in ElementTree.fromstring(svg_of(figure)).iter(f"{SVG}text")]


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_same_numbers_same_bytes_and_nothing_from_outside(make: Callable[[], Figure]) -> None:
    first, second = make(), make()
    assert first == second
    root = ElementTree.fromstring(svg_of(first))
    assert root.tag == f"{SVG}svg"
    assert "<dc:date>" not in svg_of(first)
    for element in root.iter():
        for name, value in element.attrib.items():
            if name.endswith("href"):
                assert value.startswith(("#", "data:")), value
    assert first.alt.strip()
    assert any(texts(first)), "text is kept as text"


def test_stopping_boundary_says_where_the_trial_stands() -> None:
    figure = MAKERS["stopping"]()
    said = set(texts(figure))
    assert {"now: 3 of 12", "stop", "acceptable rate 20 %", "Subjects treated (n)", "Subjects with the event (n)"} <= said
    assert "related grade 3 or worse: 3 of 12 subjects treated" in figure.alt
    assert "boundary at 30 subjects is 8" in figure.alt


def test_operating_characteristics_are_labelled_at_the_rates_of_the_table() -> None:
    figure = MAKERS["operating characteristics"]()
    assert {"20 %", "40 %", "26", "22", "Chance of stopping (%)", "Expected subjects (n)"} <= set(texts(figure))
    assert "20%: 20.0%, n = 26.0; 40%: 40.0%, n = 22.0" in figure.alt


def test_edish_counts_each_quadrant() -> None:
    figure = MAKERS["edish"]()
    said = set(texts(figure))
    assert {"possible Hy's law: n = 1", "cholestasis: n = 1", "Temple's corollary: n = 1", "neither: n = 1"} <= said
    assert "001" in said, "who is in the corner is named"
    assert not {"002", "003", "004", "005"} & said
    assert figure.alt.startswith("eDISH plot of 4 subjects, peaks in multiples of ULN.")
    assert "Aminotransferase at least 3 and bilirubin at least 2: 1; aminotransferase alone: 1; bilirubin alone: 1;" in figure.alt


def test_edish_of_nobody() -> None:
    figure = MAKERS["edish, nobody"]()
    assert figure.alt.startswith("eDISH plot of 0 subjects, ")
    assert {"possible Hy's law: n = 0", "neither: n = 0"} <= set(texts(figure))


def test_edish_marks_peaks_after_an_ablation() -> None:
    said = texts(MAKERS["edish of baseline"]())
    assert "Aminotransferase peak on day 0 to 7 after an ablation: n = 1" in said
    assert "Other peaks: n = 3" in said  # the subject without a bilirubin is in no plot
    assert not any("ablation" in text for text in texts(MAKERS["edish"]())), "sessions not known: nothing is marked"


def test_trends_say_unit_and_number() -> None:
    figure = MAKERS["small multiples"]()
    assert "ALT (U/L)" in texts(figure)
    assert "ALT: median 30 U/L at week 0 (n = 2), 90 U/L in the period up to week 4 (n = 1)." in figure.alt
    assert "ALT: too few values." in MAKERS["small multiples, too few"]().alt
    assert MAKERS["levels"]().alt == "ALBI grade: at baseline 1: 3, 2: 0, 3: 1; in the period up to week 4 1: 0, 2: 2, 3: 0."
    assert "Systolic (mmHg): ≥ 180: 4; < 180: 35; missing: 1." in MAKERS["categories"]().alt


def test_terms_are_labelled_with_their_share() -> None:
    figure = MAKERS["terms"]()
    assert {TERMS[0][0], TERMS[1][0]} <= set(texts(figure))
    assert "Pneumothorax 25 %, grade 3 or worse 6 %" in figure.alt


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_that_is_drawn_is_cut_off(frozen: Callable[[str], Snapshot], language: str) -> None:
    """The box that a page shows of a figure holds all that matplotlib would draw."""
    with album() as pictures:
        report_html("dsmb", frozen("hcc_synth_demo"), language=language)
    assert len(pictures.figures) > 10
    for figure in pictures.figures:
        figure.dpi = 72
        FigureCanvasPdf(figure)
        shown, drawn = arranged(figure), figure.get_tightbbox()
        over = (shown.x0 - drawn.x0, shown.y0 - drawn.y0, drawn.x1 - shown.x1, drawn.y1 - shown.y1)
        assert max(over) < 0.01, (figure.axes[0].get_xlabel(), over)


def test_what_moved_a_share_is_drawn_and_said(frozen: Callable[[str], Snapshot]) -> None:
    """A bar for each piece of evidence: filled to the right of the middle, open to the left, with all of its words."""
    snapshot = frozen("hcc_synth_demo")
    events = snapshot.frames["events"].filter(pl.col("serious"), pl.col("leading").is_not_null())
    key = {name: events[name][0] for name in ("usubjid", "aeseq")}
    long = "a very long piece of evidence " * 4
    weighing = pl.DataFrame(
        [{**key, "cause": "pd1", "evidence": "steroid response yes", "effect": 0.314},
         {**key, "cause": "lenvatinib", "evidence": long.strip(), "effect": -0.2}],
    ).cast({"aeseq": snapshot.frames["weighing"].schema["aeseq"]})  # fmt: skip
    frames = {**snapshot.frames, "events": snapshot.frames["events"].filter(**key), "weighing": weighing}
    small = replace(snapshot, frames=frames)
    material = Material(small, StudySettings.model_validate(small.study), Tables(snapshot))
    page = "{% with values = section.values %}{% include 'attribution.html' %}{% endwith %}"
    made = environment().from_string(page).render(section=attribution.section(material))
    assert "<b>+31</b> pd1: steroid response yes</p>" in made
    assert f"<b>-20</b> lenvatinib: {long.strip()}</p>" in made
    assert '<span class="against"></span><span class="for"><span class="bar" style="width:31.4%"></span></span>' in made
    assert '<span class="against"><span class="bar open" style="width:20.0%"></span></span><span class="for"></span>' in made
