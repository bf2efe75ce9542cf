"""Two opinions on one cause: how far apart they are, and what counts for expedited reporting.

The investigator's opinion is what the site reports, a word or a level. An investigator may also state one here; it stands
beside the reported one, which only new data of the site change. The sponsor's is that of a named reviewer, given with a
reason. Related, for a SUSAR, is what any of them calls at least possible (ICH E2A III.A; the more conservative counts). While
the investigator has said nothing, that is not a no. The system's weighing never enters: it asks a person to look, or to look
again.

>>> from safety_monitor.vocabulary import Level
>>> range_of("Y", ("Y",)), range_of("possibly related", ("Y",)), range_of("perhaps", ("Y",))
((<Level.POSSIBLE: 3>, <Level.DEFINITE: 5>), (<Level.POSSIBLE: 3>, <Level.POSSIBLE: 3>), None)
>>> distance(range_of("N", ("Y",)), Level.PROBABLE), distance(range_of("Y", ("Y",)), Level.UNLIKELY)
(2, 1)
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from safety_monitor.records import AdverseEvent, Assessment, ComponentOpinion, Query
from safety_monitor.rules.queries import ask
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import Level

INVESTIGATOR, STATED, SYSTEM, REVIEWER = "investigator", "investigator_stated", "system", "sponsor_reviewer"
#: Authors whose opinions are given here; the others follow the data.
PEOPLE = (STATED, REVIEWER)
#: Pieces of evidence that a question names.
_N_REASONS = 2
#: What a piece was inferred from: told by ``case show``, too long for a question.
_INFERRED = re.compile(r"\(inferred: .*\)")
Range = tuple[Level, Level]


@dataclass(frozen=True, slots=True)
class ReportedCausality:
    """What counts for expedited reporting of one serious event and component. ``related`` None: nobody calls it related, and
    the investigator has not said; it is treated as related until that is known.
    """

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
    held = sorted((o for o in opinions if o.component == component and o.author != SYSTEM), key=lambda o: o.author)
    said = [(each, related) for each in held if (related := _says_related(each.level, settings.related)) is not None]
    words = [f"{_who(each)}: {each.level}" for each, _ in said]
    unread = [f"{_who(each)}: {each.level!r} is no word of causality" for each in held
              if each.level and each not in (known for known, _ in said)]  # fmt: skip
    if holding := [_who(each) for each, related in said if related]:
        return ReportedCausality(True, " and ".join(holding), "; ".join(words + unread))
    if any(each.author in (INVESTIGATOR, STATED) for each, _ in said):
        return ReportedCausality(False, " and ".join(_who(each) for each, _ in said), "; ".join(words + unread))
    silent = "the investigator has given no opinion" if said else "nobody has given an opinion"
    return ReportedCausality(None, "nobody", "; ".join([*words, *unread, f"{silent}; treated as related until then"]))


def questions(
    event: AdverseEvent,
    assessment: Assessment,
    opinions: Iterable[ComponentOpinion],
    settings: StudySettings,
    siteid: str | None,
) -> list[Query]:
    """What is asked about the opinions on one event, each component apart: of the medical monitor where investigator and
    system are far apart, of the sponsor reviewer where a serious event wants a second opinion, or a second look, of the site
    where an investigator states here what the data do not say.

    Serious events are watched whenever they began: a window for counting is no limit of what a treatment can do.
    """
    rules, held = settings.attribution, list(opinions)
    severe = (event.grade or 0) >= rules.query_from_grade and assessment.treatment_emergent is not False
    asked = []
    for component in settings.components:
        own = {each.author: each for each in held if each.component == component.name}
        system, reviewer, stated = own.get(SYSTEM), own.get(REVIEWER), own.get(STATED)
        level = Level[system.level] if system and system.level else None
        reported = event.relatedness.get(component.name)
        said = range_of(reported, settings.related)
        apart = distance(said, level) if level else None
        counted = causality_for_reporting(component.name, held, settings)
        facts = {
            "component": component.name, "term": event.aedecod or event.aeterm,
            "investigator": repr(reported) if reported else "nothing",
            "system": level.name.lower() if level else None, "reasons": _reasons(held, component.name),
            "reviewer": reviewer.level.lower() if reviewer and reviewer.level else None,
            "given_by": reviewer.given_by if reviewer else None,
            "stated": stated.level.lower() if stated and stated.level else None,
            "stated_by": stated.given_by if stated else None,
            "data_say_so": _yes(stated is None or stated.level is None or distance(said, Level[stated.level]) == 0),
            "watched": _yes(assessment.serious or severe), "serious": _yes(assessment.serious),
            "far_apart": _yes(apart is not None and apart >= rules.query_distance),
            "review_wanted": _yes((level is not None and level.related) or counted.related is None),
            "system_related": _yes(level is not None and level.related),
            "people_say_related": _yes(counted.treated_as_related),
        }  # fmt: skip
        about = f"AE {event.aeseq} {component.name}"
        asked += ask("causality", facts, study_id=event.study_id, about=about, usubjid=event.usubjid, siteid=siteid)
    return asked


def _says_related(word: str | None, related: Collection[str]) -> bool | None:
    """Whether *word* means related, by the study's own list or the scale, whichever is the wider; None for no such word."""
    if word and word.strip().upper() in {each.upper() for each in related}:
        return True
    said = range_of(word, related)
    return None if said is None else said[1].related


def _reasons(opinions: Iterable[ComponentOpinion], component: str) -> str:
    """The cause that leads, and what moved its share most, of what is known about it and about *component*.

    No shares: a question is asked anew when its words change.
    """
    weighed = (each for each in opinions if each.author == SYSTEM and each.share is not None)
    # only the leading cause has a rationale: it tells which of two equal shares leads, in whatever order they come
    leading = max(weighed, key=lambda each: (bool(each.rationale), each.share or 0), default=None)
    if leading is None:
        return "no reasons are kept"
    about = {leading.component.lower(), component.lower()}
    told = [(cause.lower(), what) for cause, what, _ in leading.pieces if cause.lower() in about]
    pieces = "; ".join(f"{cause} {_INFERRED.sub('(inferred)', what)}" for cause, what in told[:_N_REASONS])
    return f"{leading.component} leads" + (f": {pieces}" if pieces else "")


def _yes(holds: bool) -> str:
    return "Y" if holds else "N"


def _who(opinion: ComponentOpinion) -> str:
    """The author as people say it.

    >>> _who(ComponentOpinion(component="pd1", author=REVIEWER, given_by="Dr Wang"))
    'sponsor reviewer Dr Wang'
    """
    role = "investigator" if opinion.author == STATED else opinion.author.replace("_", " ")
    return f"{role} {opinion.given_by}" if opinion.given_by else role


@cache
def _words() -> Mapping[str, Range]:
    found = tomllib.loads(files("safety_monitor.rules").joinpath("causality.toml").read_text("utf-8"))
    words = {word: (Level[name], Level[name]) for name, listed in found["words"].items() for word in listed}
    for entry in found["ranges"].values():
        words |= dict.fromkeys(entry["words"], (Level[entry["from"]], Level[entry["to"]]))
    return words
