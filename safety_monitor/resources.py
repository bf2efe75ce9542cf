"""The folders that ship with the code: beside the package in the repository, bundled when installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """The folder *name* (``migrations``, ``templates``); FileNotFoundError where it is missing."""
    for folder in (_PACKAGE.parent / name, _PACKAGE / "_bundled" / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the folder {name!r} is not in this installation; reinstall safety-monitor")
