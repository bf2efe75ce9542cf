"""``config.yaml``, the environment and a folder's ``study.yaml`` as frozen settings.

The file says who, where and when; the environment overrides single values (``SAFETY_MONITOR_DATABASE_URL``
is ``database.url``, ``SAFETY_MONITOR_MAIL_PASSWORD`` is ``mail.password``) and is the only place for
secrets. Relative paths are taken from the folder of the file. An unknown key is refused with the nearest
known one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from apscheduler.triggers.cron import CronTrigger
from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from ctcae_v403 import official
from safety_monitor.study import Settings, SettingsError, StudySettings, known_zone, validated
from safety_monitor.vocabulary import AlertKind, Role

ENVIRONMENT_PREFIX = "SAFETY_MONITOR_"
#: The file that is read without --config; where there is none, defaults hold.
DEFAULT = Path("config.yaml")


class DatabaseSettings(Settings):
    url: str = "sqlite:///safety_monitor.db"


class Person(Settings):
    """Somebody who acts or is written to. ``sites`` empty means every site; investigators must name theirs."""

    name: str = Field(min_length=1)
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    role: Role
    sites: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    language: Literal["en", "zh"] = "en"

    @model_validator(mode="after")
    def _investigators_have_sites(self) -> Person:
        if self.role is Role.INVESTIGATOR and not self.sites:
            raise ValueError(f"{self.name} is an investigator and needs sites: investigators see their own site only")
        return self


class Route(Settings):
    """Which roles an alert kind goes to; ``min_grade`` narrows it to events of that grade or worse, ``rules`` to alerts of those
    rules; ``every_site`` tells investigators of other sites too (SUSAR notices)."""

    kinds: tuple[AlertKind, ...] = tuple(AlertKind)
    roles: tuple[Role, ...]
    rules: tuple[str, ...] = ()
    every_site: bool = False
    min_grade: int | None = Field(default=None, ge=1, le=5)


class Permissions(Settings):
    """Which roles may decide what. An investigator decides for the own sites only. The defaults follow ICH E6: the site answers
    for its data, the sponsor's safety staff and data management for what becomes of a question. An opinion on causality is the
    investigator's own where an investigator gives it, else the sponsor's.
    """

    override_case: tuple[Role, ...] = (Role.SPONSOR_REVIEWER, Role.MEDICAL_MONITOR)
    meet_clock: tuple[Role, ...] = (Role.SAFETY_OFFICER, Role.MEDICAL_MONITOR, Role.SPONSOR_REVIEWER)
    draft_case: tuple[Role, ...] = (
        Role.INVESTIGATOR, Role.SAFETY_OFFICER, Role.MEDICAL_MONITOR, Role.SPONSOR_REVIEWER,
    )  # fmt: skip
    decide_case: tuple[Role, ...] = (Role.INVESTIGATOR, Role.SAFETY_OFFICER, Role.MEDICAL_MONITOR)
    answer_query: tuple[Role, ...] = (
        Role.INVESTIGATOR, Role.SAFETY_OFFICER, Role.MEDICAL_MONITOR, Role.SPONSOR_REVIEWER, Role.DATA_MANAGER,
    )  # fmt: skip
    assess_causality: tuple[Role, ...] = (Role.INVESTIGATOR, Role.SPONSOR_REVIEWER, Role.MEDICAL_MONITOR)
    close_query: tuple[Role, ...] = (
        Role.SAFETY_OFFICER, Role.MEDICAL_MONITOR, Role.SPONSOR_REVIEWER, Role.DATA_MANAGER,
    )  # fmt: skip
    sign_report: tuple[Role, ...] = (
        Role.SAFETY_OFFICER, Role.MEDICAL_MONITOR, Role.SPONSOR_REVIEWER, Role.DSMB_MEMBER,
    )  # fmt: skip
    keep_actions: tuple[Role, ...] = (
        Role.SAFETY_OFFICER, Role.MEDICAL_MONITOR, Role.SPONSOR_REVIEWER, Role.DSMB_MEMBER,
    )  # fmt: skip


class BounceSettings(Settings):
    """Where mails that come back are read from: a ``folder`` (``.eml`` files or a Maildir), or a mailbox of an IMAP ``host``."""

    folder: Path | None = None
    host: str | None = None
    port: int = Field(default=993, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "tls"
    ca_file: Path | None = None
    username: str = ""
    password: SecretStr | None = None
    mailbox: str = "INBOX"

    @model_validator(mode="after")
    def _one_place(self) -> BounceSettings:
        if self.folder and self.host:
            raise ValueError("bounces are read from one place: give folder or host, not both")
        return self


class MailSettings(Settings):
    """Where mails go: into ``folder`` as ``.eml`` files, or by SMTP."""

    transport: Literal["folder", "smtp"] = "folder"
    folder: Path = Path("mailbox")
    sender: str = "Safety Monitor <safety-monitor@localhost>"
    host: str = "localhost"
    port: int = Field(default=25, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "starttls"
    ca_file: Path | None = None
    username: str | None = None
    password: SecretStr | None = None
    timeout_seconds: float = Field(default=30, gt=0)
    link: str = "http://localhost/alerts"
    bounces: BounceSettings = BounceSettings()
    attachment_password: SecretStr | None = None


class DeliverySettings(Settings):
    """How the outbox is worked: lease, batch, and the growing delay between tries (no limit on tries)."""

    lease_seconds: int = Field(default=300, gt=0)
    batch: int = Field(default=50, gt=0)
    first_retry_seconds: int = Field(default=60, gt=0)
    longest_retry_seconds: int = Field(default=3600, gt=0)
    poll_seconds: float = Field(default=0.5, gt=0)
    journal: Path = Path("deliveries.jsonl")
    watch_seconds: float = Field(default=60, gt=0)
    digest_from: int = Field(default=5, ge=2)
    digest_within_seconds: float = Field(default=60, gt=0)
    failures_before_next_contact: int = Field(default=5, gt=0)


class Job(Settings):
    """One row of the schedule. ``cron`` has five fields and names week days (``0 7 * * mon``)."""

    name: str = Field(min_length=1)
    job: Literal["dsmb_report", "safety_report", "clock_reminders", "stopping_check", "reconciliation", "backup"]
    cron: str
    timezone: str = "UTC"
    studies: tuple[str, ...] = ()
    recipients: tuple[Role, ...] = ()
    attach: Literal["attached", "encrypted", "link"] = "attached"
    keep: int = Field(default=14, ge=1)
    language: Literal["en", "zh"] = "en"
    draft: bool = False
    catch_up: Literal["each", "once"] = "each"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        fields = value.split()
        if len(fields) != 5:
            raise ValueError(f"{value!r} has {len(fields)} fields; write minute hour day month weekday")
        if any(character.isdigit() for character in fields[4]):
            raise ValueError(f"{value!r}: name week days (mon, tue, …); numbers mean different days to different tools")
        try:
            CronTrigger.from_crontab(value, timezone="UTC")
        except ValueError as error:
            raise ValueError(f"{value!r} is no calendar: {error}") from None
        return value


class Config(Settings):
    """All of ``config.yaml``. ``base`` is the folder that relative paths are taken from."""

    base: Path = Path()
    database: DatabaseSettings = DatabaseSettings()
    organisation: str = "Sponsor"
    timezone: str | None = None
    page_size: Literal["A4", "Letter"] = "A4"
    reports: Path = Path("reports")
    people: tuple[Person, ...] = ()
    routes: tuple[Route, ...] = ()
    permissions: Permissions = Permissions()
    mail: MailSettings = MailSettings()
    delivery: DeliverySettings = DeliverySettings()
    jobs: tuple[Job, ...] = ()
    default_study: StudySettings | None = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return known_zone(value) if value else None

    @field_validator("jobs")
    @classmethod
    def _jobs_have_their_own_names(cls, value: tuple[Job, ...]) -> tuple[Job, ...]:
        names = [job.name for job in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)}: each job needs a name of its own; its periods are kept under it")
        return value

    @property
    def official_wording(self) -> Path:
        """Where ``ctcae load-official`` keeps NCI's text: beside the configuration, under a fixed name."""
        return self.at(Path(official.FILE_NAME))

    @property
    def journal(self) -> Path | None:
        """The delivery journal; None for a configuration that was read from no file and names no full path."""
        path = self.delivery.journal
        return self.at(path) if path.is_absolute() or self.base != Path() else None

    def at(self, path: Path) -> Path:
        """*path* from the configuration's folder."""
        return path if path.is_absolute() else self.base / path

    @property
    def database_url(self) -> str:
        """The database URL with a relative SQLite file resolved from the configuration's folder."""
        prefix, _, name = self.database.url.partition(":///")
        if prefix != "sqlite" or not name or name.startswith("/") or name == ":memory:":
            return self.database.url
        return f"sqlite:///{(self.base / name).absolute()}"


