"""Stores of their own for tests: an empty workbench, files to import into it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crm.settings import load_settings
from crm.workbench import Workbench


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Folder of a store that does not exist yet."""
    return tmp_path / "store"


@pytest.fixture
def workbench(home: Path) -> Iterator[Workbench]:
    """An empty workbench on DuckDB and SQLite."""
    opened = Workbench.open(load_settings(home=home, memory_limit="1GB"))
    yield opened
    opened.close()


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes lines of text to a file and returns its path."""

    def write(*lines: str, name: str = "file.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
