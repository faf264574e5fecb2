"""Forecasts, kept with the version of the orders they rest on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
moment = sa.DateTime(timezone=True)
number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "forecasts",
        sa.Column("id", number, nullable=False),
        sa.Column("made_at", moment, nullable=False),
        sa.Column("orders_version", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("holdout_weeks", sa.Integer()),
        sa.Column("body", document, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_forecasts"),
    )
    op.create_index(
        "uq_forecasts_question",
        "forecasts",
        ["orders_version", "as_of", "model", "holdout_weeks"],
        unique=True,
    )
    op.create_index(
        "uq_forecasts_question_default_holdout",
        "forecasts",
        ["orders_version", "as_of", "model"],
        unique=True,
        sqlite_where=sa.text("holdout_weeks IS NULL"),
        postgresql_where=sa.text("holdout_weeks IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("forecasts")
