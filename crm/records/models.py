"""The tables of the records, one class per row."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Boolean, Float, ForeignKey, Index, Integer, MetaData, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from crm.records.columns import Document, Moment, Money, Number, now


class Base(DeclarativeBase):
    """The records' one metadata; constraints get names, so that a migration can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        bool: Boolean(),
        float: Float(),
        int: Integer(),
        datetime: Moment(),
        Decimal: Money(),
        dict[str, Any]: Document,
        list[str]: Document,
    }


class Contact(Base):
    """What is known about a customer beside the orders; the columns of files of kind `contacts`.

    `attributes` are what a business keeps beside the canonical columns: name of a `CustomField` → text, as
    the source writes it. `version` grows with every change and refuses a stale edit; `change_seq` is the number of the
    transaction that changed the row last, which a mirror follows. A `deleted_at` puts it in the bin.
    """

    __tablename__ = "contacts"

    customer_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    company: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    gender: Mapped[str | None]
    birth_date: Mapped[date | None]
    age: Mapped[int | None]
    city: Mapped[str | None]
    country: Mapped[str | None]
    annual_income: Mapped[Decimal | None]
    channel: Mapped[str | None]
    acquisition_cost: Mapped[Decimal | None]
    joined_on: Mapped[date | None]
    email_consent: Mapped[bool | None]
    phone_consent: Mapped[bool | None]
    note: Mapped[str | None]
    attributes: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]
    import_id: Mapped[str | None]
    version: Mapped[int] = mapped_column()
    change_seq: Mapped[int] = mapped_column(BigInteger, index=True)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - the base class types it
    __table_args__ = (
        Index(
            "ix_contacts_bin",
            "deleted_at",
            sqlite_where=text("deleted_at IS NOT NULL"),
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
    )


class Tombstone(Base):
    """A contact that is gone for good, kept as its ID alone so that a mirror learns of it.

    `version` is the last one it had: should the customer come again, counting goes on from there, and
    a form opened before cannot overwrite the new contact.
    """

    __tablename__ = "contact_tombstones"

    customer_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()
    change_seq: Mapped[int] = mapped_column(BigInteger, index=True)


class ChangeCounter(Base):
    """The one row that numbers the transactions which write contacts, in the order they commit."""

    __tablename__ = "change_counter"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigInteger)


class Ticket(Base):
    """A customer's question or complaint; the customer need not have a contact."""

    __tablename__ = "tickets"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    customer_id: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(default="open", index=True)
    priority: Mapped[str] = mapped_column(default="normal")
    assignee: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    solved_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - the base class types it


class TicketComment(Base):
    """One answer or note on a ticket."""

    __tablename__ = "ticket_comments"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    author: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]


class Audience(Base):
    """A saved rule over the customers' fields; the name is unique among those not in the bin."""

    __tablename__ = "audiences"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str]
    rule: Mapped[dict[str, Any]]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - the base class types it
    __table_args__ = (
        Index(
            "uq_audiences_name",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )


class Import(Base):
    """One import: what came, what was assumed, what became of every row, and how to go back.

    `number` is the order in which imports began, `lake_versions` the versions of the lake's tables
    before it. `connection_id` names the database connection that the rows came through, if one did.
    """

    __tablename__ = "imports"

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, unique=True)
    kind: Mapped[str]
    file_name: Mapped[str]
    sha256: Mapped[str] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(default="open", index=True)
    sample: Mapped[bool] = mapped_column(default=False)
    source: Mapped[str] = mapped_column(default="page")
    actor: Mapped[str] = mapped_column(default="")
    started_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]
    rows_read: Mapped[int] = mapped_column(BigInteger, default=0)
    created: Mapped[int] = mapped_column(BigInteger, default=0)
    updated: Mapped[int] = mapped_column(BigInteger, default=0)
    unchanged: Mapped[int] = mapped_column(BigInteger, default=0)
    skipped: Mapped[int] = mapped_column(BigInteger, default=0)
    rejected: Mapped[int] = mapped_column(BigInteger, default=0)
    mapping: Mapped[dict[str, Any]] = mapped_column(default=dict)
    connection_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    assumed: Mapped[list[str]] = mapped_column(default=list)
    warnings: Mapped[list[str]] = mapped_column(default=list)
    rejects_file: Mapped[str | None]
    lake_versions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seconds: Mapped[float | None]


