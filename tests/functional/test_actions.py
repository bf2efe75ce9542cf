"""actions: what the board asked for, added, listed, closed."""

from __future__ import annotations

import pytest


def test_added_listed_and_closed(monitor, desk):
    monitor("import", "data")
    added = monitor("actions", "add", "Send narratives", "--owner", "Li", "--due", "2026-08-01", "--actor", "officer", "--json")
    assert added.code == 0, added.err
    assert added.json | {"opened_at": None} == {
        "id": 1, "text": "Send narratives", "owner": "Li", "due_on": "2026-08-01", "state": "open", "report_id": None,
        "opened_at": None, "opened_by": "Officer", "closed_at": None, "closed_by": None, "resolution": None,
    }  # fmt: skip
    assert "Send narratives" in monitor("actions", "list").out
    closed = monitor("actions", "close", "1", "--resolution", "Sent to all members", "--actor", "Officer")
    assert (closed.code, closed.out.strip()) == (0, "Action item 1 is closed: Sent to all members")
    assert monitor("actions", "list", "--json").json == []
    (row,) = monitor("actions", "list", "--all", "--json").json
    assert (row["state"], row["closed_by"], row["resolution"]) == ("closed", "Officer", "Sent to all members")
    told = monitor("audit", "list", "--table", "action_item").out
    assert "Sent to all members" in told
    assert monitor("audit", "verify").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["add", "Ask", "--owner", "Li", "--due", "2026-08-01", "--actor", "One"], 1, "may not keep actions"),
        (["add", "Ask", "--owner", "Li", "--due", "2026-08-01", "--actor", "Officer", "--report", "4"], 1, "the number 4"),
        (["add", "Ask", "--owner", "Li", "--due", "soon", "--actor", "Officer"], 2, "--due"),
        (["close", "3", "--resolution", "done", "--actor", "Officer"], 1, "no action item has the number 3"),
        (["list", "--study", "S9"], 1, "'S9' is not in the database"),
    ],
)
def test_refusals(monitor, desk, arguments, code, said):
    monitor("import", "data")
    answer = monitor("actions", *arguments)
    assert answer.code == code
    assert said in answer.err
