"""Alembic's environment: one transaction for all steps, and the audit triggers made anew after them.

Run by ``safety_monitor.store.upgrade``, which hands over the connection; there is no alembic.ini.
"""

from alembic import context
from sqlalchemy import inspect, text

from safety_monitor.store import tables, triggers

connection = context.config.attributes["connection"]
if connection.dialect.name == "sqlite":  # a rebuilt table must not take the rows that point to it along
    connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")

context.configure(
    connection=connection,
    target_metadata=tables.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('safety_monitor.migrations'))"))
    context.run_migrations()
    if inspect(connection).has_table("audit"):
        triggers.install_triggers(connection)
