"""NCI's own wording of the criteria, read from NCI's file by those who load it, and checked against the dictionary.

Source: NCI, CTCAE v4.03 (14 June 2010), the spreadsheet that NCI publishes (``.xls``) or an export of it
(``.xlsx``, ``.csv``). Columns are those of that file, whatever their case and trailing signs: MedDRA v12.0
Code, CTCAE v4.0 SOC, CTCAE v4.0 Term, Grade 1 … Grade 5, CTCAE v4.0 AE Term Definition. No wording of NCI is
shipped with this package.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctcae_v403 import dictionary
from ctcae_v403.dictionary import Term

#: How the wording is kept once loaded, beside the configuration.
FILE_NAME = "ctcae_v403_official.csv"
_COLUMNS = {
    "meddra_code": ("meddra v12.0 code", "meddra 12.0 code", "meddra code", "meddra_code"),
    "soc": ("ctcae v4.0 soc", "meddra soc", "soc"),
    "term": ("ctcae v4.0 term", "ctcae term", "term"),
    "definition": ("ctcae v4.0 ae term definition", "ctcae ae term definition", "definition"),
    **{f"grade{grade}": (f"grade {grade}", f"grade{grade}") for grade in range(1, 6)},
}
_NO_CRITERION = {"", "-", "\u2013", "\u2014"}  # NCI prints a dash where a grade does not exist


class OfficialFileError(ValueError):
    """A file that cannot be NCI's CTCAE v4.03; the message says what is missing and what to load."""


@dataclass(frozen=True, slots=True)
class Wording:
    """NCI's text of one term. ``grades``: the text of each grade that has one."""

    meddra_code: int
    soc: str
    term: str
    definition: str
    grades: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the file and the dictionary do not agree."""

    term: str
    what: str
    here: str
    file: str


def read(path: Path) -> tuple[Wording, ...]:
    """The wording in *path*. Raises OfficialFileError, OSError."""
    rows = _cells(path)
    header, columns = _header(rows, path)
    found = []
    for row in rows[header + 1 :]:
        value = {name: _text(row[at]) if at < len(row) else "" for name, at in columns.items()}
        code = re.sub(r"\.0$", "", value["meddra_code"])
        if not value["term"] or not code.isdigit():
            continue  # NCI's sheet has a heading and blank lines between the classes
        texts = {grade: value[f"grade{grade}"] for grade in range(1, 6)}
        grades = {grade: text for grade, text in texts.items() if text not in _NO_CRITERION}
        found.append(Wording(int(code), value["soc"], value["term"], value["definition"], grades))
    return tuple(found)


def differences(wordings: Sequence[Wording]) -> tuple[Difference, ...]:
    """Every point where *wordings* and the dictionary differ: terms, codes, classes, grades that exist.

    Raises OfficialFileError where terms are missing or unknown: then it is another version, or part of one.
    """
    ours = {term.meddra_code: term for term in dictionary.terms()}
    theirs = {wording.meddra_code: wording for wording in wordings}
    strange = [wording.term for code, wording in theirs.items() if code not in ours]
    missing = [term.name for code, term in ours.items() if code not in theirs]
    if strange or missing:
        some = "; ".join(
            f"{len(names)} {what}, such as {', '.join(names[:3])}"
            for names, what in ((strange, "terms that v4.03 does not have"), (missing, "terms missing")) if names
        )  # fmt: skip
        raise OfficialFileError(f"not the whole of CTCAE v4.03: {some}. Load NCI's CTCAE_4.03 file of 14 June 2010")
    found = []
    for code, term in ours.items():
        wording = theirs[code]
        for what, here, file in (("name", term.name, wording.term), ("class", term.soc, wording.soc)):
            if dictionary.normal(here) != dictionary.normal(file):
                found.append(Difference(term.name, what, here, file))
        if term.grades != tuple(sorted(wording.grades)):
            exist = "".join(map(str, sorted(wording.grades)))
            found.append(Difference(term.name, "grades", "".join(map(str, term.grades)), exist))
    return tuple(found)


def keep(wordings: Sequence[Wording], path: Path) -> None:
    """Writes *wordings* to *path* in one step, for :func:`load`."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for each in wordings:
            texts = (each.grades.get(grade, "") for grade in range(1, 6))
            writer.writerow([each.meddra_code, each.soc, each.term, each.definition, *texts])
    os.replace(part, path)


def load(path: Path) -> Mapping[int, Wording]:
    """The wording kept at *path* by MedDRA code; empty where none was loaded. Raises OfficialFileError."""
    return {each.meddra_code: each for each in read(path)} if path.exists() else {}


def text_of(term: Term, grade: int | None, wording: Mapping[int, Wording]) -> str:
    """What *grade* of *term* means: NCI's text where it was loaded, else the criteria in our words; empty where unknown."""
    if grade is None or not term.has_grade(grade):
        return ""
    if term.meddra_code in wording and grade in wording[term.meddra_code].grades:
        return wording[term.meddra_code].grades[grade]
    return "; ".join(each.text for each in term.criteria(grade))


def _cells(path: Path) -> list[list[object]]:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        content = path.read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252")  # as Excel saves "CSV" on Windows
        dialect = csv.Sniffer().sniff(text[:4096], ",;\t") if ";" in text.partition("\n")[0] else csv.excel
        return [list(row) for row in csv.reader(text.splitlines(keepends=True), dialect)]
    if suffix in (".xls", ".xlsx", ".xlsm", ".ods"):
        import python_calamine as calamine

        try:
            book = calamine.CalamineWorkbook.from_path(str(path))
            sheets = [[list[object](row) for row in book.get_sheet_by_name(name).to_python()] for name in book.sheet_names]
            return max(sheets, key=len)
        except calamine.CalamineError as error:
            raise OfficialFileError(f"{path.name} cannot be read as a spreadsheet: {error}") from None
    raise OfficialFileError(f"{path.name}: {suffix or 'no suffix'}; load .xls, .xlsx, .ods or .csv")


def _header(rows: Sequence[Sequence[object]], path: Path) -> tuple[int, dict[str, int]]:
    missing = list(_COLUMNS)
    for index, row in enumerate(rows[:20]):
        names = [re.sub(r"[^\w.]+", " ", _text(cell)).strip().lower() for cell in row]
        names = [re.sub(r"^(grade ?\d).*", r"\1", name) for name in names]  # "Grade 1" is followed by odd signs in NCI's sheet
        columns = {key: names.index(known) for key, wanted in _COLUMNS.items() for known in wanted[::-1] if known in names}
        absent = [wanted[0] for key, wanted in _COLUMNS.items() if key not in columns]
        if not absent:
            return index, columns
        missing = min(missing, absent, key=len)
    raise OfficialFileError(f"{path.name} has no column {', '.join(missing)}; load NCI's CTCAE_4.03 spreadsheet or an export")


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return re.sub(r"[ \t]+", " ", str(cell)).strip()
