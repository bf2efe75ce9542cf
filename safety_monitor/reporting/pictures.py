"""Putting a figure into HTML: as an image of its own, so that its ids and styles stay apart."""

from __future__ import annotations

import base64

from safety_monitor.reporting.figures import Figure


def embedded(picture: Figure) -> dict[str, str]:
    """``alt`` and ``uri`` for the template macro ``figure``."""
    return {"alt": picture.alt, "uri": f"data:image/svg+xml;base64,{base64.b64encode(picture.svg.encode()).decode()}"}
