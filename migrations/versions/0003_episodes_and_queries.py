"""Episodes of results, questions to the sites, and what an event says of its group (AEGRPID) and importance (AESOSP).

Revision: 0003.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    for name in ("aegrpid", "aesosp"):
        op.add_column("adverse_event", sa.Column(name, sa.String(), nullable=True))
    op.create_table(
        "episode",
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("usubjid", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("onset_on", sa.Date(), nullable=False),
        sa.Column("onset_grade", sa.Integer(), nullable=False),
        sa.Column("worst_grade", sa.Integer(), nullable=False),
        sa.Column("worst_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("n_results", sa.Integer(), nullable=False),
        sa.Column("baseline_grade", sa.Integer(), nullable=True),
        sa.Column("resolved_on", sa.Date(), nullable=True),
        sa.Column("emergent_on", sa.Date(), nullable=True),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("aeseq", sa.Integer(), nullable=True),
        sa.Column("decided_aeseq", sa.Integer(), nullable=True),
        sa.Column("id", big_id, nullable=False),
        sa.Column("ended", sa.String(32), nullable=False),
        sa.Column("link", sa.String(32), nullable=False),
        sa.Column("case_state", sa.String(32), nullable=False),
        sa.Column("changes", json, nullable=False),
        sa.Column("candidates", json, nullable=False),
        sa.Column("is_withdrawn", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", instant, nullable=False),
        sa.Column("changed_at", instant, nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", instant, nullable=True),
        sa.Column("decision", sa.String(), nullable=True),
        sa.CheckConstraint("ended IN ('resolved', 'gap', 'ongoing_at_death', 'ongoing')", name="ended"),
        sa.CheckConstraint("link IN ('matched', 'covered', 'ambiguous', 'unreported')", name="link"),
        sa.CheckConstraint("case_state IN ('none', 'draft', 'confirmed', 'dismissed', 'withdrawn')", name="case_state"),
        sa.CheckConstraint("worst_grade BETWEEN 1 AND 5 AND onset_grade BETWEEN 1 AND worst_grade", name="grades"),
        sa.CheckConstraint("onset_on <= worst_on AND worst_on <= last_on", name="days"),
        sa.CheckConstraint("(ended = 'resolved') = (resolved_on IS NOT NULL)", name="resolved"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_episode_study_id", "episode", ["study_id", "usubjid", "term"])
    op.create_table(
        "query",
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("check_id", sa.String(), nullable=False),
        sa.Column("usubjid", sa.String(), nullable=True),
        sa.Column("siteid", sa.String(), nullable=True),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("id", big_id, nullable=False),
        sa.Column("query_key", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("opened_at", instant, nullable=False),
        sa.Column("changed_at", instant, nullable=False),
        sa.Column("n_reopened", sa.Integer(), nullable=False),
        sa.Column("reopened_at", instant, nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("answered_at", instant, nullable=True),
        sa.Column("closed_at", instant, nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("close_reason", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'answered', 'closed')", name="state"),
        sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL AND closed_by IS NOT NULL)", name="closed"),
        sa.CheckConstraint("n_reopened >= 0", name="n_reopened"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("study_id", "query_key"),
    )


def downgrade() -> None:
    op.drop_table("query")
    op.drop_table("episode")
    with op.batch_alter_table("adverse_event") as table:
        table.drop_column("aesosp")
        table.drop_column("aegrpid")
