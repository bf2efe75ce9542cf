"""What stands in the address of a figure that is not kept in an album."""

from __future__ import annotations

import base64

from safety_monitor.reporting.figures import Figure


def svg_of(figure: Figure) -> str:
    kind, content = figure.uri.split(",", 1)
    assert kind == "data:image/svg+xml;base64"
    return base64.b64decode(content).decode()
