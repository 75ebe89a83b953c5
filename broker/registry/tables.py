"""The registry's tables, for SQLite and PostgreSQL alike. What changes here needs a migration: `migrations/`.

What was deleted keeps its row, with when it `ended`: its id is never given again, since topics, ledger and agreements name it.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
_ID = String(63)

revision = Table(
    "revision",
    metadata,
    Column("number", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
)
"""One row, that every change locks and increments: writers stand in line here, readers see that something changed. `changed`: the last number
at which it was more than new datastreams and offers, which are the only ones that bear a later one.
"""

keys = Table(
    "keys",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("id", _ID, nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("subject", _ID, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("last_used", BigInteger),
    Index("ix_keys_role_subject", "role", "subject"),
)
"""SHA-256 of each key. Plain, since a key is 256 random bits: there is no dictionary to try."""

logins = Table(
    "logins",
    metadata,
    Column("username", String(160), primary_key=True),
    Column("role", String(160), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("password_hash", String(128), nullable=False),
    Column("salt", String(64), nullable=False),
    Column("iterations", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
)
"""How gateways and applications log in to Mosquitto, each for a role there."""

organisations = Table(
    "organisations",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("contact", Text),
    Column("homepage", Text),
    Column("created", BigInteger, nullable=False),
    Column("suspended", Text),
    Column("ended", BigInteger),
)

partitions = Table(
    "partitions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("worker", Integer),
)
"""A row each, made all at once; `worker`: who serves it, where that was said by hand."""

placements = Table(
    "placements",
    metadata,
    Column("organisation", ForeignKey("organisations.id"), primary_key=True),
    Column("partition", ForeignKey("partitions.number"), nullable=False),
)
"""Organisations that were placed by hand."""

gateways = Table(
    "gateways",
    metadata,
    Column("organisation", ForeignKey("organisations.id"), primary_key=True),
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("format", String(32), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("ended", BigInteger),
)

datastreams = Table(
    "datastreams",
    metadata,
    Column("organisation", _ID, primary_key=True),
    Column("id", _ID, primary_key=True),
    Column("gateway", _ID, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("observed_property", Text),
    Column("unit", Text),
    Column("longitude", Float),
    Column("latitude", Float),
    Column("theme", Text),
    Column("personal_data", Boolean, nullable=False),
    Column("location_h3", Integer),
    Column("privacy_unit", Text),
    Column("privacy_unit_id", Text),
    Column("asset_prefixes", JSON, nullable=False),
    Column("description", Text),
    Column("origin_device", Text),
    Column("origin_property", Text),
    Column("origin_unit", Text),
    Column("simulated", Boolean, nullable=False),
    Column("smooth", Text),
    Column("closed", Text),
    Column("revision", BigInteger, nullable=False, index=True),
    Column("created", BigInteger, nullable=False),
    Column("ended", BigInteger),
    ForeignKeyConstraint(["organisation", "gateway"], ["gateways.organisation", "gateways.id"]),
)

applications = Table(
    "applications",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("organisation", ForeignKey("organisations.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("ended", BigInteger),
)

offers = Table(
    "offers",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("organisation", ForeignKey("organisations.id"), nullable=False),
    Column("profile", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
    Column("created", BigInteger, nullable=False),
    Column("ended", BigInteger),
)

offer_versions = Table(
    "offer_versions",
    metadata,
    Column("offer", ForeignKey("offers.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("terms", JSON, nullable=False),
    Column("created", BigInteger, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("offer", ForeignKey("offers.id"), nullable=False, index=True),
    Column("organisation", _ID, nullable=False),
    Column("datastream", _ID, nullable=False),
    Column("stream", String(255), nullable=False),
    Column("place", Integer, nullable=False),
    Column("number", Integer, nullable=False, unique=True),
    ForeignKeyConstraint(["organisation", "datastream"], ["datastreams.organisation", "datastreams.id"]),
    Index("ix_releases_organisation_datastream", "organisation", "datastream"),
)

agreements = Table(
    "agreements",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("offer", ForeignKey("offers.id"), nullable=False),
    Column("application", ForeignKey("applications.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("purpose", _ID, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("reason", Text),
    Index("ix_agreements_application_offer", "application", "offer"),
)

notices = Table(
    "notices",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("application", ForeignKey("applications.id"), nullable=False, index=True),
    Column("agreement", ForeignKey("agreements.id"), nullable=False),
    Column("offer", _ID, nullable=False),
    Column("event", String(32), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("reason", Text),
    Column("ended", BigInteger),
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("application", ForeignKey("applications.id"), primary_key=True),
    Column("url", Text, nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("created", BigInteger, nullable=False),
)
"""Secrets are derived from the nonce and a key that is not here."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("notice", ForeignKey("notices.id"), primary_key=True),
    Column("application", ForeignKey("applications.id"), nullable=False, index=True),
    Column("event", String(32), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("due", BigInteger),
)
"""What became of notices that were sent by webhook."""

