"""Faults as real trials have them, planted where the record says so (``planted.csv``).

Each fault takes a row of its own, so that a reader of the trial can be asked about each one separately; a
trial too small to offer a fitting row goes without that fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from safety_monitor.simulate.assumptions import Assumptions
from safety_monitor.simulate.chance import Chance
from safety_monitor.simulate.columns import Row, Tables

CRITERIA = ("AESDTH", "AESLIFE", "AESHOSP", "AESDISAB", "AESCONG", "AESMIE")
_STREAM = 2  # the faults' own stream beside those of the subjects


def plant(tables: Tables, facts: Assumptions, seed: int) -> None:
    """Damage *tables* in place and list every change in ``tables["planted"]``."""
    _Planting(tables, facts, Chance(seed, 0, _STREAM)).run()


class _Planting:
    def __init__(self, tables: Tables, facts: Assumptions, chance: Chance) -> None:
        self.tables, self.facts, self.chance = tables, facts, chance
        self.taken: set[tuple[str, str]] = set()

    def run(self) -> None:
        faults = self.facts.faults
        self._local_units()
        self._verbatim()
        self._change("non-numeric grade", "AETOXGR", faults.odd_grade, lambda r: r["AETOXGR"] == "3")
        self._change(
            "impossible date", "AESTDTC", faults.impossible_date, _in_year(faults.impossible_date[:4])
        )
        for row in self._rows(faults.serious_but_unflagged, lambda r: r["AETOXGR"] == "3"):
            self._set("criterion without AESER", "ae", row, "AESHOSP", "Y")
        for row in self._rows(faults.flagged_but_no_criterion, lambda r: r["AETOXGR"] == "2"):
            self._set("AESER without criterion", "ae", row, "AESER", "Y")
        for n, row in enumerate(self._rows(faults.partial_dates, lambda r: r["AETOXGR"] in "12")):
            on = row["AESTDTC"]
            self._set("partial date", "ae", row, "AESTDTC", (on[:7], on[:4], "")[n % 3])
        for row in self._rows(faults.missing_grades, lambda r: True):
            self._set("missing grade", "ae", row, "AETOXGR", "")
        for row in self._rows(1, lambda r: bool(r["AEENDTC"]) and r["AEENDTC"] > r["AESTDTC"]):
            start, end = row["AESTDTC"], row["AEENDTC"]
            self._set("end before start", "ae", row, "AESTDTC", end)
            self._set("end before start", "ae", row, "AEENDTC", start)
        self._duplicate()
        self._qualified()
        self._strangers()

    def _rows(self, wanted: int, fits: Callable[[Row], bool]) -> Iterator[Row]:
        """Up to *wanted* untouched AE rows, none of them serious: a planted fault hides no serious event."""
        free = [
            r
            for r in self.tables["ae"]
            if r["AESER"] == "N" and (r["USUBJID"], r["AESEQ"]) not in self.taken and fits(r)
        ]
        for _ in range(min(wanted, len(free))):
            row = free.pop(self.chance.between((0, len(free) - 1)))
            self.taken.add((row["USUBJID"], row["AESEQ"]))
            yield row

    def _change(self, fault: str, variable: str, value: str, fits: Callable[[Row], bool]) -> None:
        for row in self._rows(1, fits):
            self._set(fault, "ae", row, variable, value)

    def _set(self, fault: str, file: str, row: Row, variable: str, value: str) -> None:
        self._note(fault, file, row, variable, value, row.get(variable, ""))
        row[variable] = value

    def _note(self, fault: str, file: str, row: Row, variable: str, value: str, was: str) -> None:
        self.tables["planted"].append(
            {
                "FAULT": fault,
                "FILE": f"{file}.csv",
                "USUBJID": row["USUBJID"],
                "SEQ": row.get(f"{file.upper()}SEQ", ""),
                "VARIABLE": variable,
                "VALUE": value,
                "WAS": was,
            }
        )

    def _local_units(self) -> None:
        """Not damage: one site reports in its own units. One line for each unit that it uses."""
        seen: set[str] = set()
        for row in self.tables["lb"]:
            if row["LBORRESU"] != row["LBSTRESU"] and row["LBTESTCD"] not in seen:
                seen.add(row["LBTESTCD"])
                self._note("local unit", "lb", row, "LBORRESU", row["LBORRESU"], row["LBSTRESU"])

    def _verbatim(self) -> None:
        faults = self.facts.faults
        for fault, wording, wanted in (
            ("misspelt term", faults.misspelt, len(faults.misspelt)),
            ("Chinese term", faults.chinese, 1),
        ):
            for term, written in wording.items():
                for row in self._rows(1 if wanted else 0, _is(term)):
                    wanted -= 1
                    self._set(fault, "ae", row, "AETERM", written)
                    self._set(fault, "ae", row, "AEDECOD", "")
                    row["AEBODSYS"] = ""

    def _duplicate(self) -> None:
        for row in self._rows(1, lambda r: r["AETOXGR"] in "12"):
            again = row | {"AETERM": row["AETERM"].upper(), "AETOXGR": str(int(row["AETOXGR"]) + 1)}
            self.tables["ae"].insert(self.tables["ae"].index(row) + 1, again)
            self._note("duplicate key", "ae", again, "AETOXGR", again["AETOXGR"], row["AETOXGR"])

    def _qualified(self) -> None:
        for code, written in self.facts.faults.qualified.items():
            free = [r for r in self.tables["lb"] if r["LBTESTCD"] == code and r["LBBLFL"] != "Y"]
            if free:
                row = self.chance.of(free)
                self._set("qualified result", "lb", row, "LBORRES", written)
                row |= {"LBSTRESC": written, "LBSTRESN": ""}

    def _strangers(self) -> None:
        faults, subjects = self.facts.faults, self.tables["dm"]
        self._set("unknown sex", "dm", self.chance.of(subjects), "SEX", faults.unknown_sex)
        for row in self._rows(1, lambda r: r["AETOXGR"] in "12"):
            someone = row["USUBJID"].rpartition("-")[0] + f"-{faults.ghost_subject}"
            ghost = row | {"USUBJID": someone, "AESEQ": "1"}
            self.tables["ae"].append(ghost)
            self._note("subject not in DM", "ae", ghost, "USUBJID", someone, "")


def _is(term: str) -> Callable[[Row], bool]:
    return lambda row: row["AEDECOD"] == term


def _in_year(year: str) -> Callable[[Row], bool]:
    return lambda row: row["AESTDTC"].startswith(year)
