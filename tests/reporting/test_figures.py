"""Figures: the numbers that they are given, the same bytes each time, and words for those who cannot see them."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import polars as pl
import pytest

from safety_monitor.reporting import figures
from safety_monitor.reporting.figures import Figure

SVG = "{http://www.w3.org/2000/svg}"


def peaks(*values: tuple[str, float | None, float | None]) -> pl.DataFrame:
    return pl.DataFrame(values, schema={"USUBJID": pl.String, "TA": pl.Float64, "BILI": pl.Float64}, orient="row")


LIVER = peaks(
    ("S-01-001", 3.0, 2.0), ("S-01-002", 12.0, 1.99), ("S-01-003", 2.99, 5.0), ("S-01-004", 0.5, 0.4), ("S-01-005", 7.0, None)
)
CURVE = [(p / 20, p / 20, 30.0 - p) for p in range(1, 11)]
PATH = [0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3]
STEPS = [(n, 2 + n // 5) for n in range(2, 31)]
TERMS = [
    ("Pneumothorax", 25.0, 12.1, 42.2, 5.6),
    ("A term of sixty characters and more, as they come from sites", 2.8, 0.1, 14.5, 0.0),
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
    "terms": lambda: figures.term_dots(TERMS),
    "terms, everybody": lambda: figures.term_dots([("Fever", 100.0, 90.3, 100.0, 100.0)]),
}


def texts(figure: Figure) -> list[str]:
    return ["".join(text.itertext()).strip() for text in ElementTree.fromstring(figure.svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_same_numbers_same_bytes_and_nothing_from_outside(make: Callable[[], Figure]) -> None:
    first, second = make(), make()
    assert first == second
    root = ElementTree.fromstring(first.svg)
    assert root.tag == f"{SVG}svg"
    assert "<dc:date>" not in first.svg
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
    assert figure.alt.startswith("eDISH plot of 4 subjects; 1 ")


def test_edish_of_nobody() -> None:
    figure = MAKERS["edish, nobody"]()
    assert figure.alt.startswith("eDISH plot of 0 subjects; 0 ")
    assert {"possible Hy's law: n = 0", "neither: n = 0"} <= set(texts(figure))


def test_terms_are_labelled_with_their_share() -> None:
    figure = MAKERS["terms"]()
    assert {TERMS[0][0], TERMS[1][0]} <= set(texts(figure))
    assert "Pneumothorax 25 %, grade 3 or worse 6 %" in figure.alt


def test_what_moved_a_share_is_drawn_and_said() -> None:
    pieces = [("pd1", "steroid response yes", 0.314), ("lenvatinib", "a very long piece of evidence " * 4, -0.2)]
    picture = figures.moved_by(pieces, "pd1", 0.87)
    assert picture.alt.startswith("pd1 leads with 87 %. Moved by: pd1, steroid response yes: +31 points; lenvatinib, a very long")
    assert "+31" in picture.svg
    assert "−20" in picture.svg or "-20" in picture.svg
    assert "…" in picture.svg  # cut in the picture, whole in its description
    assert picture.svg == figures.moved_by(pieces, "pd1", 0.87).svg
