"""Every serious event in one landscape listing, whenever it began, with what rules advise for those that are open."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study
from safety_monitor.reporting.wording import Words, language, words
from safety_monitor.rules.duties import YES
from safety_monitor.vocabulary import Level, Matter, Seriousness

_SHORT = {
    Seriousness.DEATH: "death", Seriousness.LIFE_THREATENING: "life-threatening",
    Seriousness.HOSPITALISATION: "hospitalisation", Seriousness.DISABILITY: "disability",
    Seriousness.CONGENITAL_ANOMALY: "congenital anomaly", Seriousness.MEDICALLY_IMPORTANT: "medically important",
}  # fmt: skip
_OF_COMPONENT = ("days_since", "investigator", "system", "share", "action", "expected", "expected_why")


def section(material: Material) -> Section:
    frames = material.snapshot.frames
    names = [component.name for component in material.settings.components]
    weighed = {
        (row["usubjid"], row["aeseq"]): row for row in frames["events"].iter_rows(named=True) if row.get("leading")
    }
    related, listed = material.settings.related, material.tables["sae_listing"].frame
    decided: dict[tuple[str, int], list[Words]] = {}
    for each in frames["decisions"].iter_rows(named=True) if "decisions" in frames else ():
        decided.setdefault((each["usubjid"], each["aeseq"]), []).append(_decision(each))
    rows = [
        _row(row, names, weighed, related) | {"decided": decided.get((row["USUBJID"], row["AESEQ"]), [])}
        for row in listed.iter_rows(named=True)
    ]
    official = "criteria" in frames and bool(frames["criteria"]["official"].any())
    return Section(
        "serious",
        "Serious adverse events: listing",
        {"rows": rows, "table": material.tables["sae_listing"], "advice": _advice(material), "official": official,
         "advice_table": material.tables["dose_advice"], "since": Study(material.snapshot).last_report,
         "given": "exposures" in frames, "has_criteria": any(row["criterion"] for row in rows)},
        landscape=True,
    )  # fmt: skip


def _row(
    event: dict[str, Any], names: list[str], weighed: Mapping[tuple[str, int], dict[str, Any]], related: Collection[str]
) -> dict[str, Any]:
    whole = weighed.get((event["USUBJID"], event["AESEQ"]))
    leading = whole["leading"] if whole else None
    return event | {
        "criteria": [label for criterion, label in _SHORT.items() if event[criterion.value.upper()] == "Y"],
        "components": [_part(event, name, related) for name in names],
        # the components have their own lines; a cause beside them is said where it leads
        "leading": leading if leading not in names else None,
        "leading_share": whole[f"share_{leading}"] if whole else None,
        "leading_level": whole[f"level_{leading}"] if whole else None,
    }


def _decision(decided: Mapping[str, Any]) -> Words:
    """What a person decided about an event, in a line."""
    facts = {name: decided[name] for name in ("component", "value", "given_by", "reason")}
    match Matter(decided["matter"]), decided["value"] == YES:
        case Matter.GRADE, _:
            return words("{given_by}: grade {value} ({reason})", **facts)
        case Matter.SERIOUSNESS, True:
            return words("{given_by}: serious ({reason})", **facts)
        case Matter.SERIOUSNESS, False:
            return words("{given_by}: not serious ({reason})", **facts)
        case Matter.EXPECTEDNESS, True:
            return words("{given_by}: expected for {component} ({reason})", **facts)
        case Matter.EXPECTEDNESS, False:
            return words("{given_by}: unexpected for {component} ({reason})", **facts)
        case Matter.SUSAR, True:
            return words("{given_by}: SUSAR to {component} ({reason})", **facts)
        case _:
            return words("{given_by}: no SUSAR to {component} ({reason})", **facts)


def _part(event: dict[str, Any], name: str, related: Collection[str]) -> dict[str, Any]:
    """What is said of one component; ``matters``: somebody holds the event related to it, so that unexpected is news."""
    found = {what: event[f"{what}_{name}"] for what in _OF_COMPONENT}
    held = (found["investigator"] or "").upper() in related or (found["system"] is not None and Level[found["system"]].related)
    return found | {"name": name, "matters": held}


def _advice(material: Material) -> list[dict[str, Any]]:
    """One entry per serious event that has advice or is an immune-mediated candidate, with its lines."""
    flags = {(row["usubjid"], row["aeseq"]): row for row in material.tables["immune_events"].frame.iter_rows(named=True)}
    lines: dict[tuple[str, int], list[str]] = {}
    entries: dict[tuple[str, int], dict[str, Any]] = {}
    for name in ("dose_advice", "immune_events"):
        for row in material.tables[name].frame.filter("serious").iter_rows(named=True):
            key = row["usubjid"], row["aeseq"]
            entries[key] = row | {"flag": flags.get(key)}
            said = row.get("line_zh" if language() == "zh" else "line")
            lines.setdefault(key, []).extend([said] if said else [])
    return [entries[key] | {"lines": lines[key]} for key in sorted(entries)]
