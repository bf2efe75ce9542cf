"""Complications of the procedure: listed events within some days of a session, and others that were related to it.

A session is a day on which a subject had the procedure. An event belongs to the last session on or before its onset. Two
denominators: sessions, and subjects with a session.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import polars as pl

from safety_monitor.reporting.tables.base import SEPARATOR, Study, Table, cells, exact_limits, percent, rows_to_frame
from safety_monitor.reporting.wording import Words, words
from safety_monitor.vocabulary import ComponentKind

COMPLICATIONS = {
    "level": pl.Int64, "group": pl.String, "PT": pl.String, "sessions": pl.Int64, "sessions_pct": pl.Float64,
    "sessions_lo": pl.Float64, "sessions_hi": pl.Float64, "n": pl.Int64, "pct": pl.Float64, "events": pl.Int64,
    "ge3": pl.Int64, "sae_n": pl.Int64, "rel_n": pl.Int64, "new_n": pl.Int64, "N_sessions": pl.Int64, "N_subjects": pl.Int64,
}  # fmt: skip
BY_KIND = {
    "by": pl.String, "value": pl.String, "sessions": pl.Int64, "subjects": pl.Int64, "with_any": pl.Int64, "pct": pl.Float64,
    "cp_lo": pl.Float64, "cp_hi": pl.Float64, "with_ge3": pl.Int64, "ge3_pct": pl.Float64,
}  # fmt: skip
NAME, KINDS = "procedure_complications", "procedure_complications_by"
ANY, LISTED, OTHER = "ANY", "LISTED", "Other, related to the procedure"
_DATA: dict[str, Any] = tomllib.loads(
    files("safety_monitor.reporting").joinpath("events.toml").read_text("utf-8")
)["complications"]
_SESSION = ("usubjid", "session_on")
_LEVELS: tuple[list[str], ...] = ([], ["group"], ["group", "pt"])
_listed = pl.col("group") != OTHER


def tables(study: Study) -> Iterator[Table]:
    yield complications(study)
    yield by_kind(study)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The records behind the numbers of subjects."""
    records = study.once(complicated)
    if records is None:
        return
    for keys in _LEVELS:
        row = pl.concat_str(keys, separator=SEPARATOR) if keys else pl.lit(ANY)
        chosen = {"n": records, "ge3": records.filter("high_grade"), "sae_n": records.filter("serious"),
                  "rel_n": records.filter("to_procedure"), "new_n": study.since_last(records)}  # fmt: skip
        for column, part in chosen.items():
            yield cells(part, NAME, row, column)
            if not keys:
                yield cells(part.filter(_listed), NAME, LISTED, column)
    records = records.filter(_listed)
    for by in ("modality", "site"):
        known = records.filter(pl.col(by).is_not_null())
        row = pl.concat_str([pl.lit(by), pl.col(by)], separator=SEPARATOR)
        yield cells(known, KINDS, row, "with_any")
        yield cells(known.filter("high_grade"), KINDS, row, "with_ge3")


def complications(study: Study) -> Table:
    """Level 0 any complication and any listed one, 1 group, 2 term; events of no group last."""
    title = words("Complications within {days} days of a session of the procedure", days=_DATA["days"])
    records, held = study.once(complicated), study.once(sessions)
    if records is None or held is None:
        return Table.absent(NAME, title, COMPLICATIONS, _rule(0, 0), _why(study))
    of_sessions, of_subjects = held.height, held["usubjid"].n_unique()
    fresh = study.since_last(records)
    found = []
    for keys in _LEVELS:
        for values, part in _parts(records, keys):
            place = dict(zip(keys or ["group"], values, strict=True))
            new = fresh.filter(*([_listed] if values == (LISTED,) else [pl.col(key) == place[key] for key in keys]))
            with_any, n = part.select(_SESSION).n_unique(), _subjects(part)
            found.append((
                len(keys), place["group"], place.get("pt"), with_any,
                percent(with_any, of_sessions), *exact_limits(with_any, of_sessions), n, percent(n, of_subjects), part.height,
                _subjects(part.filter("high_grade")), _subjects(part.filter("serious")), _subjects(part.filter("to_procedure")),
                None if study.last_report is None else _subjects(new), of_sessions, of_subjects,
            ))  # fmt: skip
    frame = rows_to_frame(found, COMPLICATIONS)
    group_n = frame.filter(pl.col("level") == 1).select("group", pl.col("n").alias("group_n"))
    frame = frame.join(group_n, on="group", how="left").sort(
        pl.col("level") > 0, pl.col("group") == LISTED, pl.col("group") == OTHER, "group_n", "group", "level", "n", "PT",
        descending=[False, False, False, True, False, False, True, False],
    )  # fmt: skip
    return Table(NAME, title, frame.select(list(COMPLICATIONS)), _rule(of_sessions, of_subjects))


