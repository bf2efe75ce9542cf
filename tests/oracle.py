"""Second implementation of the report tables: loops and dictionaries, straight from the counting rules.

Slow and plain on purpose; it shares nothing with the tables but the snapshot that it reads.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from scipy.stats import binomtest, chi2

from safety_monitor.records import Snapshot

Row = dict[str, Any]


def treated(snapshot: Snapshot) -> dict[str, Row]:
    return {row["usubjid"]: row for row in snapshot.frames["subjects"].to_dicts() if row["treated"]}


def emergent(snapshot: Snapshot) -> list[Row]:
    return [
        {**row, "grade": row["grade"] or None}
        for row in snapshot.frames["events"].to_dicts()
        if row["usubjid"] in treated(snapshot) and row["treatment_emergent"] is not False
    ]


def overview(snapshot: Snapshot) -> list[Row]:
    people, events = treated(snapshot), emergent(snapshot)
    questions = {
        "Any TEAE": lambda e: True,
        "Any SAE (AESER=Y)": lambda e: e["serious_as_flagged"],
        "Any SAE (AESER=Y or any criterion)": lambda e: e["serious"],
        "Related TEAE": lambda e: e["related"],
        "Related SAE": lambda e: e["related"] and e["serious_as_flagged"],
        "Grade >=3 TEAE": lambda e: (e["grade"] or 0) >= 3,
        "Related grade >=3": lambda e: e["related"] and (e["grade"] or 0) >= 3,
        "Grade 4": lambda e: e["grade"] == 4,
        "Fatal (grade 5 / AESDTH / AEOUT=FATAL)": lambda e: e["fatal"],
        "AESDTH=Y": lambda e: e["aesdth"],
        "AEOUT=FATAL": lambda e: e["aeout"] == "FATAL",
        "Grade 5": lambda e: e["grade"] == 5,
        "Leading to discontinuation (AEACN)": lambda e: e["aeacn"] == "DRUG WITHDRAWN",
        "Dose interrupted": lambda e: e["aeacn"] == "DRUG INTERRUPTED",
        "Dose reduced": lambda e: e["aeacn"] == "DOSE REDUCED",
    }
    found = []
    for label, asked in questions.items():
        chosen = [event for event in events if asked(event)]
        n, total = len({event["usubjid"] for event in chosen}), len(people)
        low, high = binomtest(n, total).proportion_ci(method="exact") if total else (None, None)
        found.append({
            "row": label, "n": n, "N": total, "pct": 100 * n / total if total else None,
            "events": len(chosen),
            "cp_lo": None if low is None else 100 * low, "cp_hi": None if high is None else 100 * high,
        })  # fmt: skip
    return found


def by_term(snapshot: Snapshot, records: list[Row]) -> list[Row]:
    total = len(treated(snapshot))
    organ_classes: dict[str, list[Row]] = {}
    for event in records:
        organ_classes.setdefault(event["aebodsys"] or "Not coded", []).append(event)
    found = [_term_row(0, "ANY", None, records, total)]
    for organ_class, inside in sorted(organ_classes.items(), key=lambda item: (-_subjects(item[1]), item[0])):
        found.append(_term_row(1, organ_class, None, inside, total))
        terms: dict[str, list[Row]] = {}
        for event in inside:
            terms.setdefault(event["aedecod"] or event["aeterm"], []).append(event)
        for term, same in sorted(terms.items(), key=lambda item: (-_subjects(item[1]), item[0])):
            found.append(_term_row(2, organ_class, term, same, total))
    return found


def _subjects(records: list[Row]) -> int:
    return len({event["usubjid"] for event in records})


def _term_row(level: int, organ_class: str, term: str | None, records: list[Row], total: int) -> Row:
    worst: dict[str, int] = {}
    for event in records:
        worst[event["usubjid"]] = max(worst.get(event["usubjid"], 0), event["grade"] or 0)
    count = lambda *grades: sum(1 for grade in worst.values() if grade in grades)  # noqa: E731
    n, high = len(worst), count(3, 4, 5)
    return {
        "level": level, "SOC": organ_class, "PT": term, "n": n, "pct": 100 * n / total if total else None,
        "events": len(records), "g1": count(1), "g2": count(2), "g3": count(3), "g4": count(4),
        "g5": count(5),
        "gmiss": count(0), "ge3": high, "ge3_pct": 100 * high / total if total else None,
        "sae_n": _subjects([e for e in records if e["serious_as_flagged"]]),
        "rel_n": _subjects([e for e in records if e["related"]]),
    }  # fmt: skip


def exposure_adjusted(snapshot: Snapshot) -> list[Row]:
    days_after = snapshot.study["treatment_emergent"]["days_after_last"]
    periods: dict[str, tuple[date, date]] = {}
    for usubjid, person in treated(snapshot).items():
        last = person["last_treatment_on"]
        ends = [last and last + timedelta(days=days_after), person["death_on"], snapshot.cutoff]
        known = [end for end in ends if end is not None]
        if person["first_treatment_on"] and known:
            periods[usubjid] = (person["first_treatment_on"], min(known))
    events = [event for event in emergent(snapshot) if event["usubjid"] in periods]
    terms: dict[str, set[str]] = {}
    for event in events:
        terms.setdefault(event["aedecod"] or event["aeterm"], set()).add(event["usubjid"])
    frequent = sorted(terms, key=lambda term: (-len(terms[term]), term))[:15]
    kinds = {
        "Any TEAE": events,
        "SAE": [e for e in events if e["serious_as_flagged"]],
        "Grade >=3": [e for e in events if (e["grade"] or 0) >= 3],
        "Related": [e for e in events if e["related"]],
        **{f"PT: {t}": [e for e in events if (e["aedecod"] or e["aeterm"]) == t] for t in frequent},
    }
    found = []
    for label, chosen in kinds.items():
        at_risk = total = 0
        for usubjid, (start, end) in periods.items():
            onsets = [e["onset_on"] for e in chosen if e["usubjid"] == usubjid and e["onset_on"]]
            at_risk += max(((min(onsets) if onsets else end) - start).days + 1, 1)
            total += max((end - start).days + 1, 1)
        n = _subjects(chosen)
        found.append({
            "row": label, "subj": n, "py_at_risk": at_risk / 365.25, **_rate("eair", n, at_risk),
            "events": len(chosen), "py_total": total / 365.25, **_rate("ear", len(chosen), total),
        })  # fmt: skip
    return found


def _rate(name: str, count: int, days: int) -> Row:
    if not days:
        return {name: None, f"{name}_lo": None, f"{name}_hi": None}
    per = 100 / (days / 365.25)
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return {
        name: count * per,
        f"{name}_lo": low * per,
        f"{name}_hi": chi2.ppf(0.975, 2 * count + 2) / 2 * per,
    }


def lab_grades(snapshot: Snapshot) -> dict[str, dict[str, tuple[int | None, int | None]]]:
    """Term -> subject -> (baseline, worst after it), for every treated subject and every graded term."""
    records = [
        row
        for row in snapshot.frames["labs"].to_dicts()
        if row["usubjid"] in treated(snapshot) and row["grade"] is not None and row["term"] is not None
        and (row["lbstresn"] is not None or row["grade"] >= 1)  # "< 0.2" is no measurement, "> 1000" is abnormal
    ]
    found: dict[str, dict[str, tuple[int | None, int | None]]] = {}
    for term in {row["term"] for row in records}:
        found[term] = {}
        for usubjid in treated(snapshot):
            own = [row for row in records if row["term"] == term and row["usubjid"] == usubjid]
            start = sorted((row["on"], row["lbseq"], row["grade"]) for row in own if row["is_baseline"])
            later = [row["grade"] for row in own if row["post_baseline"]]
            found[term][usubjid] = (start[-1][2] if start else None, max(later, default=None))
    return {
        term: pairs for term, pairs in found.items() if any(worst is not None for _, worst in pairs.values())
    }


def lab_shift(snapshot: Snapshot) -> dict[tuple[str, str, str], int]:
    cells: dict[tuple[str, str, str], int] = {}
    for term, pairs in lab_grades(snapshot).items():
        for start, worst in pairs.values():
            key = (
                term,
                "missing" if start is None else str(start),
                "missing" if worst is None else str(worst),
            )
            cells[key] = cells.get(key, 0) + 1
    return cells


def lab_worst_grade(snapshot: Snapshot) -> dict[str, Row]:
    found = {}
    for term, pairs in lab_grades(snapshot).items():
        after = [(start, worst) for start, worst in pairs.values() if worst is not None]
        both = [(start, worst) for start, worst in after if start is not None]
        found[term] = {
            "N_post": len(after), "N_both": len(both),
            **{f"worst_g{grade}": sum(worst == grade for _, worst in after) for grade in range(5)},
            "ge3": sum(worst >= 3 for _, worst in after),
            "emergent_any": sum(worst > start for start, worst in both),
            "emergent_ge3": sum(worst > start and worst >= 3 for start, worst in both),
        }  # fmt: skip
    return found
