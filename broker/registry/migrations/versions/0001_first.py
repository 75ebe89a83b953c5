"""The first schema."""

from alembic import op
import sqlalchemy as sa

revision = "0001"
down_revision = None

APPEND_ONLY = {
    "ledger": ("update", "delete"),
    "checkpoints": ("update", "delete"),
    "ledger_texts": ("update",),
}
"""What is refused on each table; PostgreSQL's truncate besides, where delete is."""


def refusals(dialect: str) -> list[str]:
    """The triggers that refuse it."""
    if dialect == "sqlite":
        return [
            f"create trigger {table}_no_{act} before {act} on {table} "
            f"begin select raise(abort, '{table} is append-only'); end"
            for table, acts in APPEND_ONLY.items()
            for act in acts
        ]
    refuse = (
        "create function append_only() returns trigger language plpgsql as "
        "$$ begin raise exception '% is append-only', tg_table_name; end $$"
    )
    rows = [
        f"create trigger {table}_append_only before {' or '.join(acts)} on {table} "
        "for each row execute function append_only()"
        for table, acts in APPEND_ONLY.items()
    ]
    whole = [
        f"create trigger {table}_no_truncate before truncate on {table} for each statement execute function append_only()"
        for table, acts in APPEND_ONLY.items()
        if "delete" in acts
    ]
    return [refuse, *rows, *whole]


