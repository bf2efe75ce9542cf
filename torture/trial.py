"""A small trial that changes from import to import, and what it owes to whom, counted without looking at the program's rules.

Every event is reported as not related, so that only changes of serious events are told: a new one, an upgrade, a changed grade,
a downgrade, a deletion. Each of them owes one mail to the safety officer, to the medical monitor and to the investigator of the
subject's own site.
"""

from __future__ import annotations

import csv
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

OFFICER, MONITOR = "officer@example.org", "monitor@example.org"
SITES = {"01": "one@example.org", "02": "two@example.org"}
STUDY = "study: {id: T1, title: Torture, timezone: Asia/Shanghai}\ncomponents: [{name: lenvatinib, match: [LENVATINIB]}]\n"
TERMS = ("Colitis", "Stroke", "Pneumonitis", "Hepatic failure", "Diarrhea")
Owed = Counter[tuple[str, str, int, str]]  # kind, subject, number, recipient


@dataclass
class Trial:
    """The data as they are, and everything that they have owed so far."""

    folder: Path
    random: random.Random
    events: dict[tuple[str, int], tuple[str, int, bool]] = field(default_factory=dict)
    owed: Owed = field(default_factory=Counter)
    n_subjects: int = 8

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "study.yaml").write_text(STUDY, encoding="utf-8")
        subjects = [
            {"STUDYID": "T1", "DOMAIN": "DM", "USUBJID": self._subject(n), "SITEID": self._site(n), "RFXSTDTC": "2026-01-05"}
            for n in range(self.n_subjects)
        ]
        _write(self.folder / "dm.csv", list(subjects[0]), subjects)
        self._keep()

    def change(self) -> None:
        """One event comes, changes or goes."""
        n = self.random.randrange(self.n_subjects)
        key = (self._subject(n), self.random.randint(1, 4))
        before = self.events.get(key)
        if before is None:
            serious = not self.owed or self.random.random() < 0.8
            after = (self.random.choice(TERMS), self.random.randint(2, 4), serious)
            self.events[key] = after
            self._owe("sae_new" if after[2] else None, key, n)
        else:
            term, grade, serious = before
            what = self.random.choice(["grade", "grade", "serious", "gone"])
            if what == "gone":
                del self.events[key]
                self._owe("sae_deleted" if serious else None, key, n)
            elif what == "serious":
                self.events[key] = (term, grade, not serious)
                self._owe("sae_downgraded" if serious else "sae_upgraded", key, n)
            else:
                self.events[key] = (term, 2 + (grade - 1) % 3, serious)
                self._owe("sae_changed" if serious else None, key, n)
        self._keep()

    def _owe(self, kind: str | None, key: tuple[str, int], n: int) -> None:
        for recipient in (OFFICER, MONITOR, SITES[self._site(n)]) if kind else ():
            self.owed[str(kind), *key, recipient] += 1

    def _keep(self) -> None:
        names = ["STUDYID", "DOMAIN", "USUBJID", "AESEQ", "AETERM", "AEDECOD", "AETOXGR", "AESER", "AESHOSP", "AEREL", "AESTDTC"]
        rows = []
        for (subject, number), (term, grade, serious) in sorted(self.events.items()):
            yes = "Y" if serious else "N"
            values = ("T1", "AE", subject, str(number), term.lower(), term, str(grade), yes, yes, "N", "2026-02-01")
            rows.append(dict(zip(names, values, strict=True)))
        _write(self.folder / "ae.csv", names, rows)

    def _subject(self, n: int) -> str:
        return f"T1-{n:02d}"

    def _site(self, n: int) -> str:
        return "01" if n % 2 else "02"


def _write(path: Path, names: list[str], rows: list[dict[str, str]]) -> None:
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    draft.replace(path)
