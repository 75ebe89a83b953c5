"""Offers have versions of their terms, agreements name the one that they are on; applications are sent notices."""

from alembic import op
import sqlalchemy as sa

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "offer_versions",
        sa.Column("offer", sa.String(63), sa.ForeignKey("offers.id", name="fk_offer_versions_offer"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
    )
    op.execute("insert into offer_versions (offer, version, terms, created) select id, 1, terms, created from offers")
    for table in ("offers", "agreements"):
        op.add_column(table, sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.drop_column("offers", "terms")
    op.create_table(
        "notices",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column(
            "application",
            sa.String(63),
            sa.ForeignKey("applications.id", name="fk_notices_application"),
            nullable=False,
        ),
        sa.Column(
            "agreement", sa.String(63), sa.ForeignKey("agreements.id", name="fk_notices_agreement"), nullable=False
        ),
        sa.Column("offer", sa.String(63), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("ended", sa.BigInteger()),
    )
    op.create_index("ix_notices_application", "notices", ["application"])
    op.create_table(
        "webhooks",
        sa.Column(
            "application",
            sa.String(63),
            sa.ForeignKey("applications.id", name="fk_webhooks_application"),
            primary_key=True,
        ),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("notice", sa.String(128), sa.ForeignKey("notices.id", name="fk_deliveries_notice"), primary_key=True),
        sa.Column(
            "application",
            sa.String(63),
            sa.ForeignKey("applications.id", name="fk_deliveries_application"),
            nullable=False,
        ),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger()),
    )
    op.create_index("ix_deliveries_application", "deliveries", ["application"])
