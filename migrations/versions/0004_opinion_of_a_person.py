"""Who gave an opinion on causality (the sponsor's reviewer is a named person), and the evidence behind the system's.

Revision: 0004.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("component_opinion", sa.Column("given_by", sa.String(), nullable=True))
    op.add_column("component_opinion", sa.Column("pieces", json, nullable=False, server_default="[]"))
    with op.batch_alter_table("component_opinion") as table:
        table.alter_column("pieces", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("component_opinion") as table:
        table.drop_column("pieces")
        table.drop_column("given_by")
