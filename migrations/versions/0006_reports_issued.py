"""Reports as issued: language, page, mark and who issued them; signatures on them; what the board asked for.

Revision: 0006.
"""

import sqlalchemy as sa
from alembic import op

from safety_monitor.store import triggers

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)
_NEW = ("issued_by", "language", "page_size", "organisation")


def upgrade() -> None:
    with op.batch_alter_table("issued_report") as table:
        for name in _NEW:
            table.add_column(sa.Column(name, sa.String(), nullable=True))
        table.add_column(sa.Column("mark", sa.String(length=32), nullable=True))
        table.create_check_constraint("mark", "mark IN ('draft', 'final')")
    op.create_table(
        "report_signature",
        sa.Column("id", big, primary_key=True),
        sa.Column("report_id", big, sa.ForeignKey("issued_report.id"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("meaning", sa.String(), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.UniqueConstraint("report_id", "name", "meaning"),
        sa.CheckConstraint("name <> '' AND meaning <> ''", name="said"),
    )
    op.create_table(
        "action_item",
        sa.Column("id", big, primary_key=True),
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("report_id", big, sa.ForeignKey("issued_report.id"), nullable=True),
        sa.Column("opened_at", instant, nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("closed_at", instant, nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.CheckConstraint("text <> '' AND owner <> ''", name="asked"),
        sa.CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed"),
        sa.CheckConstraint("(closed_at IS NULL) = (resolution IS NULL)", name="resolution"),
    )
    op.create_index("ix_action_item_study_id", "action_item", ["study_id"])


def downgrade() -> None:
    triggers.remove_triggers(op.get_bind())  # they look at the columns that go; they are made anew after every migration
    op.drop_table("action_item")
    op.drop_table("report_signature")
    with op.batch_alter_table("issued_report") as table:
        table.drop_constraint(op.f("ck_issued_report_mark"), type_="check")
        for name in ("mark", *_NEW):
            table.drop_column(name)