class ImportChange(Base):
    """A contact as it was before an import wrote it; no `before` means that it did not exist.

    `version_after` is the contact's version once the import had written it: another version means that
    somebody edited it since.
    """

    __tablename__ = "import_changes"

    import_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str] = mapped_column(primary_key=True)
    before: Mapped[dict[str, Any] | None]
    version_after: Mapped[int]

    # Rows are only ever read by import and customer, so the key is the table: half the space and writes.
    __table_args__ = ({"sqlite_with_rowid": False},)


class Event(Base):
    """One act in the log, with the record before and after; `undoes_id` is the act it took back."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)
    actor: Mapped[str]
    act: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    undoes_id: Mapped[int | None] = mapped_column(BigInteger)
    undone_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_events_subject", "subject_kind", "subject_id"),)


class MappingMemory(Base):
    """The mapping last confirmed for files with these headers."""

    __tablename__ = "mapping_memory"

    signature: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    mapping: Mapped[dict[str, Any]]
    used_at: Mapped[datetime] = mapped_column(default=now)


class MappingTemplate(Base):
    """A mapping kept under a name, for files whose headers are not always the same."""

    __tablename__ = "mapping_templates"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    mapping: Mapped[dict[str, Any]]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    used_at: Mapped[datetime] = mapped_column(default=now)


class CustomField(Base):
    """An attribute of contacts that files brought beside the canonical columns.

    `name` is what the attribute is stored under and part of its field's name (`schema.custom_field_name`),
    `title` the header it came with, `type` text, number, date or yes/no.
    """

    __tablename__ = "custom_fields"

    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    type: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    import_id: Mapped[str | None]


class Connection(Base):
    """A database that rows are fetched from, and how: what to read, how it is mapped, how far it was read.

    `password` is encrypted with the key of the environment, never plain. `source` is the table or the
    SELECT. `new_column` tells new rows from old ones; `read_up_to` is its last value fetched, as text.
    """

    __tablename__ = "connections"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str]
    driver: Mapped[str]
    host: Mapped[str] = mapped_column(default="")
    port: Mapped[int | None]
    database: Mapped[str] = mapped_column(default="")
    username: Mapped[str] = mapped_column(default="")
    password: Mapped[str | None]
    tls: Mapped[str] = mapped_column(default="require")
    source: Mapped[dict[str, Any]] = mapped_column(default=dict)
    kind: Mapped[str | None]
    mapping: Mapped[dict[str, Any]] = mapped_column(default=dict)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    new_column: Mapped[str | None]
    read_up_to: Mapped[str | None]
    refreshed_at: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - the base class types it
    __table_args__ = (
        Index(
            "uq_connections_name",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )


class SettingsValue(Base):
    """One editable table of the workbench, such as the bands of a scheme or the region of each city."""

    __tablename__ = "settings_values"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any | None] = mapped_column(Document)
    updated_at: Mapped[datetime] = mapped_column(default=now)


class Forecast(Base):
    """A forecast as it was computed, so that yesterday's numbers can be shown again.

    It rests on what was asked (`as_of`, the `model`, which may be “auto”, and the holdout in weeks, where
    one was given) and on `orders_version`, the version of the lake's orders. Each is kept once.
    """

    __tablename__ = "forecasts"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    made_at: Mapped[datetime] = mapped_column(default=now)
    orders_version: Mapped[int] = mapped_column(BigInteger)
    as_of: Mapped[date]
    model: Mapped[str]
    holdout_weeks: Mapped[int | None]
    body: Mapped[dict[str, Any]]

    __table_args__ = (
        # To a unique index every NULL is another one; those without a holdout need an index of their own.
        Index(
            "uq_forecasts_question",
            "orders_version",
            "as_of",
            "model",
            "holdout_weeks",
            unique=True,
        ),
        Index(
            "uq_forecasts_question_default_holdout",
            "orders_version",
            "as_of",
            "model",
            unique=True,
            sqlite_where=text("holdout_weeks IS NULL"),
            postgresql_where=text("holdout_weeks IS NULL"),
        ),
    )
