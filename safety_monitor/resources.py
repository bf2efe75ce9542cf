"""The folders that ship with the code: bundled in the package when installed, beside it in the repository.

>>> (resource_dir("migrations") / "env.py").is_file()
True
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """The folder *name* (``migrations``, ``templates``); FileNotFoundError where it is missing."""
    # Bundled first: the repository has no such folder, but beside an installed package stand other people's.
    for folder in (_PACKAGE / "_bundled" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the folder {name!r} is not in this installation; reinstall safety-monitor")
