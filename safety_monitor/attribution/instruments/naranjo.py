"""The adverse drug reaction probability scale of Naranjo: ten questions about one suspect, -4 to 13 points.

Made for one suspect drug. Run once per component it misjudges a procedure (nothing to stop), an inhibitor that stays on its
receptor for months, and events that do not recover: the result notes that.

>>> answers = dict(zip([f"Q{n}" for n in range(1, 11)], "unknown yes yes unknown no no no no no yes".split()))
>>> naranjo(answers | {"Q6": "unknown"}).total
6
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from safety_monitor.attribution.instruments.items import Answered, Result, score, tables


def naranjo(answers: Mapping[str, str | Answered], notes: Sequence[str] = ()) -> Result:
    """*answers*: ``yes``, ``no`` or ``unknown`` by item (Q1 to Q10); definite, probable, possible or doubtful."""
    table = tables()["naranjo"]
    return score("Naranjo", table["items"], table["categories"], answers, notes)