_STUDY_KEYS = frozenset(StudySettings.model_fields)


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration in *path* with the environment laid over it; SettingsError explains every fault."""
    if not path.exists() and path != DEFAULT:
        raise SettingsError(f"{path} does not exist; check --config")
    raw = _mapping(path) if path.exists() else {}
    study_part = {key: raw.pop(key) for key in list(raw) if key in _STUDY_KEYS}
    for location, value in _overrides(os.environ if environment is None else environment):
        node = raw
        for part in location[:-1]:
            node = node.setdefault(part, {})
        node[location[-1]] = value
    if "study" in study_part:
        raw["default_study"] = study_part
    elif study_part:
        raw.update(study_part)  # refused below as unknown keys, by name: a study part needs study.id
    return validated(Config, {**raw, "base": path.absolute().parent}, path.name)


def load_study(folder: Path) -> StudySettings | None:
    """The settings in ``folder/study.yaml``; None where there is no such file."""
    path = folder / "study.yaml"
    return StudySettings.of(_mapping(path), str(path)) if path.is_file() else None


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise ValueError(f"{', '.join(twice)} is given twice (near line {node.start_mark.line + 1}); keep one")
        return super().construct_mapping(node, deep)


def _mapping(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: cannot be read as YAML: {error}") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise SettingsError(f"{path}: expected keys and values, found {type(raw).__name__}")
    return raw


def _overrides(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(location, value) for each variable that names a setting; other names with our prefix are left alone."""
    known = {"_".join(location).upper(): location for location in _locations(Config)}
    for name, value in environment.items():
        location = known.get(name.removeprefix(ENVIRONMENT_PREFIX)) if name.startswith(ENVIRONMENT_PREFIX) else None
        if location is not None:
            yield location, value


def _locations(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from ((name, *rest) for rest in _locations(inner))
        elif name != "base":
            yield (name,)
