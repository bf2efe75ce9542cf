"""Serious events: reporting clocks, decisions of people about an event, drafts of events not yet in the data; digests of
alerts and mails that came back.

Revision: 0005.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

json = sa.JSON().with_variant(JSONB(), "postgresql")
big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)
_OUTCOMES = "outcome IN ('accepted', 'temporary', 'permanent', 'error'{more})"


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("id", big, primary_key=True),
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("event_id", big, sa.ForeignKey("adverse_event.id"), nullable=False),
        sa.Column("event_version", sa.Integer(), nullable=False),
        sa.Column("pack", sa.String(), nullable=False),
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("linked_id", big, sa.ForeignKey("clock.id"), nullable=True),
        sa.Column("aware_at", instant, nullable=False),
        sa.Column("aware_basis", sa.String(length=32), nullable=False),
        sa.Column("day_zero", sa.Date(), nullable=False),
        sa.Column("due_at", instant, nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("inputs", json, nullable=False),
        sa.Column("opened_at", instant, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("closed_at", instant, nullable=True),
        sa.Column("met_at", instant, nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("close_reason", sa.String(), nullable=True),
        sa.UniqueConstraint("event_id", "rule_id", "component", "number"),
        sa.CheckConstraint("number >= 1", name="number"),
        sa.CheckConstraint("due_at >= aware_at", name="due"),
        sa.CheckConstraint(
            "(state = 'running') = (closed_at IS NULL AND closed_by IS NULL AND close_reason IS NULL)", name="closed"
        ),
        sa.CheckConstraint("(state = 'met') = (met_at IS NOT NULL)", name="met"),
        sa.CheckConstraint("state IN ('running', 'met', 'cancelled', 'superseded', 'not_monitored')", name="state"),
    )
    op.create_index("ix_clock_study_id", "clock", ["study_id"])
    op.create_table(
        "case_decision",
        sa.Column("id", big, primary_key=True),
        sa.Column("event_id", big, sa.ForeignKey("adverse_event.id"), nullable=False),
        sa.Column("subject_matter", sa.String(length=32), nullable=False),
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("given_by", sa.String(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.CheckConstraint(
            "subject_matter IN ('grade', 'seriousness', 'expectedness', 'susar')", name="subject_matter"
        ),
    )
    op.create_index("ix_case_decision_event_id", "case_decision", ["event_id"])
    op.create_table(
        "sae_draft",
        sa.Column("id", big, primary_key=True),
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("usubjid", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=True),
        sa.Column("criteria", json, nullable=False),
        sa.Column("onset", sa.String(), nullable=True),
        sa.Column("aware_at", instant, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("opened_at", instant, nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("aeseq", sa.Integer(), nullable=True),
        sa.Column("closed_at", instant, nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("close_reason", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'reported', 'dismissed')", name="state"),
        sa.CheckConstraint("(state = 'reported') = (aeseq IS NOT NULL)", name="reported"),
        sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed"),
        sa.CheckConstraint("grade IS NULL OR grade BETWEEN 1 AND 5", name="grade"),
    )
    op.create_index("ix_sae_draft_study_id", "sae_draft", ["study_id"])
    op.add_column("assessment", sa.Column("susar", json, nullable=False, server_default="[]"))
    with op.batch_alter_table("assessment") as table:
        table.alter_column("susar", server_default=None)
    with op.batch_alter_table("alert") as table:
        table.add_column(sa.Column("digest_id", big, nullable=True))
        table.create_foreign_key("fk_alert_digest_id", "alert", ["digest_id"], ["id"])
    op.create_index("ix_alert_digest_id", "alert", ["digest_id"])
    with op.batch_alter_table("delivery_attempt") as table:
        table.drop_constraint(op.f("ck_delivery_attempt_outcome"), type_="check")
        table.create_check_constraint(op.f("ck_delivery_attempt_outcome"), _OUTCOMES.format(more=", 'bounced'"))


def downgrade() -> None:
    op.execute("DELETE FROM delivery_attempt WHERE outcome = 'bounced'")
    with op.batch_alter_table("delivery_attempt") as table:
        table.drop_constraint(op.f("ck_delivery_attempt_outcome"), type_="check")
        table.create_check_constraint(op.f("ck_delivery_attempt_outcome"), _OUTCOMES.format(more=""))
    op.drop_index("ix_alert_digest_id", "alert")
    with op.batch_alter_table("alert") as table:
        table.drop_constraint("fk_alert_digest_id", type_="foreignkey")
        table.drop_column("digest_id")
    with op.batch_alter_table("assessment") as table:
        table.drop_column("susar")
    for name in ("sae_draft", "case_decision", "clock"):
        op.drop_table(name)
