"""Deviations from the protocol, consent and eligibility: what was reported (DV, IE), and what the other data show."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.codelists import CONDUCT
from safety_monitor.reporting.tables.base import Study, Table, percent, percent_of, rows_to_frame
from safety_monitor.reporting.tables.disposition import NO_SITE
from safety_monitor.reporting.tables.spread import SEPARATOR, cells_behind
from safety_monitor.reporting.wording import words

DEVIATIONS = {"category": pl.String, "term": pl.String, "deviations": pl.Int64, "n": pl.Int64, "pct": pl.Float64}
DEVIATION_LISTING = {
    "USUBJID": pl.String, "SITEID": pl.String, "DVSTDTC": pl.String, "DVCAT": pl.String, "DVDECOD": pl.String,
    "DVTERM": pl.String,
}  # fmt: skip
ELIGIBILITY = {
    "USUBJID": pl.String, "SITEID": pl.String, "treated": pl.Boolean, "IECAT": pl.String, "IETESTCD": pl.String,
    "IETEST": pl.String, "IEORRES": pl.String,
}  # fmt: skip
CONDUCT_CHECKS = {"row": pl.String, "n": pl.Int64, "pct": pl.Float64, "subjects": pl.String}
NO_DV, NO_IE = "protocol deviations (DV) were not imported", "eligibility criteria (IE) were not imported"
NO_CONSENT, LATE_CONSENT, OTHER_CONSENT = (
    "Consent date missing", "Consent after first treatment", "Consent dates of DM and DS differ",
)  # fmt: skip
FAILED_TREATED, INELIGIBLE = "Treated although a screening failure", "Treated although a criterion was not met"
AFTER_DEATH = "Dose or session after death"
CHECKS = (NO_CONSENT, LATE_CONSENT, OTHER_CONSENT, FAILED_TREATED, INELIGIBLE, AFTER_DEATH)


def tables(study: Study) -> Iterator[Table]:
    yield deviations(study)
    yield deviation_listing(study)
    yield eligibility(study)
    yield conduct_checks(study)


def deviations(study: Study) -> Table:
    """Reported deviations by category and kind."""
    name, title = "deviations", "Protocol deviations"
    rule = words("Deviations as reported (DV), of treated subjects; n: subjects, % of N = {n} treated.", n=study.n)
    listed = _listed(study)
    if listed is None:
        return Table.absent(name, title, DEVIATIONS, rule, NO_DV)
    own = listed.join(study.treated.select(USUBJID="usubjid"), on="USUBJID", how="semi").with_columns(
        pl.col("DVCAT").fill_null("Not stated").alias("category"), pl.coalesce("DVDECOD", "DVTERM").alias("term")
    )
    counts = [pl.len().cast(pl.Int64).alias("deviations"), pl.col("USUBJID").n_unique().cast(pl.Int64).alias("n")]
    by_category = own.group_by("category").agg(counts).with_columns(pl.lit(None, pl.String).alias("term"))
    by_term = own.group_by("category", "term").agg(counts)
    frame = (
        pl.concat([by_category.select(by_term.columns), by_term])
        .with_columns(percent_of("n", study.n).alias("pct"))
        .sort("category", pl.col("term").is_not_null(), pl.col("n"), "term", descending=[False, False, True, False])
    )
    return Table(name, title, frame.select(list(DEVIATIONS)), rule)


def deviation_listing(study: Study) -> Table:
    """Every reported deviation, of whomever."""
    rule = words("Every deviation as reported, also of subjects not treated.")
    listed = _listed(study)
    if listed is None:
        return Table.absent("deviation_listing", "Listing of protocol deviations", DEVIATION_LISTING, rule, NO_DV)
    return Table("deviation_listing", "Listing of protocol deviations", listed, rule)


def eligibility(study: Study) -> Table:
    """Criteria that were not met."""
    name, title = "eligibility", "Eligibility criteria that were not met"
    rule = words(
        "Criteria as reported (IE): inclusion criteria not met and exclusion criteria met. An empty table: all were met."
    )
    frame = study.frame("ie")
    if frame is None:
        return Table.absent(name, title, ELIGIBILITY, rule, NO_IE)
    known = _with_text(frame, ("IECAT", "IETESTCD", "IETEST", "IEORRES", "IESTRESC"))
    result = pl.coalesce("IESTRESC", "IEORRES").str.to_uppercase()
    exclusion = pl.col("IECAT").str.to_uppercase().str.starts_with("EXCL").fill_null(False)
    unmet = (exclusion & (result == "Y")) | (~exclusion & (result == "N"))
    people = study.subjects.select("treated", USUBJID="usubjid", SITEID=pl.col("siteid").fill_null(NO_SITE))
    joined = (
        known.filter(unmet.fill_null(False))
        .join(people, on="USUBJID", how="left")
        .with_columns(pl.col("treated").fill_null(False))
    )
    return Table(name, title, joined.select(list(ELIGIBILITY)).sort("USUBJID", "IETESTCD"), rule)


def conduct_checks(study: Study) -> Table:
    """What the data show without a deviation being reported."""
    rows: list[tuple[str, int | None, float | None, str | None]] = []
    for row, who in _checks(study):
        if who is None:
            rows.append((row, None, None, None))
        else:
            rows.append((row, len(who), percent(len(who), study.n), ", ".join(who) or None))
    rule = words(
        "Treated subjects, N = {n}, from DM, DS, IE, EX and PR; a dash: what is needed was not collected. A session on the day "
        "of death "
        "is not after it.",
        n=study.n,
    )
    return Table("conduct_checks", "Consent and eligibility: what the data show", rows_to_frame(rows, CONDUCT_CHECKS), rule)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The subjects behind ``conduct_checks`` and ``deviations``."""
    for row, who in _checks(study):
        yield cells_behind("conduct_checks", row, "n", who or ())
    listed = _listed(study)
    if listed is not None:
        own = listed.join(study.treated.select(USUBJID="usubjid"), on="USUBJID", how="semi")
        for (category, term), part in own.group_by("DVCAT", pl.coalesce("DVDECOD", "DVTERM").alias("term"), maintain_order=True):
            row = SEPARATOR.join((str(category or "Not stated"), str(term)))
            yield cells_behind("deviations", row, "n", part["USUBJID"])


