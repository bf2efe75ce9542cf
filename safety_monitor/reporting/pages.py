"""How much of each list the short pages print (``pages.toml``): what is left out stands in the tables, and is counted."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

PAGES: dict[str, Any] = tomllib.loads(files("safety_monitor.reporting").joinpath("pages.toml").read_text("utf-8"))
