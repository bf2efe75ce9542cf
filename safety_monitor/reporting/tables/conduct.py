"""How far investigators, system and sponsor reviewers agree on causality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl

from safety_monitor.reporting.tables.base import COUNTING, Study, Table, percent, rows_to_frame
from safety_monitor.reporting.wording import words
from safety_monitor.rules.causality import distance, range_of
from safety_monitor.stats.agreement import cohen_kappa, weighted_kappa
from safety_monitor.vocabulary import Level

AGREEMENT = {
    "component": pl.String, "events": pl.Int64, "both_related": pl.Int64, "investigator_only": pl.Int64,
    "engine_only": pl.Int64, "neither": pl.Int64, "not_rated": pl.Int64, "agreement_pct": pl.Float64,
    "kappa": pl.Float64, "weighted_kappa": pl.Float64, "far_apart": pl.Int64, "reviewed": pl.Int64,
    "reviewer_agreement_pct": pl.Float64, "reviewer_kappa": pl.Float64, "reviewer_system_kappa": pl.Float64,
}  # fmt: skip
DISAGREEMENTS = {
    "USUBJID": pl.String, "AESEQ": pl.Int64, "AEDECOD": pl.String, "grade": pl.Int64, "serious": pl.String,
    "component": pl.String, "investigator": pl.String, "system": pl.String, "share": pl.Float64, "reviewer": pl.String,
}  # fmt: skip


def tables(study: Study) -> Iterator[Table]:
    yield attribution_agreement(study)
    yield attribution_disagreements(study)


def attribution_agreement(study: Study) -> Table:
    """The investigator's opinion beside the engine's, per component."""
    name, title = "attribution_agreement", "Causality: investigator and engine"
    levels = COUNTING["engine_related"]["levels"]
    rule = words(
        "Treatment-emergent events that both rated; the system counts as related from {level} on; not rated: one of the two gave "
        "no opinion. Weighted kappa (squared distance) where the investigators' words are levels. Far apart: {distance} levels "
        "or more from the nearest that the investigator's word leaves open. Reviewed: by a sponsor reviewer; agreement and kappa "
        "with the investigator, weighted kappa with the system.",
        level=words(levels[0].lower()), distance=study.settings.attribution.query_distance,
    )  # fmt: skip
    rows = []
    for component in study.settings.components:
        investigator, engine = f"related_{component.name}", f"level_{component.name}"
        if investigator not in study.emergent.columns or engine not in study.emergent.columns:
            continue
        opinions = study.emergent.select(
            pl.col(investigator).alias("first"), pl.col(engine).is_in(levels).alias("second")
        )
        rated = opinions.drop_nulls()
        if rated.is_empty():
            continue
        cells = _two_by_two(rated.rows())
        agreed = percent(cells[0] + cells[3], rated.height)
        unrated = opinions.height - rated.height
        ranges = [
            (range_of(said, study.settings.related), Level[level])
            for said, level in study.emergent.select(f"investigator_{component.name}", engine).drop_nulls().iter_rows()
        ]
        exact = [(said[0], level) for said, level in ranges if said and said[0] == said[1]]
        apart = sum((distance(said, level) or 0) >= study.settings.attribution.query_distance for said, level in ranges)
        agreement = (cohen_kappa(*cells), weighted_kappa(exact), apart, *_reviewed(study.emergent, component.name))
        rows.append((component.name, rated.height, *cells, unrated, agreed, *agreement))
    if not rows:
        return Table.absent(
            name, title, AGREEMENT, rule, "no component was rated by investigator and engine both"
        )
    return Table(name, title, rows_to_frame(rows, AGREEMENT), rule)


def _two_by_two(pairs: Sequence[tuple[bool, ...]]) -> tuple[int, int, int, int]:
    """How many pairs are both true, only the first, only the second, neither."""
    found = Counter(pairs)
    return found[True, True], found[True, False], found[False, True], found[False, False]


def _reviewed(events: pl.DataFrame, component: str) -> tuple[int | None, float | None, float | None, float | None]:
    """Events that a sponsor reviewer assessed; agreement in % and kappa with the investigator, weighted kappa with the system."""
    if f"reviewer_{component}" not in events.columns:  # a snapshot of earlier versions
        return None, None, None, None
    columns = [f"{author}_{component}" for author in ("related", "reviewer", "level")]
    reviews = events.select(columns).drop_nulls(columns[1])
    levels = [(related, Level[reviewer], level and Level[level]) for related, reviewer, level in reviews.iter_rows()]
    cells = _two_by_two([(related, reviewer.related) for related, reviewer, _ in levels if related is not None])
    agreed = percent(cells[0] + cells[3], sum(cells)) if sum(cells) else None
    return reviews.height, agreed, cohen_kappa(*cells), weighted_kappa([(r, level) for _, r, level in levels if level])


def attribution_disagreements(study: Study) -> Table:
    """Events on which investigator and system are far apart, each with what a sponsor reviewer said."""
    name, title = "attribution_disagreements", "Causality: investigator and system far apart"
    limit = study.settings.attribution.query_distance
    rule = (
        f"Treatment-emergent events; {limit} levels or more between the system's level and the nearest that the "
        "investigator's word leaves open."
    )
    columns, rows = study.emergent.columns, []
    for component in study.settings.components:
        if f"investigator_{component.name}" not in columns or f"level_{component.name}" not in columns:
            continue
        for event in study.emergent.iter_rows(named=True):
            said, level = event[f"investigator_{component.name}"], event[f"level_{component.name}"]
            apart = distance(range_of(said, study.settings.related), Level[level]) if level else None
            if apart is not None and apart >= limit:
                rows.append((
                    event["usubjid"], event["aeseq"], event["aedecod"], event["grade"], "Y" if event["serious"] else "N",
                    component.name, said, level, event.get(f"share_{component.name}"), event.get(f"reviewer_{component.name}"),
                ))  # fmt: skip
    if not study.settings.components:
        return Table.absent(name, title, DISAGREEMENTS, rule, "no component is configured")
    frame = rows_to_frame(rows, DISAGREEMENTS).sort("USUBJID", "AESEQ", "component")
    return Table(name, title, frame, rule)
