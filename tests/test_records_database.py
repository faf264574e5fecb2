"""Opening, reading and writing the records, alone and in company."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from crm.errors import ClienteleError, Conflict, InvalidValue, StaleRecord, UnsafeSetting
from crm.records import changes, contacts, database, tickets
from crm.records.database import Records
from crm.records.models import ChangeCounter, Contact, SettingsValue


def test_folder_of_a_sqlite_file_is_made(tmp_path: Path):
    records = Records.open(f"sqlite:///{tmp_path / 'a' / 'b' / 'records.sqlite3'}")
    records.migrate()
    records.close()

    assert (tmp_path / "a" / "b" / "records.sqlite3").is_file()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "mysql+pymysql://u:p@h/d",
        "nonsense",
        "sqlite:///file:x?mode=memory",
    ],
)
def test_other_databases_are_refused(url: str):
    with pytest.raises(UnsafeSetting) as refusal:
        Records.open(url)

    assert "CLIENTELE_DATABASE_URL" in refusal.value.message
    assert "u:p" not in str(refusal.value)


def test_plain_postgresql_url_uses_the_installed_driver():
    records = Records.open("postgresql://nobody@127.0.0.1:1/none")

    assert records.dialect == "postgresql"


def test_database_that_is_away_is_said_in_words():
    records = Records.open("postgresql+psycopg://nobody:secret@127.0.0.1:1/none")

    with pytest.raises(ClienteleError) as refusal, records.read() as session:
        session.execute(text("SELECT 1"))
    assert "cannot be reached" in refusal.value.message
    assert "secret" not in str(refusal.value)
    with pytest.raises(ClienteleError):
        records.migrate()


def test_sqlite_connections_are_durable_patient_and_strict(tmp_path: Path):
    records = Records.open(f"sqlite:///{tmp_path / 'r.sqlite3'}")
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 5000,
        "foreign_keys": 1,
        "secure_delete": 1,
        "trusted_schema": 0,
    }

    for block, query_only in ((records.write, 0), (records.read, 1)):
        with block() as session:
            found = {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in wanted}
            assert found == wanted
            assert session.execute(text("PRAGMA query_only")).scalar() == query_only
    records.close()


def test_write_is_committed_at_the_end_and_rolled_back_on_an_error(records: Records):
    with records.write() as session:
        contacts.save_contact(session, customer_id="kept", values={}, actor="a")
    with pytest.raises(InvalidValue), records.write() as session:
        _write_and_fail(session)

    with records.read() as session:
        assert session.scalars(select(Contact.customer_id)).all() == ["kept"]
        assert changes.latest_change(session) == 1


def test_reader_cannot_write(records: Records):
    with pytest.raises(DBAPIError), records.read() as session:
        tickets.create_ticket(session, customer_id="c", subject="s", actor="a")


def test_reader_sees_one_moment(records: Records):
    with records.read() as reading:
        before = changes.latest_change(reading)
        with records.write() as session:
            contacts.save_contact(session, customer_id="new", values={}, actor="a")

        assert changes.latest_change(reading) == before
        assert contacts.get_contact(reading, "new") is None


def test_rows_stay_usable_after_the_block(records: Records):
    with records.write() as session:
        contact = contacts.save_contact(session, customer_id="c", values={"name": "Ada"}, actor="a").record

    assert contact.name == "Ada"
    assert contact.created_at.utcoffset() is not None


def test_racing_writers_lose_no_update_and_meet_no_locked_database(records: Records, records_url: str):
    """Eight writers as if each were a process of its own: each opens the records itself."""
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"age": 0}, actor="a")
    refused: list[Exception] = []

    def edit_once(own: Records) -> None:
        with own.write() as session:
            contact = contacts.find_contact(session, "c")
            age = ((contact.age or 0) + 1) % 131
            contacts.save_contact(
                session, customer_id="c", values={"age": age}, version=contact.version, actor="a"
            )

    def edit(times: int) -> None:
        own = Records.open(records_url)
        left = times
        while left and not refused:
            try:
                edit_once(own)
                left -= 1
            except StaleRecord:
                pass  # PostgreSQL lets both read; the second is told so and reads again
            except Exception as error:
                refused.append(error)
        own.close()

    writers = [threading.Thread(target=edit, args=(25,)) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert refused == []
    with records.read() as session:
        contact = contacts.find_contact(session, "c")
        assert contact.version == 1 + 8 * 25
        assert contact.age == (8 * 25) % 131
        assert changes.latest_change(session) == 1 + 8 * 25


def test_change_numbers_are_committed_in_their_order(records: Records):
    seen: list[int] = []
    stop = threading.Event()

    def write(name: str) -> None:
        for age in range(20):
            with records.write() as session:
                contacts.save_contact(session, customer_id=name, values={"age": age}, actor="a")

    def follow() -> None:
        last = 0
        while True:
            ended = stop.is_set()
            with records.read() as session:
                latest = changes.latest_change(session)
                for batch in changes.contacts_changed_since(session, last):
                    seen.extend(batch.column("version").to_pylist())
                last = latest
            if ended:
                return

    follower = threading.Thread(target=follow)
    writers = [threading.Thread(target=write, args=(f"c{number}",)) for number in range(4)]
    for thread in [follower, *writers]:
        thread.start()
    for writer in writers:
        writer.join()
    stop.set()
    follower.join()

    with records.read() as session:
        assert changes.latest_change(session) == 80
        final = [batch.column("version").to_pylist() for batch in changes.contacts_changed_since(session, 0)]
    assert final == [[20, 20, 20, 20]]
    assert seen.count(20) == 4  # each contact's last change reached the follower, once


def test_writer_that_waits_too_long_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    file = tmp_path / "r.sqlite3"
    records = Records.open(f"sqlite:///{file}")
    records.migrate()

    with records.write() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(Conflict, match="being written"), records.write():
            pass
    with pytest.raises(RuntimeError), records.write():
        raise RuntimeError
    with records.write() as session:  # the lock was given back
        session.execute(text("SELECT 1"))
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(database, "BUSY_SECONDS", 1)
    with pytest.raises(Conflict, match="being written"), Records.open(f"sqlite:///{file}").write() as session:
        session.execute(text("SELECT 1"))
    other.close()
    records.close()


def test_full_disk_changes_nothing_and_is_said_in_words(tmp_path: Path):
    records = Records.open(f"sqlite:///{tmp_path / 'r.sqlite3'}")
    records.migrate()
    with records.write() as session:
        contacts.save_contact(session, customer_id="kept", values={}, actor="a")

    with pytest.raises(ClienteleError, match="disk"), records.write() as session:
        _fill_the_disk(session)

    with records.read() as session:
        assert session.scalars(select(Contact.customer_id)).all() == ["kept"]
    records.close()


def test_errors_of_the_database_do_not_quote_personal_data(records: Records):
    with pytest.raises(Conflict) as refusal, records.write() as session:
        _store_twice(session, "anna@example.com")

    assert "anna" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__


def test_damaged_file_is_said_in_words(tmp_path: Path):
    file = tmp_path / "r.sqlite3"
    file.write_bytes(b"not a database at all " * 500)

    with pytest.raises(ClienteleError, match="damaged"):
        Records.open(f"sqlite:///{file}").migrate()


def test_number_taken_in_a_savepoint_that_was_rolled_back_is_taken_again(records: Records):
    with records.write() as session:
        savepoint = session.begin_nested()
        contacts.save_contact(session, customer_id="a", values={}, actor="a")
        savepoint.rollback()
        contacts.save_contact(session, customer_id="b", values={}, actor="a")

    with records.read() as session:
        counter = session.execute(select(ChangeCounter.value)).scalar_one()
        assert contacts.find_contact(session, "b").change_seq == counter == 1


def test_opening_does_not_load_alembic(migrated_sqlite: Path):
    program = (
        "import sys; from crm.records.database import Records; "
        f"r = Records.open('sqlite:///{migrated_sqlite}'); r.migrate(); r.close(); "
        "print('alembic' in sys.modules)"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "False"


def _write_and_fail(session: Session) -> None:
    contacts.save_contact(session, customer_id="lost", values={}, actor="a")
    contacts.save_contact(session, customer_id="lost", values={"age": 131}, actor="a")


def _fill_the_disk(session: Session) -> None:
    pages = session.execute(text("PRAGMA page_count")).scalar_one()
    session.execute(text(f"PRAGMA max_page_count={pages + 5}"))
    for number in range(1000):
        contacts.save_contact(session, customer_id=f"{number}", values={"note": "x" * 9000}, actor="a")


def _store_twice(session: Session, key: str) -> None:
    for _ in range(2):
        session.execute(insert(SettingsValue).values(key=key))