signups = Table(
    "signups",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("organisation", _ID, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("contact", Text),
    Column("homepage", Text),
    Column("key_hash", String(64), nullable=False),
    Column("statement", Text),
    Column("state", String(16), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("criterion", Text),
    Column("reason", Text),
)

issuers = Table(
    "issuers",
    metadata,
    Column("prefix", String(255), primary_key=True),
    Column("organisation", ForeignKey("organisations.id"), nullable=False),
)
"""Which organisation gave out the tags that begin so."""

consent_codes = Table(
    "consent_codes",
    metadata,
    Column("tag", String(32), primary_key=True),
    Column("code", String(64), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
)

consents = Table(
    "consents",
    metadata,
    Column("tag", String(32), primary_key=True),
    Column("purpose", _ID, primary_key=True),
    Column("given", BigInteger, primary_key=True),
    Column("withdrawn", BigInteger),
)

consent_days = Table("consent_days", metadata, Column("day", String(10), primary_key=True))
"""Whose counts are on the record."""

erasures = Table(
    "erasures",
    metadata,
    Column("tag", String(32), primary_key=True),
    Column("asked", BigInteger, primary_key=True),
)
"""Of which tags what was read before is to be erased."""

charges = Table(
    "charges",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("agreement", ForeignKey("agreements.id"), nullable=False, index=True),
    Column("amount", String(24), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("begins", BigInteger),
    Column("ends", BigInteger),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
)
"""`amount`: decimal digits, since no binary fraction is a cent."""

findings = Table(
    "findings",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("application", ForeignKey("applications.id"), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("ended", BigInteger),
)
"""With its end, title and link are emptied."""
requests = Table(
    "requests",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("by", ForeignKey("organisations.id"), nullable=False),
    Column("of", ForeignKey("organisations.id"), nullable=False),
    Column("datastream", _ID),
    Column("offer", ForeignKey("offers.id")),
    Column("wish", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("outcome", String(16)),
    Column("answer", Text),
    Column("answer_offer", ForeignKey("offers.id")),
    Column("answered", BigInteger),
    Column("ended", BigInteger),
)

supports = Table(
    "supports",
    metadata,
    Column("request", ForeignKey("requests.id"), primary_key=True),
    Column("organisation", ForeignKey("organisations.id"), primary_key=True),
    Column("created", BigInteger, nullable=False),
)
"""Who stands behind a request."""

disputes = Table(
    "disputes",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("by", ForeignKey("organisations.id"), nullable=False),
    Column("against", ForeignKey("organisations.id"), nullable=False),
    Column("over", String(16), nullable=False),
    Column("agreement", ForeignKey("agreements.id")),
    Column("offer", ForeignKey("offers.id")),
    Column("request", ForeignKey("requests.id")),
    Column("statement", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("upheld", Boolean),
    Column("reasons", Text),
    Column("ruled", BigInteger),
    Column("ended", BigInteger),
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("time", String(40), nullable=False),
    Column("event", String(64), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
"""Append-only: the migration adds triggers that refuse to change or delete a row."""

ledger_texts = Table(
    "ledger_texts",
    metadata,
    Column("seq", ForeignKey("ledger.seq"), primary_key=True),
    Column("field", String(63), primary_key=True),
    Column("salt", String(32), nullable=False),
    Column("text", Text, nullable=False),
)
"""What stands beside the chain. A row may be deleted, never changed."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("key", String(44), primary_key=True),
    Column("time", String(40), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("signature", String(88), nullable=False),
)
"""Append-only as well."""
