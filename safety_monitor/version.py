"""Which software and which dictionary made a result: printed on every page, kept with every decision."""

from __future__ import annotations

from importlib.metadata import version

SOFTWARE = version("safety-monitor")
DICTIONARY = "v4.03"
VERSIONS = {"software": SOFTWARE, "dictionary": DICTIONARY}
