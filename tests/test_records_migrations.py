"""Migrations: all of one or nothing of it, and in step with the models."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.ddl.impl import DefaultImpl
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, inspect, text

from crm.errors import ClienteleError
from crm.records import contacts, database
from crm.records.database import HEAD, MIGRATIONS, Records
from crm.records.models import Base, Contact
from crm.schema import CONTACT_COLUMNS


def config_with(*folders: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, [MIGRATIONS / "versions", *folders])))
    return config


def upgrade(records: Records, config: Config) -> None:
    with records.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def dump(records: Records) -> dict[str, object]:
    """Every table with its columns, keys and rows, and every index as the database tells it."""
    schema = (
        "SELECT type, name, sql FROM sqlite_master"
        if records.dialect == "sqlite"
        else "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    )
    with records._reading.connect() as connection:
        inspector = inspect(connection)
        found: dict[str, object] = {"": sorted(map(str, connection.execute(text(schema))))}
        for name in sorted(inspector.get_table_names()):
            found[name] = (
                [(column["name"], str(column["type"])) for column in inspector.get_columns(name)],
                inspector.get_pk_constraint(name),
                inspector.get_foreign_keys(name),
                sorted(map(str, connection.execute(text(f'SELECT * FROM "{name}"')))),
            )
    return found


def test_head_in_the_code_is_alembics():
    assert ScriptDirectory.from_config(config_with()).get_heads() == [HEAD]


def test_models_and_migrations_are_in_step(records: Records):
    with records.migrating() as connection:
        found = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata
        )

    assert found == []


def test_contact_has_the_columns_of_the_schema():
    assert [column.name for column in CONTACT_COLUMNS] == Contact.__table__.columns.keys()[
        : len(CONTACT_COLUMNS)
    ]


def test_migrating_twice_is_no_change(empty_records_url: str):
    records = Records.open(empty_records_url)
    records.migrate()
    first = dump(records)
    records.migrate()

    assert dump(records) == first
    records.close()


def test_migration_that_fails_at_any_step_leaves_nothing(
    empty_records_url: str, monkeypatch: pytest.MonkeyPatch
):
    """The first, the second, the third … statement fails, until the migration comes through."""
    records = Records.open(empty_records_url)
    original = DefaultImpl._exec
    assert dump(records) == {"": []}

    failures = 0
    while True:
        left = failures

        def fail(self: DefaultImpl, *args: object, **kwargs: object) -> object:
            nonlocal left
            if left == 0:
                raise RuntimeError("injected")
            left -= 1
            return original(self, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(DefaultImpl, "_exec", fail)
        try:
            records.migrate()
        except RuntimeError:
            assert dump(records) == {"": []}
            failures += 1
            continue
        break

    assert failures > 20
    assert "contacts" in dump(records)
    records.close()


NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("tickets", recreate="auto") as table:
        table.add_column(sa.Column("due_on", sa.Date()))
        table.alter_column("subject", existing_type=sa.Text(), nullable=True)
    op.execute("UPDATE tickets SET subject = 'changed'")
    {then}
"""


def write_next(folder: Path, then: str) -> None:
    folder.mkdir()
    (folder / "next.py").write_text(textwrap.dedent(NEXT.format(head=HEAD, then=then)))


def fill(records: Records) -> None:
    with records.write() as session:
        session.execute(
            text(
                "INSERT INTO tickets (customer_id, subject, description, status, priority, created_at, "
                "updated_at, version) VALUES ('c', 's', '', 'open', 'normal', "
                "'2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', 1)"
            )
        )
        session.execute(
            text(
                "INSERT INTO ticket_comments (ticket_id, author, body, created_at, updated_at) "
                "SELECT id, 'a', 'b', created_at, updated_at FROM tickets"
            )
        )


def test_failing_change_of_a_filled_table_leaves_rows_and_columns(records: Records, tmp_path: Path):
    fill(records)
    before = dump(records)
    write_next(tmp_path / "bad", "raise RuntimeError('injected')")

    with pytest.raises(RuntimeError):
        upgrade(records, config_with(tmp_path / "bad"))

    assert dump(records) == before


def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(records: Records, tmp_path: Path):
    fill(records)
    write_next(tmp_path / "good", "")

    upgrade(records, config_with(tmp_path / "good"))

    with records.read() as session:
        assert session.execute(text("SELECT subject, due_on FROM tickets")).all() == [("changed", None)]
        assert session.execute(text("SELECT count(*) FROM ticket_comments")).scalar() == 1


def test_migration_that_orphans_rows_is_rolled_back_on_sqlite(migrated_sqlite: Path, tmp_path: Path):
    file = tmp_path / "r.sqlite3"
    file.write_bytes(migrated_sqlite.read_bytes())
    records = Records.open(f"sqlite:///{file}")
    fill(records)
    before = dump(records)
    write_next(tmp_path / "bad", "op.execute('DELETE FROM tickets')")

    with pytest.raises(Exception, match="refer to nothing"):
        upgrade(records, config_with(tmp_path / "bad"))

    assert dump(records) == before
    with records.write() as session:  # the connection that did without foreign keys is not used again
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
    records.close()


def test_records_of_a_newer_version_are_refused(records: Records):
    with records.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ClienteleError, match="newer version"):
        records.migrate()


def test_going_back_removes_every_table(records: Records):
    config = config_with()
    with records.migrating() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    with records._reading.connect() as connection:
        left = MetaData()
        left.reflect(connection)
        assert set(left.tables) == {"alembic_version"}


def test_processes_that_start_at_once_migrate_once(empty_records_url: str):
    program = (
        "import sys; from crm.records.database import Records; r = Records.open(sys.argv[1]); "
        "sys.stdin.read(1); r.migrate(); r.close()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_records_url],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    ended = []
    for process in started:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    for process in started:
        _, said = process.communicate(timeout=120)
        ended.append((process.returncode, said))

    assert ended == [(0, "")] * 4
    records = Records.open(empty_records_url)
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={}, actor="a")
    records.close()


def test_alembics_own_command_line_finds_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLIENTELE_DATABASE_URL", f"sqlite:///{tmp_path / 'r.sqlite3'}")

    command.upgrade(config_with(), "head")

    records = Records.open(f"sqlite:///{tmp_path / 'r.sqlite3'}")
    assert records._revision() == database.HEAD
    records.close()
