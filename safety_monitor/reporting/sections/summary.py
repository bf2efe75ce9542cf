"""The executive page: what needs a decision, what changed since the last report, what the board asked for. One page.

What is in it is decided here; how many lines each part may take (``reporting/pages.toml``) keeps it one page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from safety_monitor.reporting.pages import PAGES
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.stopping_words import label_of
from safety_monitor.reporting.tables.since_last import DEATHS_ROW, SUBJECTS_ROW
from safety_monitor.reporting.wording import Words, words

DECIDE, REVIEW, CLEAR, UNKNOWN = "decide", "review", "clear", "unknown"
_SAID = {DECIDE: words("Decide"), REVIEW: words("Review"), CLEAR: words("Clear"), UNKNOWN: words("Not known")}


@dataclass(frozen=True)
class Matter:
    """One thing that the board looks at: how urgent, what, and what was found."""

    urgency: str
    what: str
    finding: str

    @property
    def said(self) -> Words:
        return _SAID[self.urgency]


def section(material: Material) -> Section:
    frames, tables = material.snapshot.frames, material.tables
    overview = {row["row"]: row for row in tables["overview"].frame.iter_rows(named=True)}
    subjects, events = frames["subjects"], frames["events"]
    moved = {row["row"]: row for row in tables["since_last_report"].frame.iter_rows(named=True)}
    last = frames["last_report"].to_dicts()[0] if "last_report" in frames else None
    new = tables["since_last_events"].frame
    items = frames["actions"].filter(pl.col("closed_on").is_null()).sort("due", "number") if "actions" in frames else None
    new_serious, n_other = _by_term(
        new.filter(pl.col("serious").fill_null(False) & ~pl.col("serious_before").fill_null(False))
    )
    dead = _deaths_since(subjects, last)
    shown: int = PAGES["summary"]["actions"]
    return Section(
        "summary",
        "Summary",
        {
            "n_screened": subjects.height,
            "n_treated": int(subjects["treated"].sum()),
            "n_sites": subjects["siteid"].n_unique(),
            "n_planned": material.settings.accrual.planned,
            "serious": overview["Any SAE (AESER=Y or any criterion)"],
            "high_grade": overview["Grade >=3 TEAE"],
            "deaths": overview["Deaths (DM.DTHFL)"],
            "fatal": overview["Fatal (grade 5 / AESDTH / AEOUT=FATAL)"],
            "last": last,
            "moved": moved,
            "moved_rows": [SUBJECTS_ROW, DEATHS_ROW, *[row for row in moved if row not in (SUBJECTS_ROW, DEATHS_ROW)]],
            "moved_table": tables["since_last_report"],
            "changes": {name: new.filter(pl.col("change") == name).height for name in ("changed", "withdrawn")},
            "new_serious": new_serious,
            "n_other_serious": n_other,
            "new_deaths": dead.head(PAGES["summary"]["deaths"]).to_dicts(),
            "n_new_deaths": dead.height,
            "matters": [*_stopping(material), _hys_law(material), _unexpected(events), *_not_flagged(events)],
            "actions": None if items is None else items.head(shown).to_dicts(),
            "n_actions": 0 if items is None else items.height,
            "n_overdue": 0 if items is None else int(items["overdue"].sum()),
            "n_closed": frames["actions"]["closed_on"].count() if items is not None else 0,
            "n_queries": frames["queries"].height,
            "n_missing_grade": events.filter(pl.col("treated") & pl.col("grade").is_null()).height,
            "n_not_coded": events.filter(pl.col("aedecod").str.starts_with("[not coded]")).height,
        },
    )


def _deaths_since(subjects: pl.DataFrame, last: dict[str, Any] | None) -> pl.DataFrame:
    """Treated subjects who died after the data cut-off of the last report; where it had none, after its issue."""
    if last is None:
        return subjects.clear()
    after = last["cutoff"] or last["issued_on"]
    return subjects.filter("treated", pl.col("death_on") > after).sort("death_on", "usubjid")


def _stopping(material: Material) -> list[Matter]:
    table = material.tables["stopping"]
    if table.not_collected:
        return [Matter(UNKNOWN, words("Stopping rules"), words("None is configured for this study."))]
    found = []
    for configured, rule in zip(material.settings.stopping, table.frame.iter_rows(named=True), strict=True):
        what = words("Stopping rule: {event}", event=label_of(configured))
        numbers: dict[str, Any] = {name: rule[name] for name in ("n_events", "n_treated", "boundary", "next_trigger")}
        if rule["crossed"]:
            said = words(
                "Boundary reached: {n_events} of {n_treated} treated had the event, the boundary is {boundary}.", **numbers
            )
        elif rule["boundary"] is None:
            said = words("{n_events} of {n_treated} treated had the event; no number of events stops the trial yet.", **numbers)
        else:
            said = words("{n_events} of {n_treated} treated had the event, the boundary is {boundary}.", **numbers)
        if rule["next_trigger"] and not rule["crossed"]:
            at, of = str(rule["next_trigger"]).split(" of ")
            said += " " + words("It could next stop the trial at {at} of {of}.", at=at, of=of)
        found.append(Matter(DECIDE if rule["crossed"] else CLEAR, what, said))
    return found


def _hys_law(material: Material) -> Matter:
    table, what = material.tables["hys_law"], words("Hy’s law")
    if table.not_collected:
        return Matter(UNKNOWN, what, words("Laboratory results were not imported."))
    n = table.frame.filter(pl.col("peak_candidate")).height
    if not n:
        return Matter(CLEAR, what, words("No subject meets the numbers of Hy’s law."))
    return Matter(REVIEW, what, words("Subjects who meet its numbers: {n}. A person has to review each.", n=n))


def _unexpected(events: pl.DataFrame) -> Matter:
    what = words("Unexpected serious reactions (SUSAR)")
    if "susar" not in events.columns:
        return Matter(UNKNOWN, what, words("Expectedness was not decided in this snapshot."))
    found = events.filter(pl.col("susar").is_not_null())
    if not found.height:
        return Matter(CLEAR, what, words("No event counts as one."))
    said = words("Events: {n}, in subjects: {subjects}.", n=found.height, subjects=found["usubjid"].n_unique())
    return Matter(REVIEW, what, said)


def _not_flagged(events: pl.DataFrame) -> list[Matter]:
    n = events.filter(pl.col("serious") & ~pl.col("serious_as_flagged")).height
    said = words(
        "Events that meet a criterion although AESER is not Y: {n}. They are treated as serious; the sites are asked.", n=n
    )
    return [Matter(REVIEW, words("Seriousness"), said)] if n else []


def _by_term(events: pl.DataFrame) -> tuple[list[tuple[str, int]], int]:
    """The commonest terms with their number of events, and how many events have another term."""
    counted = events.group_by("AEDECOD").len().sort(["len", "AEDECOD"], descending=[True, False])
    n_shown: int = PAGES["summary"]["terms"]
    return list(counted.head(n_shown).iter_rows()), int(counted["len"].slice(n_shown).sum())
