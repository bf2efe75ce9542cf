"""Figures as SVG: numbers with units and n, direct labels, safe for greyscale and colour-blind readers.

One module a subject; ``theme`` holds what all share.
"""

from safety_monitor.reporting.figures.accrual import accrual_steps
from safety_monitor.reporting.figures.boundaries import stopping_boundary
from safety_monitor.reporting.figures.causes import moved_by
from safety_monitor.reporting.figures.doses import dose_levels
from safety_monitor.reporting.figures.flow import Box, flow
from safety_monitor.reporting.figures.liver import edish
from safety_monitor.reporting.figures.sites import site_funnel
from safety_monitor.reporting.figures.terms import term_dots
from safety_monitor.reporting.figures.theme import Figure

__all__ = [
    "Box", "Figure", "accrual_steps", "dose_levels", "edish", "flow", "moved_by", "site_funnel", "stopping_boundary", "term_dots",
]  # fmt: skip
