"""Figures: numbers with units and n, direct labels, safe for greyscale and colour-blind readers.

One module a subject; ``theme`` holds what all share.
"""

from safety_monitor.reporting.figures.accrual import accrual_steps
from safety_monitor.reporting.figures.boundaries import operating_characteristics, stopping_boundary
from safety_monitor.reporting.figures.categories import category_bars
from safety_monitor.reporting.figures.courses import swimmer, toxicity_over_time
from safety_monitor.reporting.figures.doses import dose_levels
from safety_monitor.reporting.figures.flow import Box, flow
from safety_monitor.reporting.figures.incidence import cumulative_incidence
from safety_monitor.reporting.figures.liver import edish
from safety_monitor.reporting.figures.sites import site_funnel
from safety_monitor.reporting.figures.terms import term_dots
from safety_monitor.reporting.figures.theme import Figure
from safety_monitor.reporting.figures.trends import Panel, levels_over_time, small_multiples

__all__ = [
    "Box", "Figure", "Panel", "accrual_steps", "category_bars", "cumulative_incidence", "dose_levels", "edish", "flow",
    "levels_over_time", "operating_characteristics", "site_funnel", "small_multiples", "stopping_boundary",
    "swimmer", "term_dots", "toxicity_over_time",
]  # fmt: skip
