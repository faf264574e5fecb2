"""Imports point down, each library stays in its room, and SQL is never made from a value."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*(ROOT / "crm").rglob("*.py"), *(ROOT / "pages").rglob("*.py"), ROOT / "app.py"])

LEVELS: list[set[str]] = [
    {"crm", "crm.errors", "crm.schema", "crm.settings", "crm.logs", "crm.formulas", "crm.wording"},
    {"crm.lake", "crm.records", "crm.analytics", "crm.audiences"},
    {"crm.engine"},
    {"crm.forecasting"},
    {"crm.valuation"},
    {"crm.imports"},
    {"crm.theme", "crm.charts", "crm.exports", "crm.sample"},
    {"crm.workbench"},
    {"crm.ui", "crm.cli", "crm.__main__"},
    {"app", "pages"},
]
"""Rooms from the ground up: a room may import those below it, and its own."""

ALLOWED: dict[str, set[str]] = {
    "crm.analytics": {"crm.analytics", "crm.errors", "crm.schema", "crm.wording"},
    "crm.audiences": {"crm.errors", "crm.schema"},
    "crm.charts": {"crm.theme", "crm.wording"},
    "crm.theme": {"crm.schema"},
    "crm.exports": {"crm.errors", "crm.schema", "crm.formulas"},
}
"""Rooms that may import less than their level allows."""

NEIGHBOURS = {("crm.charts", "crm.theme"), ("crm.__main__", "crm.cli")}
"""Rooms of one level of which the first may import the second."""

LIBRARIES: dict[str, set[str]] = {
    "streamlit": {"crm.ui", "pages", "app"},
    "plotly": {"crm.charts", "crm.theme", "crm.ui"},
    "sqlalchemy": {"crm.records", "crm.imports"},  # of the imports, what reads other people's databases
    "alembic": {"crm.records"},
    "deltalake": {"crm.lake"},
    "duckdb": {"crm.engine", "crm.imports"},
    "pyspark": {"crm.engine"},
    "xlsxwriter": {"crm.exports"},
}
"""The rooms that may know a library; every other room may not."""

PAGE_ROOMS = {"crm.ui", "crm.charts", "crm.theme", "crm.wording", "crm.exports", "crm.schema", "crm.errors", "crm.audiences",
              "crm.analytics", "crm.workbench", "crm.imports", "crm.records"}  # fmt: skip
"""What pages may import: the UI and the types it hands them."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """Return the room a module is in: `crm.imports.reading` is in `crm.imports`."""
    parts = module.split(".")
    return parts[0] if parts[0] != "crm" else ".".join(parts[:2])


def level_of(room: str) -> int:
    return next(number for number, rooms in enumerate(LEVELS) if room in rooms)


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            whole = {f"{node.module}.{name.name}" for name in node.names}
            found |= whole if node.module == "crm" else {node.module}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_a_module_imports_only_what_lies_below_it(path):
    """No import points up, and analytics knows nothing of where its rows come from."""
    room = room_of(module_of(path))

    wrong = set()
    for target in imports_of(path):
        if target.split(".")[0] not in {"crm", "pages", "app"}:
            continue
        other = room_of(target)
        allowed = ALLOWED.get(room)
        if allowed is not None and other not in allowed | {room}:
            wrong.add(target)
        same_level = level_of(other) == level_of(room) > 0 and other != room
        if level_of(other) > level_of(room) or (same_level and (room, other) not in NEIGHBOURS):
            wrong.add(target)
    assert not wrong, f"{module_of(path)} may not import {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_a_library_is_known_in_its_own_rooms_only(path):
    """Streamlit stays in the UI, Plotly in the charts, SQLAlchemy in the records."""
    room = room_of(module_of(path))

    strangers = {
        library
        for target in imports_of(path)
        if room not in LIBRARIES.get(library := target.split(".")[0], {room})
    }
    assert not strangers, f"{module_of(path)} may not import {', '.join(sorted(strangers))}"


@pytest.mark.parametrize("path", [p for p in SOURCES if "pages" in p.parts], ids=module_of)
def test_a_page_composes_and_never_computes(path):
    """A page has no SQL, no grouping, no cache and no session state, and imports the UI and its types."""
    tree = ast.parse(path.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}

    assert not names & {
        "groupby",
        "group_by",
        "cache_data",
        "cache_resource",
        "session_state",
        "execute",
        "merge",
    }
    rooms = {room_of(target) for target in imports_of(path) if target.startswith("crm")}
    assert rooms <= PAGE_ROOMS, rooms - PAGE_ROOMS


def test_no_page_lies_where_streamlit_would_find_it_by_itself():
    """A file directly in pages/ could be opened past the navigation of app.py."""
    assert not list((ROOT / "pages").glob("*.py"))


def test_session_state_has_two_owners():
    """Choices live in crm/ui/state.py; widgets keep their own turn of mind, and nobody else any."""
    users = {
        module_of(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "session_state"
    }

    assert users <= {"crm.ui.state", "crm.ui.widgets"}


def test_every_cache_is_bounded():
    """A cache without a bound grows until the server dies."""
    unbounded = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef):
                continue
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if "cache_data" in text and not ("ttl=" in text and "max_entries=" in text):
                    unbounded.append(f"{module_of(path)}.{node.name}")
                takes_arguments = bool(node.args.args or node.args.kwonlyargs)
                if "cache_resource" in text and takes_arguments and "max_entries=" not in text:
                    unbounded.append(f"{module_of(path)}.{node.name}")
    assert not unbounded


def test_no_statement_is_made_from_a_value_outside_the_rooms_that_quote():
    """SQL text is put together only where identifiers come from the schema and texts are quoted."""
    allowed = {"crm.engine", "crm.imports", "crm.records", "crm.lake"}
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                text = "".join(part.value for part in node.values if isinstance(part, ast.Constant))
                if text.lstrip().upper().startswith(("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ")):
                    found.add(room_of(module_of(path)))
    assert found <= allowed, found - allowed
