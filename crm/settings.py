"""One frozen set of settings, read from the environment (`CLIENTELE_…`)."""

import ipaddress
import os
import re
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from crm.errors import UnsafeSetting

ROOT = Path(__file__).resolve().parent.parent

_PREFIX = "CLIENTELE_"
_OF_THE_TESTS = frozenset({"CLIENTELE_TEST_DATA", "CLIENTELE_CHROMIUM"})
# DuckDB and Delta read these as patterns and escapes, and would look into other folders than were written.
_SIGNS_IN_PATHS = "%*?["
USUAL_PORTS = (5432, 5433, 3306, 3307)
_KEY_BYTES = 32


class Settings(BaseSettings):
    """Where the stores are and which engine computes.

    Every field is set by an environment variable of the same name in capitals behind `CLIENTELE_`.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore")

    home: Path = Field(
        default=ROOT / "data" / "store", description="Folder of both stores and the temporary files."
    )
    database_url: str = Field(
        default="",
        description="SQLAlchemy URL of the records; empty: a SQLite file in `home`. "
        "PostgreSQL: postgresql+psycopg://user:password@host/name.",
    )
    lake_url: str = Field(
        default="",
        description="Folder of the lake; empty: a folder in `home`. This version keeps no lake in an object store.",
    )
    engine: str = Field(
        default="duckdb", description="`duckdb`, or `sc://host:port` of a Spark Connect server."
    )
    memory_limit: str = Field(
        default="4GB", description="Memory DuckDB may use before it spills to `home`, such as 4GB."
    )
    threads: int = Field(default=0, ge=0, description="Threads of DuckDB; 0: one per core.")
    log_level: str = Field(default="INFO", description="Least severe level that is logged.")

    allowed_networks: str = Field(
        default="",
        description="Networks inside the company that databases may be connected to, such as "
        "10.1.0.0/16, 192.168.7.20/32; empty: public addresses only.",
    )
    allowed_ports: str = Field(
        default="",
        description="Ports of databases beside 5432, 5433, 3306 and 3307, with commas between.",
    )
    ca_file: str = Field(
        default="",
        description="PEM file of the authorities that may vouch for a database (TLS “verify-full”); "
        "empty: those of the system.",
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="What saved passwords of databases are encrypted with, at least 32 bytes; to change it, "
        "put the new one in front with a comma. Empty: no password is saved.",
    )
    fetch_rows: int = Field(
        default=20_000_000, ge=1, description="Rows that one fetch from a database may bring."
    )
    fetch_seconds: int = Field(
        default=3600, ge=1, description="Seconds that one fetch from a database may take in all."
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return _usable(value)

    @field_validator("lake_url")
    @classmethod
    def _folder(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("is an address; this version keeps its lake in a folder: write the folder")
        return str(_usable(Path(value))) if value else ""

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in _parts(value):
            try:
                ipaddress.ip_network(part)
            except ValueError:
                raise ValueError(f"has {part!r}, which is no network; write it as 10.1.0.0/16") from None
        return value

    @field_validator("allowed_ports")
    @classmethod
    def _ports(cls, value: str) -> str:
        for part in _parts(value):
            if not re.fullmatch(r"[0-9]{1,5}", part) or not 1 <= int(part) <= 65535:
                raise ValueError(f"has {part!r}, which is no port; write numbers such as 6432, 13306")
        return value

    @field_validator("ca_file")
    @classmethod
    def _readable(cls, value: str) -> str:
        if value and not Path(value).expanduser().is_file():
            raise ValueError("names no file")
        return str(Path(value).expanduser().resolve()) if value else ""

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        # Nothing of the key is in these words: they are shown.
        if any(len(part.encode()) < _KEY_BYTES for part in _parts(value.get_secret_value())):
            raise ValueError(
                f"has a key of less than {_KEY_BYTES} bytes; make one with `openssl rand -base64 48`"
            )
        return value

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        if value != "duckdb" and not re.fullmatch(r"sc://[\w.\-]+(:\d+)?(/.*)?", value):
            raise ValueError(f"is {value!r}; use duckdb or sc://host:port")
        return value

    @field_validator("memory_limit")
    @classmethod
    def _size(cls, value: str) -> str:
        if not re.fullmatch(r"\d+(\.\d+)?\s*(MB|GB|TB|MiB|GiB|TiB)", value):
            raise ValueError(f"is {value!r}; use a number and a unit, such as 4GB")
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
            raise ValueError(f"is {value!r}; use DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @property
    def records_url(self) -> str:
        """URL of the records database, the default resolved."""
        return self.database_url or f"sqlite:///{self.home / 'records.sqlite3'}"

    @property
    def lake_root(self) -> str:
        """Folder or URL that holds the lake's tables, the default resolved."""
        return self.lake_url or str(self.home / "lake")

    @property
    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """Networks of `allowed_networks`."""
        return tuple(ipaddress.ip_network(part) for part in _parts(self.allowed_networks))

    @property
    def ports(self) -> frozenset[int]:
        """Ports that databases may be connected to."""
        return frozenset(USUAL_PORTS) | {int(part) for part in _parts(self.allowed_ports)}

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of `secret_key`, the one that encrypts first."""
        return _parts(self.secret_key.get_secret_value())

    @property
    def sources(self) -> Path:
        """Folder of the SQLite files that rows may be fetched from."""
        return self.home / "sources"

    @property
    def scratch(self) -> Path:
        """Folder for staged uploads, rejects and spilled work."""
        return self.home / "scratch"


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for piece in text.split(",") if (part := piece.strip()))


def _usable(folder: Path) -> Path:
    """Return a folder as an absolute path. Raises ValueError when its name cannot be handed to every engine."""
    path = folder.expanduser().resolve()
    found = [sign for sign in _SIGNS_IN_PATHS if sign in str(path)]
    if found:
        raise ValueError(f"leads to a folder with {' '.join(found)} in its name; use one without")
    return path


def load_settings(**overrides: object) -> Settings:
    """Return the settings of the environment, with `overrides` on top.

    Raises UnsafeSetting naming the first variable that cannot be used, or that no setting has.
    """
    _refuse_unknown()
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = _PREFIX + str(first["loc"][0]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise UnsafeSetting(
            f"{name} {reason}.", "Correct the environment variable and start again."
        ) from None


def _refuse_unknown() -> None:
    """Raise UnsafeSetting for a variable that looks like a setting and is none, naming the nearest that is."""
    known = [_PREFIX + name.upper() for name in Settings.model_fields]
    for given in sorted(os.environ):
        name = given.upper()
        if name.startswith(_PREFIX) and name not in known and name not in _OF_THE_TESTS:
            from rapidfuzz import process

            nearest = process.extractOne(name, known)[0]
            raise UnsafeSetting(
                f"There is no setting {given}.",
                f"Perhaps {nearest} is meant; correct or remove it and start again.",
            )
