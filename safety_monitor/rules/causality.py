"""Two opinions on one cause: how far apart they are, and what counts for expedited reporting.

The investigator's opinion is what the site reports, a word or a level; the sponsor's is that of a named reviewer, given with
a reason. Related, for a SUSAR, is what either of the two calls at least possible (ICH E2A III.B, the more conservative
counts). The system's own weighing never enters that decision: it asks a person to look, or to look again.

>>> from safety_monitor.vocabulary import Level
>>> range_of("Y", ("Y",)), range_of("possibly related", ("Y",)), range_of("perhaps", ("Y",))
((<Level.POSSIBLE: 3>, <Level.DEFINITE: 5>), (<Level.POSSIBLE: 3>, <Level.POSSIBLE: 3>), None)
>>> distance(range_of("N", ("Y",)), Level.PROBABLE), distance(range_of("Y", ("Y",)), Level.UNLIKELY)
(2, 1)
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from safety_monitor.records import AdverseEvent, Assessment, ComponentOpinion, Query
from safety_monitor.rules.queries import ask
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import Level

INVESTIGATOR, SYSTEM, REVIEWER = "investigator", "system", "sponsor_reviewer"
Range = tuple[Level, Level]


@dataclass(frozen=True, slots=True)
class ReportedCausality:
    """What counts for expedited reporting of one event and component. ``related`` None: nobody has said; it is then treated
    as related until somebody does."""

    related: bool | None
    decided_by: str
    why: str

    @property
    def treated_as_related(self) -> bool:
        return self.related is not False


def range_of(word: str | None, related: Collection[str]) -> Range | None:
    """The levels that *word* leaves open; None where it is blank or no word of causality. *related*: the study's own words."""
    upper = (word or "").strip().upper()
    if upper in _words():
        return _words()[upper]
    if upper and upper in {each.upper() for each in related}:
        return Level.POSSIBLE, Level.DEFINITE
    return None


def distance(said: Range | None, level: Level) -> int | None:
    """Levels between *level* and the nearest that *said* leaves open; None where nothing was said."""
    if said is None:
        return None
    lowest, highest = said
    return max(lowest - level, level - highest, 0)


def causality_for_reporting(
    component: str, opinions: Iterable[ComponentOpinion], settings: StudySettings
) -> ReportedCausality:
    """The more conservative of the investigator's and the sponsor reviewer's opinion; the system's is not looked at."""
    by_author = {each.author: each for each in opinions if each.component == component and each.author != SYSTEM}
    said = {
        author: (lowest >= Level.POSSIBLE, opinion)
        for author, opinion in by_author.items()
        if (found := range_of(opinion.level, settings.related)) and (lowest := found[0])
    }
    if not said:
        return ReportedCausality(None, "nobody", "nobody has given an opinion; treated as related until somebody does")
    words = "; ".join(f"{_who(author, opinion)}: {opinion.level}" for author, (_, opinion) in sorted(said.items()))
    holding = [author for author, (is_related, _) in sorted(said.items()) if is_related]
    if holding:
        return ReportedCausality(True, " and ".join(_who(name, by_author[name]) for name in holding), words)
    return ReportedCausality(False, " and ".join(_who(name, by_author[name]) for name in sorted(said)), words)


def questions(
    event: AdverseEvent,
    assessment: Assessment,
    opinions: Iterable[ComponentOpinion],
    settings: StudySettings,
    siteid: str | None,
) -> list[Query]:
    """What is asked about the opinions on one event, each component apart: of the medical monitor where investigator and
    system are far apart, of the sponsor reviewer where a serious event wants a second opinion, or a second look.
    """
    rules, held = settings.causality, list(opinions)
    watched = assessment.serious or (event.grade or 0) >= rules.query_from_grade
    asked = []
    for component in settings.components:
        own = {each.author: each for each in held if each.component == component.name}
        system = own.get(SYSTEM)
        if system is None or system.level is None or not watched or assessment.treatment_emergent is False:
            continue
        level, reviewer = Level[system.level], own.get(REVIEWER)
        said = range_of(event.relatedness.get(component.name), settings.related)
        apart = distance(said, level)
        counted = causality_for_reporting(component.name, held, settings)
        facts = {
            "component": component.name, "term": event.aedecod or event.aeterm,
            "investigator": event.relatedness.get(component.name), "system": system.level.lower(),
            "share": f"{100 * (system.share or 0):.0f} %", "reviewer": reviewer.level if reviewer else None,
            "given_by": reviewer.given_by if reviewer else None,
            "far_apart": _yes(apart is not None and apart >= rules.query_distance),
            "serious": _yes(assessment.serious),
            "system_related": _yes(level.related), "system_sure": _yes(level >= Level.PROBABLE),
            "people_say_related": _yes(counted.treated_as_related),
        }  # fmt: skip
        about = f"AE {event.aeseq} {component.name}"
        asked += ask("causality", facts, study_id=event.study_id, about=about, usubjid=event.usubjid, siteid=siteid)
    return asked


def _yes(holds: bool) -> str:
    return "Y" if holds else "N"


def _who(author: str, opinion: ComponentOpinion) -> str:
    return f"sponsor reviewer {opinion.given_by}" if author == REVIEWER else author.replace("_", " ")


@cache
def _words() -> Mapping[str, Range]:
    found = tomllib.loads(files("safety_monitor.rules").joinpath("causality.toml").read_text("utf-8"))
    words = {word: (Level[name], Level[name]) for name, listed in found["words"].items() for word in listed}
    for entry in found["ranges"].values():
        words |= dict.fromkeys(entry["words"], (Level[entry["from"]], Level[entry["to"]]))
    return words
