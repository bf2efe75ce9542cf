"""Where the folders that ship with the code are found: in the repository, installed, and beside strangers."""

from __future__ import annotations

from pathlib import Path

import pytest

from safety_monitor import resources

REPO, INSTALLED = "templates", "safety_monitor/_bundled/templates"


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ([REPO], REPO),
        ([INSTALLED], INSTALLED),
        ([REPO, INSTALLED], INSTALLED),  # another package left its "templates" in site-packages
    ],
)
def test_found(there: list[str], found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in there:
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "safety_monitor")
    assert resources.resource_dir("templates") == tmp_path / found


def test_missing_is_said_with_a_remedy() -> None:
    with pytest.raises(FileNotFoundError, match="'no such' is not in this installation; reinstall"):
        resources.resource_dir("no such")
