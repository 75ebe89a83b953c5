"""What Alembic runs: the connection is handed over by `Database.migrate`."""

from alembic import context

from broker.registry.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
