"""What was done with each component of the combination because of an event.

Revision: 0007.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("adverse_event", sa.Column("actions", json, nullable=False, server_default="{}"))


def downgrade() -> None:
    with op.batch_alter_table("adverse_event") as table:
        table.drop_column("actions")
