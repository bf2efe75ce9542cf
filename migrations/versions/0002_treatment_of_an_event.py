"""Whether an event was treated (AECONTRT): a grade may depend on it.

Revision: 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("adverse_event", sa.Column("aecontrt", sa.Boolean(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("adverse_event") as table:
        table.drop_column("aecontrt")
