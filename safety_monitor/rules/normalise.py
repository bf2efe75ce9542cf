"""From rows of text to records: which rows can be read, and what the readable ones say.

A row is refused only where keeping it would mean guessing: no key, a second row under a key already used,
another study, a date that does not exist, a grade or flag that is none. The refusal names field, value,
reason and remedy. Codes that CDISC does not know but that decide nothing here are kept as they are.
Authority: SDTM-IG 3.4 (keys and variables), ISO 8601 (dates), CDISC NY codelist C66742 (flags).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from safety_monitor.records import PartialDate, Rejection
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import Outcome, Seriousness

Row = Mapping[str, str | None]
_WHOLE = re.compile(r"(\d{1,15})(?:\.0*)?")
_NO = frozenset({"", "N", "NO", "0", "F", "FALSE", "U", "NA", "UNKNOWN", "NONE", "否"})


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One accepted row: its key within the domain, where it stood, and its content as canonical JSON."""

    key: str
    file: str
    row: int
    content: str
    sha256: str


def flag(text: str | None) -> bool | None:
    """A CDISC Y/N variable: True, False, or None where blank, U or NA.

    >>> flag("Y"), flag("n"), flag("U"), flag(None)
    (True, False, None, None)
    """
    value = (text or "").strip().upper()
    if value in {"", "U", "NA", "UNKNOWN"}:
        return None
    if value in {"Y", "N"}:
        return value == "Y"
    raise ValueError("is not Y, N, U, NA or blank")


def whole_number(text: str | None) -> int:
    """A sequence number; exports write 7 also as 7.0."""
    found = _WHOLE.fullmatch((text or "").strip())
    if found is None:
        raise ValueError("is not a whole number")
    return int(found[1])


def grade(text: str | None, settings: StudySettings) -> int | None:
    """The reported grade, 0 to 5, from the configured source; None where blank."""
    value = (text or "").strip().upper()
    if not value:
        return None
    words = settings.grade.map
    if words:
        if value not in words:
            raise ValueError(f"is not one of {', '.join(words)} (grade.map of the study settings)")
        return words[value]
    try:
        number = whole_number(value)
    except ValueError:
        number = -1
    if not 0 <= number <= 5:
        raise ValueError("is not a CTCAE grade (1 to 5)")
    return number


def _date(text: str | None) -> object:
    return PartialDate.parse(text) if text else None


