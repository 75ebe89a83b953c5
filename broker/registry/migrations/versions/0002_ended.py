"""Things end and keep their row; an organisation may be suspended."""

from alembic import op
import sqlalchemy as sa

revision = "0002"
down_revision = "0001"

ENDING = ("organisations", "gateways", "datastreams", "applications", "offers")


def upgrade() -> None:
    for table in ENDING:
        op.add_column(table, sa.Column("ended", sa.BigInteger()))
    op.add_column("organisations", sa.Column("suspended", sa.Text()))
