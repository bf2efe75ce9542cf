"""The study as it was configured: what a protocol says that software has to know.

One frozen value per study, read from ``study.yaml`` or the study part of ``config.yaml`` (contract:
docs, "Configuration"). An unknown key is refused with the nearest known one: a misspelt
``stoping`` must not silently mean "no stopping rule".

>>> settings = StudySettings.of({"study": {"id": "S1", "title": "A study", "timezone": "UTC"}})
>>> settings.id, settings.treatment_emergent.days_after_last
('S1', 30)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

import ctcae_v403
from safety_monitor.vocabulary import ComponentKind

S = TypeVar("S", bound="Settings")


class SettingsError(ValueError):
    """A configuration that cannot be used: says where, what is wrong, and what would be right."""


class Settings(BaseModel):
    """Base of every settings value: frozen, and refusing keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of *known* that looks most like *word*."""
    return get_close_matches(word, sorted(known), n=1, cutoff=0)[0]


def known_zone(name: str) -> str:
    """*name*, where it is an IANA time zone; ValueError where it is none."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # OSError: a name that is a folder of zones, as "Asia"
        raise ValueError(f"{name!r} is not an IANA time zone such as Asia/Shanghai") from error
    return name


class StudyIdentity(Settings):
    id: str = Field(min_length=1)
    title: str = ""
    timezone: str = "UTC"
    cutoff: date | None = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)


class TreatmentEmergentRule(Settings):
    """``window``: onset from first treatment to ``days_after_last`` days after the last, both inclusive.
    ``flag``: the sponsor's own flag, in ``variable`` (an AE variable or a SUPPAE QNAM)."""

    rule: Literal["window", "flag"] = "window"
    days_after_last: int = Field(default=30, ge=0)
    variable: str = "AETRTEM"


class GradeSource(Settings):
    """Where the investigator's grade stands; ``map`` turns words (AESEV) into grades."""

    source: str = "AETOXGR"
    map: dict[str, int] = Field(default_factory=dict)

    @field_validator("map")
    @classmethod
    def _grades_exist(cls, value: dict[str, int]) -> dict[str, int]:
        for word, grade in value.items():
            if not 1 <= grade <= 5:
                raise ValueError(f"{word}: {grade} is not a grade; CTCAE grades are 1 to 5")
        return {word.strip().upper(): grade for word, grade in value.items()}


class Component(Settings):
    """One part of the combination that an event may be attributed to.

    ``match`` is compared with EXTRT or PRTRT without regard to case; ``relatedness`` names the SUPPAE
    QNAM or AE variable with the investigator's opinion, ``action`` that with what was done with this component (as AEACN);
    ``profile`` the attribution profile.
    """

    name: str = Field(min_length=1, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    kind: ComponentKind = ComponentKind.DRUG
    profile: str | None = None
    match: tuple[str, ...] = ()
    relatedness: str | None = None
    action: str | None = None

    def matches(self, treatment: str | None) -> bool:
        """True where *treatment* (EXTRT or PRTRT) is this component."""
        return (treatment or "").strip().casefold() in {m.strip().casefold() for m in self.match}


class StoppingRule(Settings):
    """A monitoring boundary on the number of subjects with an event.

    ``event`` names what counts (see ``safety_monitor.rules.stopping.EVENTS``); ``p0`` is the rate that is
    still acceptable, ``phi`` the chance of stopping at that rate, ``n_max`` the largest number treated.
    ``components``: only events related to one of these. The rest belongs to single methods: which, and what is the default,
    is decided in ``safety_monitor.rules.stopping``.
    """

    event: str
    components: tuple[str, ...] = ()
    numerator: str = "subjects"
    method: str = "pocock"
    p0: float = Field(gt=0, lt=1)
    phi: float = Field(default=0.05, gt=0, lt=1)
    n_max: int = Field(gt=0, le=1000)
    first_look: int = Field(default=1, ge=1)
    looks: tuple[int, ...] = ()
    shape: float | None = Field(default=None, ge=0, le=0.5)
    prior: tuple[float, float] | None = None
    certainty: float | None = Field(default=None, gt=0, lt=1)
    p1: float | None = Field(default=None, gt=0, lt=1)
    power: float | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="after")
    def _possible(self) -> StoppingRule:
        if list(self.looks) != sorted({n for n in self.looks if 1 <= n <= self.n_max}):
            raise ValueError(f"looks must rise and lie between 1 and n_max = {self.n_max}")
        if (self.looks and self.first_look > 1) or self.first_look > self.n_max:
            raise ValueError("first_look must not exceed n_max, and does not go with looks")
        if self.prior is not None and min(self.prior) <= 0:
            raise ValueError("prior needs two numbers above 0, the a and b of Beta(a, b)")
        return self


class Accrual(Settings):
    """How many subjects are planned, in all and by site, and the days between which they are expected to be treated."""

    planned: int | None = Field(default=None, gt=0)
    sites: dict[str, int] = Field(default_factory=dict)
    begins: date | None = None
    ends: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Accrual:
        if (self.begins is None) != (self.ends is None) or (self.begins and self.ends and self.begins >= self.ends):
            raise ValueError("accrual: begins and ends are given together, and begins is the earlier day")
        return self