def aware_at(text: str | None, settings: StudySettings) -> datetime | None:
    """An instant of awareness: of the study's time zone where it names none; of a day alone, its first minute."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("is not an ISO 8601 date or date and time") from None
    return found if found.tzinfo else found.replace(tzinfo=settings.zone)


def _number(text: str | None) -> object:
    try:
        number = float(text) if text else None
    except ValueError:
        number = math.nan
    if number is not None and not math.isfinite(number):
        raise ValueError("is not a number")
    return number


_DATE_REMEDY = "Correct it at the source; where a part is unknown, leave it out (2026-02 or 2026)"
_INSTANT_REMEDY = "Write it as 2026-03-01T20:15, with +08:00 where it is not of the study's time zone"
_FLAG_REMEDY = "Write Y or N, or leave it blank where it is not known"
Check = tuple[Callable[[str | None], object], str]


def _checks(domain: str, settings: StudySettings) -> dict[str, Check]:
    """What each field that is used must be able to say, by variable name."""
    dates: tuple[str, ...] = (f"{domain}DTC", f"{domain}STDTC", f"{domain}ENDTC")
    if domain == "DM":
        dates = ("RFICDTC", "RFSTDTC", "RFENDTC", "RFXSTDTC", "RFXENDTC", "DTHDTC")
    checks: dict[str, Check] = {name: (_date, _DATE_REMEDY) for name in dates}
    if domain == "AE":
        flags = ("AESER", *(criterion.value.upper() for criterion in Seriousness))
        checks |= {name: (flag, _FLAG_REMEDY) for name in flags}
        remedy = "Correct the grade, or leave it blank where it is missing"
        checks[settings.grade.source] = (lambda text: grade(text, settings), remedy)
    elif domain == "EX":
        checks["EXDOSE"] = (_number, "Give the dose as a number; text belongs in EXDOSTXT")
    elif domain == "SAE_RECEIPT":
        columns = ("SITE_AWARE_AT", "SPONSOR_AWARE_AT")
        checks |= {name: (lambda text: aware_at(text, settings), _INSTANT_REMEDY) for name in columns}
    elif domain == "DM":
        checks |= {"DTHFL": (flag, _FLAG_REMEDY), "AGE": (_number, "Give the age as a number")}
    return checks


def key_of(domain: str, row: Row) -> tuple[str, str, str | None]:
    """(key, "", None) of a row, or ("", the field that is missing or wrong, why)."""
    if not row.get("USUBJID"):
        return "", "USUBJID", "is blank"
    if domain == "DM":
        return str(row["USUBJID"]), "", None
    if domain.startswith("SUPP"):
        parts = [row.get(name) or "" for name in ("USUBJID", "IDVAR", "IDVARVAL", "QNAM")]
        if not parts[3]:
            return "", "QNAM", "is blank"
        if parts[2]:
            parts[2] = _plain(parts[2])
        return "|".join(parts), "", None
    sequence = "AESEQ" if domain == "SAE_RECEIPT" else f"{domain}SEQ"
    try:
        return f"{row['USUBJID']}|{whole_number(row.get(sequence))}", "", None
    except ValueError as error:
        return "", sequence, str(error)


def _plain(text: str) -> str:
    try:
        return str(whole_number(text))
    except ValueError:
        return text


def read_rows(
    domain: str, file: str, rows: Iterable[tuple[int, Row]], settings: StudySettings, seen: dict[str, SourceRecord]
) -> Iterator[SourceRecord | tuple[Rejection, Row]]:
    """Each row as an accepted record, or refused with its content; ``seen`` holds the keys used so far.

    The same row given twice is one record; a different row under the same key is refused, the first stays.
    """
    checks = _checks(domain, settings)
    for number, given in rows:
        row = _unpadded(given)
        fault = _fault(domain, row, checks, settings)
        key, field, why = key_of(domain, row)
        if why is not None:
            fault = (field, row.get(field) or "", why, "Every record needs its subject and its own number")
        if fault is not None:
            yield Rejection(file, number, *fault), row
            continue
        content = canonical(row)
        record = SourceRecord(key, file, number, content, hashlib.sha256(content.encode()).hexdigest())
        earlier = seen.setdefault(key, record)
        if earlier is record:
            yield record
        elif earlier.sha256 != record.sha256 and not _adds_nothing(earlier, record):
            where = f"{earlier.file} row {earlier.row}"
            remedy = "Give each record a key of its own, or remove the outdated one"
            yield Rejection(file, number, "key", key, f"is already used by {where} with other content", remedy), row


def _unpadded(row: Row) -> Row:
    """Identifiers without the blanks that some exports pad them with: "S1 " is the subject S1."""
    return {**row, **{name: (row[name] or "").strip() or None for name in ("STUDYID", "USUBJID") if name in row}}


def canonical(row: Row) -> str:
    """The row as JSON: blanks left out, names sorted; equal content gives equal text.

    >>> canonical({"B": "2", "A": None, "C": "x"})
    '{"B":"2","C":"x"}'
    """
    given = {name: value for name, value in row.items() if value is not None}
    return json.dumps(given, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _adds_nothing(earlier: SourceRecord, later: SourceRecord) -> bool:
    """Whether a second row under a key only repeats (part of) the first: an extract of the same dataset."""
    first, second = json.loads(earlier.content), json.loads(later.content)
    return all(first.get(name) == value for name, value in second.items())


def _fault(
    domain: str, row: Row, checks: Mapping[str, Check], settings: StudySettings
) -> tuple[str, str, str, str] | None:
    study = row.get("STUDYID")
    if study and study.strip() != settings.id:
        return "STUDYID", study, f"is not {settings.id}", "Import it with the settings of its own study"
    if domain == "AE" and not (row.get("AETERM") or row.get("AEDECOD")):
        return "AETERM", "", "is blank", "Every event needs its reported term"
    for name, (check, remedy) in checks.items():
        try:
            check(row.get(name))
        except ValueError as error:
            return name, row.get(name) or "", _reason(str(error), row.get(name)), remedy
    return None


def _reason(message: str, value: str | None) -> str:
    return message.removeprefix(repr(value)).strip()


def looks_serious(row: Row, settings: StudySettings) -> bool:
    """Whether a refused AE row may report a serious event: no refusal may hide one.

    A flag that is neither N nor blank may be a badly written Y; what looks like grade 5 may be a death.
    """
    return looks_fatal(row, settings) or any(_claimed(row.get(name)) for name in _FLAGS)


def looks_fatal(row: Row, settings: StudySettings) -> bool:
    """Whether a refused AE row may report a death."""
    grade_text = "" if settings.grade.map else row.get(settings.grade.source) or ""
    return Outcome.of(row.get("AEOUT")) is Outcome.FATAL or _claimed(row.get("AESDTH")) or "5" in grade_text


_FLAGS = ("AESER", *(criterion.value.upper() for criterion in Seriousness))


def _claimed(flag_text: str | None) -> bool:
    return (flag_text or "").strip().upper() not in _NO


def supplemental(rows: Sequence[Row]) -> dict[tuple[str, str, str], dict[str, str]]:
    """SUPP-- rows as (USUBJID, IDVAR, IDVARVAL) -> {QNAM: QVAL}."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in rows:
        if row.get("QVAL") is not None:
            key = (row["USUBJID"] or "", row.get("IDVAR") or "", _plain(row.get("IDVARVAL") or ""))
            found.setdefault(key, {})[row["QNAM"] or ""] = row["QVAL"] or ""
    return found