def upgrade() -> None:
    op.create_table('keys',
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('subject', sa.String(length=63), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('scopes', sa.JSON(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('expires', sa.BigInteger(), nullable=True),
    sa.Column('last_used', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('hash', name=op.f('pk_keys')),
    sa.UniqueConstraint('id', name=op.f('uq_keys_id'))
    )
    op.create_index('ix_keys_role_subject', 'keys', ['role', 'subject'], unique=False)
    op.create_table('logins',
    sa.Column('username', sa.String(length=160), nullable=False),
    sa.Column('role', sa.String(length=160), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('password_hash', sa.String(length=128), nullable=False),
    sa.Column('salt', sa.String(length=64), nullable=False),
    sa.Column('iterations', sa.Integer(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('username', name=op.f('pk_logins'))
    )
    op.create_index(op.f('ix_logins_role'), 'logins', ['role'], unique=False)
    op.create_table('ledger',
    sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('time', sa.String(length=40), nullable=False),
    sa.Column('event', sa.String(length=64), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('previous', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_ledger'))
    )
    op.create_table('ledger_texts',
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('field', sa.String(length=63), nullable=False),
    sa.Column('salt', sa.String(length=32), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['seq'], ['ledger.seq'], name=op.f('fk_ledger_texts_seq')),
    sa.PrimaryKeyConstraint('seq', 'field', name=op.f('pk_ledger_texts'))
    )
    op.create_table('checkpoints',
    sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('key', sa.String(length=44), nullable=False),
    sa.Column('time', sa.String(length=40), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('signature', sa.String(length=88), nullable=False),
    sa.PrimaryKeyConstraint('seq', 'key', name=op.f('pk_checkpoints'))
    )
    op.create_table('organisations',
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('contact', sa.Text(), nullable=True),
    sa.Column('homepage', sa.Text(), nullable=True),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_organisations'))
    )
    op.create_table('revision',
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('changed', sa.BigInteger(), nullable=False)
    )
    op.create_table('applications',
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('organisation', sa.String(length=63), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['organisation'], ['organisations.id'], name=op.f('fk_applications_organisation')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_applications'))
    )
    op.create_table('gateways',
    sa.Column('organisation', sa.String(length=63), nullable=False),
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('format', sa.String(length=32), nullable=False),
    sa.Column('zone', sa.String(length=64), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['organisation'], ['organisations.id'], name=op.f('fk_gateways_organisation')),
    sa.PrimaryKeyConstraint('organisation', 'id', name=op.f('pk_gateways'))
    )
    op.create_table('offers',
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('organisation', sa.String(length=63), nullable=False),
    sa.Column('profile', sa.JSON(), nullable=False),
    sa.Column('terms', sa.JSON(), nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['organisation'], ['organisations.id'], name=op.f('fk_offers_organisation')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_offers'))
    )
    op.create_index(op.f('ix_offers_revision'), 'offers', ['revision'], unique=False)
    op.create_table('agreements',
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('offer', sa.String(length=63), nullable=False),
    sa.Column('application', sa.String(length=63), nullable=False),
    sa.Column('purpose', sa.String(length=63), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('ended', sa.BigInteger(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['application'], ['applications.id'], name=op.f('fk_agreements_application')),
    sa.ForeignKeyConstraint(['offer'], ['offers.id'], name=op.f('fk_agreements_offer')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agreements'))
    )
    op.create_index('ix_agreements_application_offer', 'agreements', ['application', 'offer'], unique=False)
    op.create_table('datastreams',
    sa.Column('organisation', sa.String(length=63), nullable=False),
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('gateway', sa.String(length=63), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('observed_property', sa.Text(), nullable=True),
    sa.Column('unit', sa.Text(), nullable=True),
    sa.Column('longitude', sa.Float(), nullable=True),
    sa.Column('latitude', sa.Float(), nullable=True),
    sa.Column('theme', sa.Text(), nullable=True),
    sa.Column('personal_data', sa.Boolean(), nullable=False),
    sa.Column('location_h3', sa.Integer(), nullable=True),
    sa.Column('privacy_unit', sa.Text(), nullable=True),
    sa.Column('privacy_unit_id', sa.Text(), nullable=True),
    sa.Column('asset_prefixes', sa.JSON(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('origin_device', sa.Text(), nullable=True),
    sa.Column('origin_property', sa.Text(), nullable=True),
    sa.Column('origin_unit', sa.Text(), nullable=True),
    sa.Column('simulated', sa.Boolean(), nullable=False),
    sa.Column('smooth', sa.Text(), nullable=True),
    sa.Column('closed', sa.Text(), nullable=True),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['organisation', 'gateway'], ['gateways.organisation', 'gateways.id'], name=op.f('fk_datastreams_organisation_gateway')),
    sa.PrimaryKeyConstraint('organisation', 'id', name=op.f('pk_datastreams'))
    )
    op.create_index(op.f('ix_datastreams_revision'), 'datastreams', ['revision'], unique=False)
    op.create_table('releases',
    sa.Column('id', sa.String(length=128), nullable=False),
    sa.Column('offer', sa.String(length=63), nullable=False),
    sa.Column('organisation', sa.String(length=63), nullable=False),
    sa.Column('datastream', sa.String(length=63), nullable=False),
    sa.Column('stream', sa.String(length=255), nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['offer'], ['offers.id'], name=op.f('fk_releases_offer')),
    sa.ForeignKeyConstraint(['organisation', 'datastream'], ['datastreams.organisation', 'datastreams.id'], name=op.f('fk_releases_organisation_datastream')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_releases')),
    sa.UniqueConstraint('number', name=op.f('uq_releases_number'))
    )
    op.create_table('issuers',
    sa.Column('prefix', sa.String(length=255), nullable=False),
    sa.Column('organisation', sa.String(length=63), nullable=False),
    sa.ForeignKeyConstraint(['organisation'], ['organisations.id'], name=op.f('fk_issuers_organisation')),
    sa.PrimaryKeyConstraint('prefix', name=op.f('pk_issuers'))
    )
    op.create_table('consent_codes',
    sa.Column('tag', sa.String(length=32), nullable=False),
    sa.Column('code', sa.String(length=64), nullable=False),
    sa.Column('expires', sa.BigInteger(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('tag', name=op.f('pk_consent_codes'))
    )
    op.create_table('consents',
    sa.Column('tag', sa.String(length=32), nullable=False),
    sa.Column('purpose', sa.String(length=63), nullable=False),
    sa.Column('given', sa.BigInteger(), nullable=False),
    sa.Column('withdrawn', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('tag', 'purpose', 'given', name=op.f('pk_consents'))
    )
    op.create_table('consent_days',
    sa.Column('day', sa.String(length=10), nullable=False),
    sa.PrimaryKeyConstraint('day', name=op.f('pk_consent_days'))
    )
    op.create_table('erasures',
    sa.Column('tag', sa.String(length=32), nullable=False),
    sa.Column('asked', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tag', 'asked', name=op.f('pk_erasures'))
    )
    op.create_index(op.f('ix_releases_offer'), 'releases', ['offer'], unique=False)
    op.create_index('ix_releases_organisation_datastream', 'releases', ['organisation', 'datastream'], unique=False)
    op.create_table('signups',
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('organisation', sa.String(length=63), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('contact', sa.Text(), nullable=True),
    sa.Column('homepage', sa.Text(), nullable=True),
    sa.Column('key_hash', sa.String(length=64), nullable=False),
    sa.Column('statement', sa.Text(), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('criterion', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_signups'))
    )
    op.create_index(op.f('ix_signups_organisation'), 'signups', ['organisation'], unique=False)
    op.create_table('charges',
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('agreement', sa.String(length=63), nullable=False),
    sa.Column('amount', sa.String(length=24), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('begins', sa.BigInteger(), nullable=True),
    sa.Column('ends', sa.BigInteger(), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['agreement'], ['agreements.id'], name=op.f('fk_charges_agreement')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_charges'))
    )
    op.create_index(op.f('ix_charges_agreement'), 'charges', ['agreement'], unique=False)
    op.create_table('findings',
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('application', sa.String(length=63), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('link', sa.Text(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('ended', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['application'], ['applications.id'], name=op.f('fk_findings_application')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_findings'))
    )
    op.create_index(op.f('ix_findings_application'), 'findings', ['application'], unique=False)
    op.create_table('requests',
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('by', sa.String(length=63), nullable=False),
    sa.Column('of', sa.String(length=63), nullable=False),
    sa.Column('datastream', sa.String(length=63), nullable=True),
    sa.Column('offer', sa.String(length=63), nullable=True),
    sa.Column('wish', sa.Text(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('outcome', sa.String(length=16), nullable=True),
    sa.Column('answer', sa.Text(), nullable=True),
    sa.Column('answer_offer', sa.String(length=63), nullable=True),
    sa.Column('answered', sa.BigInteger(), nullable=True),
    sa.Column('ended', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['by'], ['organisations.id'], name=op.f('fk_requests_by')),
    sa.ForeignKeyConstraint(['of'], ['organisations.id'], name=op.f('fk_requests_of')),
    sa.ForeignKeyConstraint(['offer'], ['offers.id'], name=op.f('fk_requests_offer')),
    sa.ForeignKeyConstraint(['answer_offer'], ['offers.id'], name=op.f('fk_requests_answer_offer')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_requests'))
    )
    op.create_table('supports',
    sa.Column('request', sa.String(length=63), nullable=False),
    sa.Column('organisation', sa.String(length=63), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['request'], ['requests.id'], name=op.f('fk_supports_request')),
    sa.ForeignKeyConstraint(['organisation'], ['organisations.id'], name=op.f('fk_supports_organisation')),
    sa.PrimaryKeyConstraint('request', 'organisation', name=op.f('pk_supports'))
    )
    op.create_table('disputes',
    sa.Column('id', sa.String(length=63), nullable=False),
    sa.Column('by', sa.String(length=63), nullable=False),
    sa.Column('against', sa.String(length=63), nullable=False),
    sa.Column('over', sa.String(length=16), nullable=False),
    sa.Column('agreement', sa.String(length=63), nullable=True),
    sa.Column('offer', sa.String(length=63), nullable=True),
    sa.Column('request', sa.String(length=63), nullable=True),
    sa.Column('statement', sa.Text(), nullable=False),
    sa.Column('created', sa.BigInteger(), nullable=False),
    sa.Column('upheld', sa.Boolean(), nullable=True),
    sa.Column('reasons', sa.Text(), nullable=True),
    sa.Column('ruled', sa.BigInteger(), nullable=True),
    sa.Column('ended', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['by'], ['organisations.id'], name=op.f('fk_disputes_by')),
    sa.ForeignKeyConstraint(['against'], ['organisations.id'], name=op.f('fk_disputes_against')),
    sa.ForeignKeyConstraint(['agreement'], ['agreements.id'], name=op.f('fk_disputes_agreement')),
    sa.ForeignKeyConstraint(['offer'], ['offers.id'], name=op.f('fk_disputes_offer')),
    sa.ForeignKeyConstraint(['request'], ['requests.id'], name=op.f('fk_disputes_request')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_disputes'))
    )
    op.create_table('partitions',
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('worker', sa.Integer(), nullable=True),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_partitions'))
    )
    op.create_table('placements',
    sa.Column('organisation', sa.String(length=63), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['organisation'], ['organisations.id'], name=op.f('fk_placements_organisation')),
    sa.ForeignKeyConstraint(['partition'], ['partitions.number'], name=op.f('fk_placements_partition')),
    sa.PrimaryKeyConstraint('organisation', name=op.f('pk_placements'))
    )
    op.execute("insert into revision values (1, 1)")
    for statement in refusals(op.get_bind().dialect.name):
        op.execute(statement)
