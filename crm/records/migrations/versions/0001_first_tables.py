"""The first tables: contacts, tickets, audiences, imports, the log and the settings."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# A migration says its types itself: what the models become later must not change the past.
document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
moment = sa.DateTime(timezone=True)
money = sa.Numeric(18, 4).with_variant(sa.BigInteger(), "sqlite")
number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("company", sa.Text()),
        sa.Column("email", sa.Text()),
        sa.Column("phone", sa.Text()),
        sa.Column("gender", sa.Text()),
        sa.Column("birth_date", sa.Date()),
        sa.Column("age", sa.Integer()),
        sa.Column("city", sa.Text()),
        sa.Column("country", sa.Text()),
        sa.Column("annual_income", money),
        sa.Column("channel", sa.Text()),
        sa.Column("acquisition_cost", money),
        sa.Column("joined_on", sa.Date()),
        sa.Column("email_consent", sa.Boolean()),
        sa.Column("phone_consent", sa.Boolean()),
        sa.Column("note", sa.Text()),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("deleted_at", moment),
        sa.Column("import_id", sa.Text()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("change_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="pk_contacts"),
    )
    op.create_index(
        "ix_contacts_bin",
        "contacts",
        ["deleted_at"],
        sqlite_where=sa.text("deleted_at IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_index("ix_contacts_change_seq", "contacts", ["change_seq"])
    op.create_table(
        "contact_tombstones",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("change_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="pk_contact_tombstones"),
    )
    op.create_index("ix_contact_tombstones_change_seq", "contact_tombstones", ["change_seq"])
    op.create_table(
        "change_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_change_counter"),
    )
    op.execute("INSERT INTO change_counter (id, value) VALUES (1, 0)")
    op.create_table(
        "tickets",
        sa.Column("id", number, nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("assignee", sa.Text()),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("solved_at", moment),
        sa.Column("deleted_at", moment),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tickets"),
    )
    op.create_index("ix_tickets_customer_id", "tickets", ["customer_id"])
    op.create_index("ix_tickets_status", "tickets", ["status"])
    op.create_table(
        "ticket_comments",
        sa.Column("id", number, nullable=False),
        sa.Column("ticket_id", number, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("deleted_at", moment),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_ticket_comments_ticket_id"),
        sa.PrimaryKeyConstraint("id", name="pk_ticket_comments"),
    )
    op.create_index("ix_ticket_comments_ticket_id", "ticket_comments", ["ticket_id"])
    op.create_table(
        "audiences",
        sa.Column("id", number, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rule", document, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("deleted_at", moment),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audiences"),
    )
    op.create_index(
        "uq_audiences_name",
        "audiences",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("sample", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("finished_at", moment),
        sa.Column("undone_at", moment),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("mapping", document, nullable=False),
        sa.Column("assumed", document, nullable=False),
        sa.Column("warnings", document, nullable=False),
        sa.Column("rejects_file", sa.Text()),
        sa.Column("lake_versions", document, nullable=False),
        sa.Column("seconds", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
        sa.UniqueConstraint("number", name="uq_imports_number"),
    )
    op.create_index("ix_imports_sha256", "imports", ["sha256"])
    op.create_index("ix_imports_status", "imports", ["status"])
    op.create_table(
        "import_changes",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("before", document),
        sa.Column("version_after", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "customer_id", name="pk_import_changes"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("id", number, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("before", document),
        sa.Column("after", document),
        sa.Column("undoes_id", sa.BigInteger()),
        sa.Column("undone_at", moment),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_subject", "events", ["subject_kind", "subject_id"])
    op.create_table(
        "mapping_memory",
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mapping", document, nullable=False),
        sa.Column("used_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("signature", name="pk_mapping_memory"),
    )
    op.create_table(
        "settings_values",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", document),
        sa.Column("updated_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_settings_values"),
    )


def downgrade() -> None:
    for table in (
        "settings_values",
        "mapping_memory",
        "events",
        "import_changes",
        "imports",
        "audiences",
        "ticket_comments",
        "tickets",
        "change_counter",
        "contact_tombstones",
        "contacts",
    ):
        op.drop_table(table)
