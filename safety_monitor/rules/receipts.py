"""Questions about when site and sponsor became aware of a serious event (``sae_receipt.csv``): what the times contradict.

The times decide when reports are due, so each doubt about them is asked at once; none of it moves a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from safety_monitor.records import Query
from safety_monitor.rules.clocks import Awareness
from safety_monitor.rules.queries import ask

Key = tuple[str, int]


def questions(
    receipts: Mapping[Key, Awareness],
    serious: Mapping[Key, bool],
    taken: Mapping[Key, datetime],
    sites: Mapping[str, str | None],
    site_hours: int,
    *,
    study_id: str,
) -> list[Query]:
    """What is asked about each receipt. *serious*: the events of the data; *taken*: the awareness that clocks run from, where a
    receipt gave it; *site_hours*: the time that a site has to inform the sponsor.
    """
    asked = []
    for (usubjid, aeseq), aware in sorted(receipts.items()):
        known = serious.get((usubjid, aeseq))
        took = aware.sponsor_at - aware.site_at if aware.sponsor_at and aware.site_at else None
        facts = {
            "aeseq": aeseq, "in_ae": "N" if known is None else "Y", "serious": "Y" if known else "N",
            "site_at": aware.site_at, "sponsor_at": aware.sponsor_at, "taken_at": taken.get((usubjid, aeseq)),
            "hours_taken": None if took is None else round(took / timedelta(hours=1)), "site_hours": site_hours,
        }  # fmt: skip
        asked += ask("receipt", facts, study_id=study_id, about=f"AE {aeseq} receipt", usubjid=usubjid, siteid=sites.get(usubjid))
    return asked