def _checks(study: Study) -> Iterator[tuple[str, list[str] | None]]:
    """Each check with the treated subjects that it finds; None where it cannot be made."""
    treated = study.treated
    consent = pl.col("consented_on")
    dated = treated["consented_on"].null_count() < treated.height

    def found(frame: pl.DataFrame, wanted: pl.Expr) -> list[str]:
        return frame.filter(wanted.fill_null(False))["usubjid"].unique().sort().to_list()

    yield NO_CONSENT, found(treated, consent.is_null())
    yield LATE_CONSENT, found(treated, consent > pl.col("first_treatment_on")) if dated else None
    dispositions = study.frame("dispositions")
    if dispositions is None:
        yield OTHER_CONSENT, None
        yield FAILED_TREATED, None
    else:
        reason = pl.col("dsdecod").str.to_uppercase()
        is_consent = pl.any_horizontal(reason.str.starts_with(word) for word in CONDUCT["consent"]["words"])
        own = dispositions.join(treated.select("usubjid", "consented_on"), on="usubjid")
        consents = own.filter(is_consent.fill_null(False))
        yield OTHER_CONSENT, found(consents, pl.col("on") != consent) if dated and consents.height else None
        yield FAILED_TREATED, found(own, reason.is_in(CONDUCT["screen_failure"]["words"]))
    criteria = eligibility(study)
    met = criteria.frame.filter("treated")["USUBJID"].unique().sort().to_list()
    yield INELIGIBLE, None if criteria.not_collected else met
    given = study.frame("exposures")
    if given is None:
        yield AFTER_DEATH, None
    else:
        yield AFTER_DEATH, found(given.join(treated, on="usubjid"), pl.col("start_on") > pl.col("death_on"))


def _listed(study: Study) -> pl.DataFrame | None:
    frame = study.frame("dv")
    if frame is None:
        return None
    known = _with_text(frame, ("DVSTDTC", "DVCAT", "DVDECOD", "DVTERM"))
    people = study.subjects.select(USUBJID="usubjid", SITEID=pl.col("siteid").fill_null(NO_SITE))
    return known.join(people, on="USUBJID", how="left").select(list(DEVIATION_LISTING)).sort("USUBJID", "DVSTDTC", "DVTERM")


def _with_text(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    missing = [name for name in names if name not in frame.columns]
    return frame.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
