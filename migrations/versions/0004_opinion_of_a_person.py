"""Who gave an opinion on causality: the sponsor's reviewer is a named person.

Revision: 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("component_opinion", sa.Column("given_by", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("component_opinion") as table:
        table.drop_column("given_by")
