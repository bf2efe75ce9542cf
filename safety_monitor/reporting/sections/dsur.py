"""Appendix for the annual report (ICH E2F): cumulative exposure, and who left treatment or died."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    values = {"exposure": material.tables["exposure_age_sex"], "dropouts": material.tables["dropouts"]}
    return Section("dsur", "Appendix: exposure by age and sex, dropouts and deaths", values, landscape=True)
