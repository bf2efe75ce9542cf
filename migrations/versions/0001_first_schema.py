"""The first schema.

Revision: 0001. The types stand here as they were, not as ``store.columns`` may have them later. The audit
triggers are made after every migration (migrations/env.py).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from safety_monitor.store import triggers

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(JSONB(), "postgresql")

TABLES = (
    "adverse_event",
    "audit",
    "audit_head",
    "heartbeat",
    "import_batch",
    "job_run",
    "snapshot",
    "study_version",
    "subject",
    "alert",
    "assessment",
    "component_opinion",
    "issued_report",
    "rejection",
    "source_file",
    "delivery_attempt",
    "source_row",
)  # in the order of their foreign keys


def upgrade() -> None:
    op.create_table(
        "adverse_event",
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("usubjid", sa.String(), nullable=False),
        sa.Column("aeseq", sa.Integer(), nullable=False),
        sa.Column("aeterm", sa.String(), nullable=False),
        sa.Column("aedecod", sa.String(), nullable=True),
        sa.Column("aebodsys", sa.String(), nullable=True),
        sa.Column("meddra_code", sa.Integer(), nullable=True),
        sa.Column("grade", sa.Integer(), nullable=True),
        sa.Column("aeser", sa.Boolean(), nullable=True),
        sa.Column("aesdth", sa.Boolean(), nullable=True),
        sa.Column("aeslife", sa.Boolean(), nullable=True),
        sa.Column("aeshosp", sa.Boolean(), nullable=True),
        sa.Column("aesdisab", sa.Boolean(), nullable=True),
        sa.Column("aescong", sa.Boolean(), nullable=True),
        sa.Column("aesmie", sa.Boolean(), nullable=True),
        sa.Column("aerel", sa.String(), nullable=True),
        sa.Column("aeacn", sa.String(), nullable=True),
        sa.Column("aeout", sa.String(), nullable=True),
        sa.Column("aestdtc", sa.String(), nullable=True),
        sa.Column("aeendtc", sa.String(), nullable=True),
        sa.Column("trtemfl", sa.Boolean(), nullable=True),
        sa.Column("immune", sa.Boolean(), nullable=True),
        sa.Column("id", big_id, nullable=False),
        sa.Column("relatedness", json, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", instant, nullable=False),
        sa.Column("changed_at", instant, nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("source_file", sa.String(), nullable=True),
        sa.Column("source_row_number", sa.Integer(), nullable=True),
        sa.CheckConstraint("usubjid <> ''", name=op.f("ck_adverse_event_usubjid")),
        sa.CheckConstraint("changed_at >= first_seen_at", name=op.f("ck_adverse_event_instants")),
        sa.CheckConstraint("grade IS NULL OR grade BETWEEN 0 AND 5", name=op.f("ck_adverse_event_grade")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_adverse_event_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adverse_event")),
        sa.UniqueConstraint(
            "study_id", "usubjid", "aeseq", name=op.f("uq_adverse_event_study_id_usubjid_aeseq")
        ),
    )
    op.create_table(
        "audit",
        sa.Column("seq", big_id, autoincrement=False, nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("table_name", sa.String(), nullable=False),
        sa.Column("row_key", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.CheckConstraint("action IN ('insert', 'update', 'delete')", name=op.f("ck_audit_action")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_table_name_row_key", "audit", ["table_name", "row_key"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", big_id, nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "import_batch",
        sa.Column("id", big_id, nullable=False),
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("started_at", instant, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("backfill", sa.Boolean(), nullable=False),
        sa.Column("n_new", sa.Integer(), nullable=False),
        sa.Column("n_changed", sa.Integer(), nullable=False),
        sa.Column("n_unchanged", sa.Integer(), nullable=False),
        sa.Column("n_deleted", sa.Integer(), nullable=False),
        sa.Column("n_rejected", sa.Integer(), nullable=False),
        sa.CheckConstraint("n_deleted >= 0 AND n_rejected >= 0", name=op.f("ck_import_batch_refusals")),
        sa.CheckConstraint(
            "n_new >= 0 AND n_changed >= 0 AND n_unchanged >= 0", name=op.f("ck_import_batch_counts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_batch")),
    )
    op.create_index(op.f("ix_import_batch_study_id"), "import_batch", ["study_id"], unique=False)
    op.create_table(
        "job_run",
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("n_attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", instant, nullable=False),
        sa.Column("finished_at", instant, nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.CheckConstraint("(status = 'running') = (finished_at IS NULL)", name=op.f("ck_job_run_finished")),
        sa.CheckConstraint("status IN ('running', 'done', 'failed')", name=op.f("ck_job_run_status")),
        sa.CheckConstraint("n_attempts >= 1", name=op.f("ck_job_run_n_attempts")),
        sa.PrimaryKeyConstraint("job", "period", name=op.f("pk_job_run")),
    )
    op.create_table(
        "snapshot",
        sa.Column("id", big_id, nullable=False),
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("cutoff", sa.Date(), nullable=True),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshot")),
        sa.UniqueConstraint("study_id", "sha256", name=op.f("uq_snapshot_study_id_sha256")),
    )
    op.create_table(
        "study_version",
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("settings", json, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.CheckConstraint("study_id <> ''", name=op.f("ck_study_version_study_id")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_study_version_version")),
        sa.PrimaryKeyConstraint("study_id", "version", name=op.f("pk_study_version")),
    )
    op.create_table(
        "subject",
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("usubjid", sa.String(), nullable=False),
        sa.Column("siteid", sa.String(), nullable=True),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("age", sa.Float(), nullable=True),
        sa.Column("sex", sa.String(), nullable=True),
        sa.Column("race", sa.String(), nullable=True),
        sa.Column("arm", sa.String(), nullable=True),
        sa.Column("consented_on", sa.Date(), nullable=True),
        sa.Column("treated", sa.Boolean(), nullable=False),
        sa.Column("first_treatment_on", sa.Date(), nullable=True),
        sa.Column("last_treatment_on", sa.Date(), nullable=True),
        sa.Column("dthfl", sa.Boolean(), nullable=False),
        sa.Column("death_on", sa.Date(), nullable=True),
        sa.Column("id", big_id, nullable=False),
        sa.CheckConstraint("usubjid <> ''", name=op.f("ck_subject_usubjid")),
        sa.CheckConstraint("age IS NULL OR age >= 0", name=op.f("ck_subject_age")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject")),
        sa.UniqueConstraint("study_id", "usubjid", name=op.f("uq_subject_study_id_usubjid")),
    )
    op.create_table(
        "alert",
        sa.Column("id", big_id, nullable=False),
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("event_id", big_id, nullable=True),
        sa.Column("event_version", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("recipient_name", sa.String(), nullable=False),
        sa.Column("recipient_email", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("unique_key", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("payload", json, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("next_attempt_at", instant, nullable=False),
        sa.Column("n_attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("leased_until", instant, nullable=True),
        sa.Column("sent_at", instant, nullable=True),
        sa.Column("ack_code", sa.String(), nullable=False),
        sa.Column("acknowledged_at", instant, nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(state = 'acknowledged') = (acknowledged_at IS NOT NULL AND acknowledged_by IS NOT NULL)",
            name=op.f("ck_alert_acknowledged"),
        ),
        sa.CheckConstraint("(state = 'pending') = (sent_at IS NULL)", name=op.f("ck_alert_sent")),
        sa.CheckConstraint("recipient_email LIKE '%_@_%'", name=op.f("ck_alert_recipient_email")),
        sa.CheckConstraint("state IN ('pending', 'sent', 'acknowledged')", name=op.f("ck_alert_state")),
        sa.CheckConstraint("(lease_owner IS NULL) = (leased_until IS NULL)", name=op.f("ck_alert_lease")),
        sa.CheckConstraint("n_attempts >= 0", name=op.f("ck_alert_n_attempts")),
        sa.ForeignKeyConstraint(["event_id"], ["adverse_event.id"], name=op.f("fk_alert_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint("message_id", name=op.f("uq_alert_message_id")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_alert_unique_key")),
    )
    op.create_index(
        "ix_alert_due",
        "alert",
        ["next_attempt_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(op.f("ix_alert_event_id"), "alert", ["event_id"], unique=False)
    op.create_index(op.f("ix_alert_study_id"), "alert", ["study_id"], unique=False)
    op.create_table(
        "assessment",
        sa.Column("onset_on", sa.Date(), nullable=True),
        sa.Column("treatment_emergent", sa.Boolean(), nullable=True),
        sa.Column("serious", sa.Boolean(), nullable=False),
        sa.Column("serious_as_flagged", sa.Boolean(), nullable=False),
        sa.Column("related", sa.Boolean(), nullable=False),
        sa.Column("fatal", sa.Boolean(), nullable=False),
        sa.Column("serious_basis", json, nullable=False),
        sa.Column("queries", json, nullable=False),
        sa.Column("event_id", big_id, nullable=False),
        sa.Column("assessed_at", instant, nullable=False),
        sa.Column("engine_version", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["adverse_event.id"], name=op.f("fk_assessment_event_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_assessment")),
    )
    op.create_table(
        "component_opinion",
        sa.Column("component", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=True),
        sa.Column("share", sa.Float(), nullable=True),
        sa.Column("rationale", sa.String(), nullable=False),
        sa.Column("event_id", big_id, nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.CheckConstraint("share IS NULL OR share BETWEEN 0 AND 1", name=op.f("ck_component_opinion_share")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["adverse_event.id"], name=op.f("fk_component_opinion_event_id")
        ),
        sa.PrimaryKeyConstraint("event_id", "component", "author", name=op.f("pk_component_opinion")),
    )
    op.create_table(
        "issued_report",
        sa.Column("id", big_id, nullable=False),
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("snapshot_id", big_id, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("issued_at", instant, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("software", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshot.id"], name=op.f("fk_issued_report_snapshot_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issued_report")),
    )
    op.create_index(op.f("ix_issued_report_snapshot_id"), "issued_report", ["snapshot_id"], unique=False)
    op.create_index(op.f("ix_issued_report_study_id"), "issued_report", ["study_id"], unique=False)
    op.create_table(
        "rejection",
        sa.Column("id", big_id, nullable=False),
        sa.Column("batch_id", big_id, nullable=False),
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_rejection_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejection")),
    )
    op.create_index(op.f("ix_rejection_batch_id"), "rejection", ["batch_id"], unique=False)
    op.create_table(
        "source_file",
        sa.Column("id", big_id, nullable=False),
        sa.Column("batch_id", big_id, nullable=False),
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("encoding", sa.String(), nullable=True),
        sa.Column("n_rows", sa.Integer(), nullable=False),
        sa.CheckConstraint("n_rows >= 0", name=op.f("ck_source_file_n_rows")),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], name=op.f("fk_source_file_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_file")),
    )
    op.create_index(op.f("ix_source_file_batch_id"), "source_file", ["batch_id"], unique=False)
    op.create_table(
        "delivery_attempt",
        sa.Column("id", big_id, nullable=False),
        sa.Column("alert_id", big_id, nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reply", sa.String(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('accepted', 'temporary', 'permanent', 'error')",
            name=op.f("ck_delivery_attempt_outcome"),
        ),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_delivery_attempt_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempt")),
    )
    op.create_index(op.f("ix_delivery_attempt_alert_id"), "delivery_attempt", ["alert_id"], unique=False)
    op.create_table(
        "source_row",
        sa.Column("id", big_id, nullable=False),
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("record_key", sa.String(), nullable=False),
        sa.Column("file_id", big_id, nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["source_file.id"], name=op.f("fk_source_row_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_row")),
        sa.UniqueConstraint(
            "study_id", "domain", "record_key", name=op.f("uq_source_row_study_id_domain_record_key")
        ),
    )
    op.execute(f"INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '{triggers.GENESIS}')")


def downgrade() -> None:
    triggers.remove_triggers(op.get_bind())
    for table in reversed(TABLES):
        op.drop_table(table)
