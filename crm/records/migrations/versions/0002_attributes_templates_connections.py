"""Custom attributes of contacts, named mapping templates and database connections."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
moment = sa.DateTime(timezone=True)
number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("contacts", sa.Column("attributes", document))
    op.add_column("imports", sa.Column("connection_id", sa.BigInteger()))
    op.create_index("ix_imports_connection_id", "imports", ["connection_id"])
    op.create_table(
        "mapping_templates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mapping", document, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("used_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_mapping_templates"),
    )
    op.create_table(
        "custom_fields",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("import_id", sa.Text()),
        sa.PrimaryKeyConstraint("name", name="pk_custom_fields"),
    )
    op.create_table(
        "connections",
        sa.Column("id", number, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer()),
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("password", sa.Text()),
        sa.Column("tls", sa.Text(), nullable=False),
        sa.Column("source", document, nullable=False),
        sa.Column("kind", sa.Text()),
        sa.Column("mapping", document, nullable=False),
        sa.Column("options", document, nullable=False),
        sa.Column("new_column", sa.Text()),
        sa.Column("read_up_to", sa.Text()),
        sa.Column("refreshed_at", moment),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("deleted_at", moment),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_connections"),
    )
    op.create_index(
        "uq_connections_name",
        "connections",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def downgrade() -> None:
    for table in ("connections", "custom_fields", "mapping_templates"):
        op.drop_table(table)
    op.drop_index("ix_imports_connection_id", "imports")
    op.drop_column("imports", "connection_id")
    op.drop_column("contacts", "attributes")
