"""Alembic's environment: every migration is one transaction on SQLite as on PostgreSQL."""

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text

from crm.records.database import Records
from crm.records.models import Base
from crm.settings import load_settings

# Any number: the same in every process, so that only one migrates at a time.
_ADVISORY_LOCK = 7_305_111_225_110


def migrate(connection: Connection) -> None:
    """Run the migrations asked for in one transaction, and check the foreign keys before it ends."""
    on_sqlite = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,  # Alembic takes SQLite to have none
        render_as_batch=on_sqlite,
        compare_type=True,
    )
    with context.begin_transaction():
        if not on_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        context.run_migrations()
        if on_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise CommandError("The migration leaves rows that refer to nothing; it was rolled back.")


if context.is_offline_mode():
    raise CommandError("Migrations are run on a database; there is no script of them.")
given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    records = Records.open(load_settings().records_url)
    with records.migrating() as own:
        migrate(own)
    records.close()