def by_kind(study: Study) -> Table:
    """Sessions with a complication by the way the procedure was done and by where; of sessions whose kind is known."""
    title = words("Sessions with a complication, by modality and by site of the procedure")
    rule = words(
        "Sessions with a listed complication, as defined above, in per cent of the sessions of that modality or site, with exact "
        "95 % limits; a session of several kinds is named by all of them; where the kind is not known it is left out."
    )
    records, held = study.once(complicated), study.once(sessions)
    if records is None or held is None:
        return Table.absent(KINDS, title, BY_KIND, rule, _why(study))
    records = records.filter(_listed)
    found: list[tuple[Any, ...]] = []
    for by in ("modality", "site"):
        for (value,), part in sorted(held.filter(pl.col(by).is_not_null()).group_by(by), key=lambda each: str(each[0])):
            own = records.filter(pl.col(by) == value)
            some, severe = own.select(_SESSION).n_unique(), own.filter("high_grade").select(_SESSION).n_unique()
            total = part.height
            limits = exact_limits(some, total)
            found.append((by, value, total, _subjects(part), some, percent(some, total), *limits, severe, percent(severe, total)))
    return Table(KINDS, title, rows_to_frame(found, BY_KIND), rule)


def sessions(study: Study) -> pl.DataFrame | None:
    """usubjid, session_on, modality, site: one row per day with the procedure; None where that is not known."""
    given = study.frame("exposures")
    names = _procedures(study)
    if given is None or not names:
        return None
    own = given.filter(pl.col("component").is_in(names), pl.col("start_on").is_not_null())
    own = own.join(study.treated, on="usubjid", how="semi").rename({"start_on": "session_on"})
    together = [
        pl.col(column).str.to_lowercase().drop_nulls().unique().sort().str.join(" + ").alias(name)
        for column, name in (("treatment", "modality"), ("location", "site"))
    ]
    found = own.group_by(_SESSION).agg(together).sort(_SESSION)
    return found.with_columns(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in ("modality", "site"))


def complicated(study: Study) -> pl.DataFrame | None:
    """Events that count as complications, with ``group``, their session and whether the site related them to it."""
    held = study.once(sessions)
    if held is None:
        return None
    opinions = [
        opinion for component in study.settings.components
        if component.kind is ComponentKind.PROCEDURE and (opinion := study.related_to(component)) is not None
    ]  # fmt: skip
    related = pl.any_horizontal(opinions).fill_null(False) if opinions else pl.lit(False)
    events = study.events.filter(pl.col("onset_on").is_not_null()).with_columns(related.alias("to_procedure"))
    dated = events.select("usubjid", "aeseq", "onset_on").sort("onset_on", "usubjid", "aeseq")
    last = dated.join_asof(
        held.with_columns(onset_on=pl.col("session_on")).sort("onset_on", "usubjid"), on="onset_on", by="usubjid",
        strategy="backward", check_sortedness=False,
    )  # fmt: skip
    window = pl.col("onset_on") <= pl.col("session_on") + pl.duration(days=_DATA["days"])
    found = events.join(last.drop("onset_on"), on=["usubjid", "aeseq"], how="left", maintain_order="left").filter(window)
    other = pl.when("to_procedure").then(pl.lit(OTHER))
    return found.with_columns(pl.coalesce(_group(), other).alias("group")).filter(pl.col("group").is_not_null())


def _group() -> pl.Expr:
    """The first group that lists the term, or a word of the report."""
    text = pl.col("aeterm").fill_null("").str.to_lowercase()
    found: pl.Expr = pl.lit(None, pl.String)
    for group in reversed(_DATA["group"]):
        said = [text.str.contains(word, literal=True) for word in group.get("words", ())]
        fits = pl.any_horizontal(pl.col("pt").is_in(group.get("terms", [])), *said)
        found = pl.when(fits).then(pl.lit(group["name"])).otherwise(found)
    return found


def _parts(records: pl.DataFrame, keys: list[str]) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    return list(records.group_by(keys)) if keys else [((ANY,), records), ((LISTED,), records.filter(_listed))]


def _subjects(records: pl.DataFrame) -> int:
    return records["usubjid"].n_unique()


def _procedures(study: Study) -> list[str]:
    return [component.name for component in study.settings.components if component.kind is ComponentKind.PROCEDURE]


def _why(study: Study) -> Words:
    if not _procedures(study):
        return words("no component of the study is a procedure")
    return words("procedures (PR) were not imported")


def _rule(of_sessions: int, of_subjects: int) -> Words:
    return words(
        "Events of treated subjects with onset from the day of a session to {days} days after it: of a listed term or word "
        "whatever the investigator’s opinion, and any other that the investigator related to the procedure. Per cent of "
        "{sessions} sessions and of {subjects} subjects with a session; each counts once per row; an event belongs to the last "
        "session before it.", days=_DATA["days"], sessions=of_sessions, subjects=of_subjects,
    )  # fmt: skip
