"""What published rules advise about the dose after each event, and which events may be immune-mediated.

Advice, never an order; a candidate is a question to a person. From the frozen study alone (``rules.advising``), so a
later result changes the advice of a later report only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import polars as pl

from safety_monitor.attribution import disease_behind
from safety_monitor.records import PartialDate
from safety_monitor.reporting.tables.base import Study, Table, rows_to_frame
from safety_monitor.reporting.wording import words
from safety_monitor.rules import advising
from safety_monitor.rules.advice_text import body, sentence, source
from safety_monitor.rules.advising import Advised, Occurrence
from safety_monitor.rules.assembly import Exposure
from safety_monitor.rules.immune import Immune

_EVENT = {"usubjid": pl.String, "siteid": pl.String, "aeseq": pl.Int64, "term": pl.String, "grade": pl.Int64,
          "onset_on": pl.Date, "serious": pl.Boolean}  # fmt: skip
_ADVICE = {**_EVENT, "component": pl.String, "given_before": pl.Boolean, "action": pl.String, "advice": pl.String,
           "rule": pl.String, "source": pl.String, "tier": pl.String, "line": pl.String, "line_zh": pl.String}  # fmt: skip
_IMMUNE = {**_EVENT, "immune": pl.String, "organ": pl.String, "why": pl.String, "source": pl.String}
_MEASURED = {"usubjid": pl.String, "test": pl.String, "on": pl.Date, "x": pl.Float64, "uln": pl.Float64, "unit": pl.String,
             "is_baseline": pl.Boolean}  # fmt: skip
_VITALS = ("USUBJID", "VSTESTCD", "VSSTRESN", "VSSTRESU", "VSDTC")
#: A snapshot has exposures of everybody or of nobody: who has none was given none.
_COLLECTED = ("EX", "PR")


def tables(study: Study) -> Iterator[Table]:
    found = study.once(_found)
    yield dose_advice(study, found)
    yield immune_events(study, found)


def advised_events(study: Study) -> list[tuple[tuple[str, int], Immune | None]]:
    """Every event by its subject and number, with whether it is, or may be, immune-mediated."""
    return [((row["usubjid"], row["aeseq"]), advised.immune) for row, advised in study.once(_found)]


def _found(study: Study) -> list[tuple[dict[str, Any], Advised]]:
    record = _Record(study)
    return [(row, record.advised(row)) for row in study.all_events.sort("usubjid", "onset_on", "aeseq").iter_rows(named=True)]


def dose_advice(study: Study, found: list[tuple[dict[str, Any], Advised]]) -> Table:
    """One row per event and line of advice."""
    rule = words(
        "Advice, not an order: the protocol and the physician decide. Every event, of subjects not treated as well, for each "
        "component given on or before onset, by the rules whose source each row names. An investigator’s no ends the advice "
        "for a component unless the system holds it possible. What is not known is said as a condition. Fatal events have none."
    )
    title = "Dose actions advised by published rules"
    if study.settings.advice.off:
        return Table.absent("dose_advice", title, _ADVICE, rule, words("switched off in the study’s settings (advice.off)"))
    rows = [
        (*_of_event(row), name, given, advice.action, body(advice), advice.rule_id, source(advice), advice.source.tier,
         sentence(advice, name, given=given), sentence(advice, name, "zh", given=given))
        for row, advised in found for name, given, advice in advised.lines
    ]  # fmt: skip
    return Table("dose_advice", title, rows_to_frame(rows, _ADVICE), rule)


def immune_events(study: Study, found: list[tuple[dict[str, Any], Advised]]) -> Table:
    """One row per event that is reported as immune-mediated or a candidate."""
    rule = words(
        "Events that the investigator reports as immune-mediated, and candidates: of a listed term or word, on or after a PD-1 "
        "inhibitor at any time. A candidate is a question, not a finding; an event that is not listed here is not thereby a no."
    )
    rows = [
        (*_of_event(row), flag.answer, flag.organ, flag.why, flag.source)
        for row, advised in found if (flag := advised.immune) and flag.answer in ("reported", "candidate")
    ]  # fmt: skip
    title = "Immune-mediated events: reported and candidates"
    if found and all(advised.immune is None for _, advised in found):
        return Table.absent("immune_events", title, _IMMUNE, rule, words("no component of the study is known to cause them"))
    return Table("immune_events", title, rows_to_frame(rows, _IMMUNE), rule)


def _of_event(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["usubjid"], row["siteid"], row["aeseq"], row["pt"], row["grade"], row["onset_on"], row["serious"]


class _Record:
    """What the frozen study has by subject, read once."""

    def __init__(self, study: Study) -> None:
        self._settings = study.settings
        self._disease = study.settings.disease or disease_behind(study.settings.components, {})
        self._measured = advising.measured_of(_measurements(study))
        self._given: defaultdict[str, list[Exposure]] = defaultdict(list)
        exposures = study.frame("exposures")
        self._collected = () if exposures is None else _COLLECTED
        for row in exposures.iter_rows(named=True) if exposures is not None else ():
            self._given[row["usubjid"]].append(Exposure(**row))
        self._reports: defaultdict[tuple[str, str], list[tuple[int, date | None, date | None]]] = defaultdict(list)
        for row in study.all_events.iter_rows(named=True):
            self._reports[row["usubjid"], row["pt"]].append((row["aeseq"], row["onset_on"], _end(row)))

    def advised(self, row: Mapping[str, Any]) -> Advised:
        """Immune flag and advice for a row of the events."""
        components, who = self._settings.components, row["usubjid"]
        occurrence = Occurrence(
            term=row["pt"],
            verbatim=row["aeterm"] or "",
            organ_class=row["soc"],
            grade=row["grade"],
            onset_on=row["onset_on"],
            end_on=_end(row),
            fatal=bool(row["fatal"]),
            immune=row["immune"],
            life_threatening=row["aeslife"],
            related={
                c.name: advising.held_related(row.get(f"related_{c.name}"), row.get(f"level_{c.name}")) for c in components
            },
            before=[(onset, end) for seq, onset, end in self._reports[who, row["pt"]] if seq != row["aeseq"]],
        )
        given, measured = self._given[who], self._measured.get(who, ())
        return advising.advise_event(occurrence, given, measured, self._settings, self._collected, self._disease)


def _measurements(study: Study) -> pl.DataFrame:
    """Results and vital signs of the snapshot as ``advising.measured_of`` reads them."""
    found = [pl.DataFrame(schema=_MEASURED)]
    if (labs := study.frame("labs")) is not None:
        each = labs.unique(["usubjid", "lbtestcd", "on", "lbstresn", "lbstnrhi"], keep="first", maintain_order=True)
        found.append(each.select("usubjid", "on", "unit", "is_baseline", test="lbtestcd", x="lbstresn", uln="lbstnrhi"))
    vitals = study.frame("vs")
    if vitals is not None and set(_VITALS) <= set(vitals.columns):
        found.append(
            vitals.select(
                usubjid="USUBJID", test="VSTESTCD", x=pl.col("VSSTRESN").cast(pl.Float64, strict=False), unit="VSSTRESU",
                on=pl.col("VSDTC").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False),
            )
        )  # fmt: skip
    return pl.concat(found, how="diagonal")


def _end(row: Mapping[str, Any]) -> date | None:
    return PartialDate.parse(row["aeendtc"]).latest if row["aeendtc"] else None