class EpisodeRules(Settings):
    """How results become events (docs/events.md). The defaults are this project's choice for three-weekly cycles: a gap of
    more than three cycles splits an episode; a report within two weeks of one may be the same event.
    """

    gap_days: int = Field(default=63, ge=1)
    match_days: int = Field(default=14, ge=0)
    draft_from: int = Field(default=3, ge=1, le=4)


class AttributionRules(Settings):
    """When opinions on causality are asked about. Two levels: the distance at which related and not related stop being
    neighbours. Grade 3: below it, and not serious, the questions would outnumber their use.
    """

    query_distance: int = Field(default=2, ge=1, le=4)
    query_from_grade: int = Field(default=3, ge=1, le=5)


class ExpectedReactions(Settings):
    """One list of the reference safety information of a component: the highest expected grade by term, from a day on.

    ``substance``: only where this member of the component's class was given.
    """

    component: str
    effective_from: date
    source: str = Field(min_length=1)
    highest: dict[str, int]
    substance: str | None = None

    @field_validator("highest")
    @classmethod
    def _grades_exist(cls, value: dict[str, int]) -> dict[str, int]:
        for term, grade in value.items():
            if not 1 <= grade <= 5:
                raise ValueError(f"{term}: {grade} is not a grade; CTCAE grades are 1 to 5")
        return value


class AdviceRules(Settings):
    """What a study changes about the advice on doses (docs/advice.md): nothing, single rules, or ``off`` altogether.

    ``without``: ids of shipped rules that do not hold here. ``rules``: rows as in ``rules/advice.toml``; one with the id of
    a shipped rule replaces it. ``topics`` and ``sources``: what the own rules refer to beside the shipped ones.
    """

    off: bool = False
    without: tuple[str, ...] = ()
    rules: tuple[dict[str, Any], ...] = ()
    topics: dict[str, dict[str, Any]] = Field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = Field(default_factory=dict)


class StudySettings(Settings):
    """Everything configured about one study. What is not configured is reported as "not configured"."""

    study: StudyIdentity
    treatment_emergent: TreatmentEmergentRule = TreatmentEmergentRule()
    grade: GradeSource = GradeSource()
    related: tuple[str, ...] = ("Y",)
    terminology: Literal["ctcae", "meddra"] = "ctcae"
    components: tuple[Component, ...] = ()
    disease: str | None = None
    episodes: EpisodeRules = EpisodeRules()
    attribution: AttributionRules = AttributionRules()
    advice: AdviceRules = AdviceRules()
    lab_policy: str | dict[str, str] = "standard"
    stopping: tuple[StoppingRule, ...] = ()
    accrual: Accrual = Accrual()
    aesi: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    immune_flag: str | None = None
    jurisdictions: tuple[str, ...] = ()
    device_status: Literal["approved", "investigational"] | None = None
    phase: Literal[1, 2, 3] | None = None
    rsi: tuple[ExpectedReactions, ...] = ()
    post_window_days: int = Field(default=90, ge=0)
    encoding: str | None = None

    @property
    def id(self) -> str:
        return self.study.id

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.study.timezone)

    @field_validator("related")
    @classmethod
    def _upper(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word.strip().upper() for word in value)

    @field_validator("lab_policy", mode="before")
    @classmethod
    def _known_policy(cls, value: Any) -> Any:
        """Checked here, so that a misspelt switch stops at the file and not at the first report."""
        if isinstance(value, Mapping):  # YAML 1.1 reads an unquoted off as False
            value = {switch: "off" if setting is False else setting for switch, setting in value.items()}
        ctcae_v403.Policy.of(value)
        return value

    @model_validator(mode="after")
    def _distinct_components(self) -> StudySettings:
        names = [component.name.upper() for component in self.components]
        reserved = {"DISEASE", "OTHER"} & set(names)
        if len(set(names)) != len(names) or reserved:
            raise ValueError(
                "components: each name must be its own, and DISEASE and OTHER are taken (they are always weighed)"
            )
        return self

    @model_validator(mode="after")
    def _stopping_names_components(self) -> StudySettings:
        known = {component.name for component in self.components}
        for unknown in (name for rule in self.stopping for name in rule.components if name not in known):
            hint = f"did you mean {nearest(unknown, known)!r}?" if known else "none is configured"
            raise ValueError(f"stopping: component {unknown!r} is not one of the study's; {hint}")
        return self

    @classmethod
    def of(cls, raw: Mapping[str, Any], where: str = "study.yaml") -> StudySettings:
        """Settings from a parsed YAML mapping; SettingsError names *where*, the key and the remedy."""
        return validated(cls, raw, where)


def validated(model: type[S], raw: Mapping[str, Any], where: str) -> S:
    """*raw* as *model*; SettingsError with one line per fault, naming the nearest known key."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(model, fault, where) for fault in error.errors())) from None


def _explain(model: type[BaseModel], fault: Any, where: str) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = _keys_beside(model, fault["loc"])
        near = get_close_matches(str(fault["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"
        return f"{where}: unknown key {path!r}; {hint}"
    return f"{where}: {path}: {fault['msg']} (found {fault.get('input')!r})"


def _keys_beside(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that the model which holds the last part of *location* knows."""
    current: Any = model
    for part in location[:-1]:
        if isinstance(part, int) or not isinstance(current, type) or not issubclass(current, BaseModel):
            continue
        field = current.model_fields.get(part)
        if field is None:
            break
        current = _model_in(field.annotation) or current
    return list(current.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _model_in(inner)) is not None:
            return found
    return None
