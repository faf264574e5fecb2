"""The steps of a connection: where it is, what is read, and from then on those of a file.

The session holds names, choices and tokens. What was fetched, tested or previewed belongs to the server; a
password stands in its field and in what the server holds while it is needed, never in a key of a cache.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from crm import wording
from crm.errors import ClienteleError, InvalidValue, NotFound
from crm.imports import databases
from crm.imports.checking import Checked
from crm.imports.connecting import Connecting, Ready, Saved
from crm.imports.databases import Facts, Preview
from crm.imports.drivers import Driver, Login
from crm.imports.jobs import STAGES_OF, Cancelled, Job, State
from crm.imports.loading import Policy, Report
from crm.ui import cache, clock, forms, import_steps, state, uploads, work
from crm.ui.forms import Draft
from crm.ui.guard import guarded
from crm.ui.uploads import Task, Upload
from crm.ui.widgets import empty_state, plain, show_error

NEW = "new"
"""What the link says for a connection that is not saved yet."""

KEPT = 6
_FETCHED, _IMPORTED, _REFRESHING, _TESTED = "_fetched", "_connected_import", "_refreshing", "_tested"
_EVERYTHING = "Nothing: all rows come each time"
_FIELDS = ("name", "driver", "host", "port", "database", "username", "tls", "file", "keep", "way", "table", "select",
           "new")  # fmt: skip
"""Fields of a connection that are kept while they are not on the screen: all but the password."""

_UPLOADER = "sqlite_upload"


def connecting() -> Connecting:
    """Return the connections of this server's store."""
    workbench = cache.workbench()
    return Connecting(workbench.settings, workbench.records, workbench.importer)


# --- the list -----------------------------------------------------------------------------------------


def connections() -> None:
    """Write the saved connections, each with Refresh, Edit and Remove, and what is being fetched."""
    found = connecting().connections()
    _tell_refresh()
    work.others(key="others")
    if not found:
        _nothing_yet()
        return
    _new()
    for one in found:
        _row(one)


def _new() -> None:
    st.button(
        "New connection",
        key="new_connection",
        type="primary",
        icon=":material/add:",
        on_click=_open,
        args=(NEW,),
    )


def _nothing_yet() -> None:
    settings = cache.workbench().settings
    empty_state(
        "No database is connected yet.",
        "Connect PostgreSQL, MySQL, MariaDB or a SQLite file to bring in a table or the result of a SELECT, and to "
        "refresh it later in one click. Nothing is ever written there; a user who can only read is best.",
    )
    _new()
    inside = ", ".join(str(network) for network in settings.networks)
    st.caption(
        f"Can be reached: public addresses{plain(f' and the networks {inside}') if inside else ''}, on the ports "
        f"{', '.join(map(str, sorted(settings.ports)))}."
        + (
            ""
            if inside
            else " Your administrator lists networks inside the company in CLIENTELE\\_ALLOWED\\_NETWORKS."
        )
    )


def _row(one: Saved) -> None:
    with st.container(border=True, gap="small"):
        st.markdown(f"**{plain(one.name)}**  \n:gray[{plain(one.server)}: {plain(one.what)}]")
        if one.refreshed_at is None:
            st.caption("Not imported yet.")
        else:
            by = f" New rows are told by “{plain(one.new_column)}”." if one.new_column else ""
            st.caption(
                f"{wording.count(one.rows)} rows imported, last refreshed {plain(clock.said(one.refreshed_at))}.{by}"
            )
        with st.container(horizontal=True, gap="small"):
            _fetch_button(one)
            st.button(
                "Edit",
                key=f"edit_{one.connection_id}",
                icon=":material/edit:",
                on_click=_open,
                args=(str(one.connection_id),),
            )
            st.button(
                "Remove",
                key=f"remove_{one.connection_id}",
                icon=":material/delete:",
                on_click=_remove,
                args=(one.connection_id, one.name),
            )


def _fetch_button(one: Saved) -> None:
    """Write Refresh, or Import where it is not known yet which column is what; it asks for a password not saved."""
    label, act = ("Refresh", _refresh) if one.is_ready else ("Import", _import)
    key, icon = f"fetch_{one.connection_id}", ":material/refresh:" if one.is_ready else ":material/download:"
    if one.has_password or one.driver == "sqlite":
        st.button(label, key=key, icon=icon, on_click=act, args=(one.connection_id, None))
        return
    with st.popover(label, icon=icon, key=f"{key}_popover"):
        password = f"{key}_password"
        st.text_input(f"Password of {plain(one.username)}", key=password, type="password")
        st.button(label, key=key, type="primary", on_click=act, args=(one.connection_id, password))


def _open(which: str) -> None:
    state.drop(_TESTED, _IMPORTED)
    forms.close_draft("connection")
    state.into_link(connection=which)


@guarded
def _remove(connection_id: int, name: str) -> None:
    event = connecting().remove(connection_id, actor=state.actor())
    state.say(f"The connection “{name}” is removed; what it brought stays.", undo_event=event)


# --- refreshing ---------------------------------------------------------------------------------------


@guarded
def _refresh(connection_id: int, password_key: str | None) -> None:
    of = connecting()
    one = of.find(connection_id=connection_id)
    password = None if password_key is None else str(state.get(password_key) or "")
    of.login_of(one, password)  # what is wrong with the saved password is told now
    actor = state.actor()
    found = uploads.jobs().start_or_join(
        f"connection {connection_id}",
        work="import",
        kind=one.kind or "",
        file_name=f"{one.name}: {one.what}",
        actor=actor,
        source="page",
        stages=(*STAGES_OF["reading"], *STAGES_OF["check"], *STAGES_OF["import"][1:]),
    )
    state.put(_REFRESHING, found.id)
    if isinstance(found, State):
        return

    def act(job: Job) -> dict[str, Any]:
        report = of.refresh(one, actor=actor, password=password, progress=job)
        if report is None:
            return {"message": f"“{one.name}” has no new rows."}
        return {"import_id": report.import_id, "report": report.as_dict()}

    task = Task(found)
    task.run(found, act, last=lambda: None)
    task.wait(uploads.AT_ONCE_S)


def _tell_refresh() -> None:
    """Write how the refresh that this session began last has ended, once."""
    job_id = state.get(_REFRESHING)
    if job_id is None:
        return
    try:
        told = uploads.jobs().find(job_id)
    except NotFound:
        state.drop(_REFRESHING)
        return
    if told.status == "running":
        return
    state.drop(_REFRESHING)
    if told.status == "cancelled":
        show_error(Cancelled(told.message, told.hint))
    elif told.status == "failed":
        show_error(ClienteleError(told.message, told.hint))
    elif told.import_id:
        state.put(_IMPORTED, told.import_id)
        st.rerun()
    else:
        st.info(plain(told.message or "There were no new rows."), icon=":material/check:")


# --- rows on their way --------------------------------------------------------------------------------


class FetchedUpload(Upload):
    """Rows of a connection, waiting for their mapping, check and import as a file does."""

    def __init__(self, ready: Ready) -> None:
        super().__init__(ready.prepared)
        self._ready = ready

    def bring_in(
        self, checked: Checked, policy: Policy, answers: dict[str, str], *, actor: str, job: Job
    ) -> Report:
        """Commit the rows, and note in the same transaction how they are mapped and how far was read."""
        return cache.workbench().importer.commit(
            self.prepared,
            checked,
            policy=policy,
            actor=actor,
            source="connection",
            progress=job,
            connection_id=self._ready.connection.connection_id,
            beside=self._ready.noting(checked.mapping, {**answers, "policy": policy}),
        )


class Fetching:
    """Rows on their way from a database: being fetched in the background, then waiting."""

    def __init__(self, one: Saved, password: str | None, *, actor: str) -> None:
        self.connection = one
        self.upload: FetchedUpload | None = None
        self._gone = False
        job = uploads.jobs().start(
            work="reading", file_name=f"{one.name}: {one.what}", actor=actor, source="page"
        )
        self.task = Task(job)
        of = connecting()

        def act(job: Job) -> dict[str, Any]:
            ready = of.fetch(one, password=password, everything=True, progress=job)
            self.upload = FetchedUpload(ready)
            if self._gone:
                self.upload.close()
            return {}

        self.task.run(job, act, last=lambda: None)

    def close(self) -> None:
        """Let go of the rows; a fetch under way is cancelled."""
        self._gone = True
        if not self.task.over:
            with suppress(ClienteleError):
                self.task.cancel()
        if self.upload is not None:
            self.upload.close()


@st.cache_resource(
    ttl=cache.HOUR * 4, max_entries=KEPT, show_spinner=False, on_release=lambda fetching: fetching.close()
)
def _kept(token: str, _begin: Callable[[], Fetching] | None) -> Fetching:
    del token
    if _begin is None:
        raise NotFound("The rows are no longer kept here.", "Fetch them again.")
    return _begin()


@guarded
def _import(connection_id: int, password_key: str | None) -> None:
    password = None if password_key is None else str(state.get(password_key) or "")
    _begin_import(connection_id, password)


def _begin_import(connection_id: int, password: str | None) -> None:
    one = connecting().find(connection_id=connection_id)
    connecting().login_of(one, password)
    actor = state.actor()
    _forget()
    token = secrets.token_hex(16)
    fetching = _kept(token, lambda: Fetching(one, password, actor=actor))
    state.put(_FETCHED, token)
    state.drop(_IMPORTED)
    state.into_link(connection=None)
    fetching.task.wait(uploads.AT_ONCE_S)


def fetched() -> Fetching | None:
    """Return the rows that are on their way in this session, or nothing."""
    token = state.get(_FETCHED)
    if token is None:
        return None
    try:
        found = _kept(token, None)
    except NotFound as error:
        state.drop(_FETCHED)
        show_error(error)
        return None
    if found.task.over and found.upload is None:
        _forget()
        if found.task.error is not None:
            show_error(found.task.error)
        return None
    upload = found.upload
    if upload is not None and upload.run is not None and upload.run.over and upload.run.error is None:
        state.put(_IMPORTED, upload.run.state.import_id)
        _forget()
        return None
    return found


def _forget() -> None:
    token = state.get(_FETCHED)
    state.drop(_FETCHED)
    if token is not None:
        with suppress(TypeError):  # it is found by its token alone
            _kept.clear(token, None)


def bring_in(fetching: Fetching) -> None:
    """Write the steps from fetched rows to their import: as they came, which column is what, check, import."""
    upload = fetching.upload
    if upload is None:
        work.follow(fetching.task, key="fetching", note="The fetch goes on if you leave this page.")
        return
    run = upload.run
    if run is not None and not run.over:
        import_steps.follow(run)
        return
    prepared = upload.prepared
    raw = prepared.raw
    st.subheader("2. What came", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        said = " ".join(raw.sentences)
        st.markdown(
            f"**{plain(prepared.file_name)}**: {wording.count(raw.row_count)} rows, {len(raw.columns)} columns. {plain(said)}"
        )
        st.button("Let go of it", key="let_go_fetched", type="tertiary", on_click=guarded(_forget))
    st.dataframe(
        pd.DataFrame(prepared.sample),
        hide_index=True,
        height=248 if raw.row_count > 6 else "content",
        key=f"fetched_{prepared.scratch.name}",
        alt="The first rows as they came",
    )
    if run is not None:
        import_steps.failed(run)
    chosen = import_steps.which_column(upload)
    found = import_steps.check(upload, chosen)
    if found is not None:
        import_steps.start(upload, found)


def result() -> bool:
    """Write what the last fetch of this session brought; return whether there is one."""
    return import_steps.result(_IMPORTED, key="connected", step="", again="All connections", then=())


# --- one connection -----------------------------------------------------------------------------------


def edit(which: str) -> None:
    """Write the fields of a connection, saved or new: where it is, what a test says, what is read."""
    st.button(
        "All connections", key="back", type="tertiary", icon=":material/arrow_back:", on_click=state.into_link,
        kwargs={"connection": None},
    )  # fmt: skip
    one: Saved | None = None
    if which != NEW:
        if not which.isascii() or not which.isdecimal() or len(which) > 18:
            show_error(InvalidValue("The link names no connection.", "Choose one from the list."))
            return
        try:
            one = connecting().find(connection_id=int(which))
        except NotFound as error:
            show_error(error)
            return
    draft = _draft(one)
    st.subheader("1. The database", anchor=False)
    login = _where(draft, one)
    st.button(
        "Test connection",
        key=draft.key("test"),
        icon=":material/network_check:",
        on_click=_test,
        args=(draft, one.connection_id if one else None),
    )
    found = _facts(login)
    if found is None:
        st.caption("Nothing is saved before you say so. After the test you choose what is read.")
        return
    token, facts = found
    notes = " ".join(facts.sentences)
    st.success(
        plain(f"{facts.server}: {len(facts.tables):,} tables and views can be read. {notes}".strip()),
        icon=":material/check:",
    )
    _what(draft, one, login, token, facts)


def _draft(one: Saved | None) -> Draft:
    driver = one.driver if one else "postgresql"
    source = one.source if one else {}
    return forms.open_draft(
        "connection",
        subject=str(one.connection_id) if one else NEW,
        version=one.version if one else 0,
        values={
            "name": one.name if one else "",
            "driver": driver,
            "host": one.host if one else "",
            "port": (one.port if one else None) or databases.PORTS.get(driver, 5432),
            "database": one.database if one else "",
            "username": one.username if one else "",
            "password": "",
            "tls": one.tls if one and driver != "sqlite" else "require",
            "file": one.database if one and driver == "sqlite" else None,
            "keep": one.has_password if one else connecting().can_save_passwords,
            "way": "select" if "select" in source else "table",
            "table": source.get("table"),
            "select": source.get("select", ""),
            "new": (one.new_column if one else None) or _EVERYTHING,
        },
    )


def _where(draft: Draft, one: Saved | None) -> Login:
    # Streamlit forgets a field that is not drawn: what was typed stays while another kind is looked at.
    for field in _FIELDS:
        state.put(draft.key(field), state.get(draft.key(field)))
    driver = st.segmented_control(
        "Kind of database",
        list(databases.DRIVERS),
        key=draft.key("driver"),
        format_func=lambda name: databases.DRIVERS[name],
        required=True,
        wrap=True,
        on_change=_usual_port,
        args=(draft.key("driver"), draft.key("port")),
    )
    if driver == "sqlite":
        _sqlite_file(draft)
        return _login(draft)
    with st.grid(columns=3, min_column_width=220, gap="small") as grid:
        with grid.cell():
            st.text_input(
                "Host",
                key=draft.key("host"),
                placeholder="db.example.com",
                help="Name or address of the server alone.",
            )
        with grid.cell():
            st.number_input("Port", key=draft.key("port"), min_value=1, max_value=65535, step=1)
        with grid.cell():
            st.text_input("Database", key=draft.key("database"), placeholder="shop")
        with grid.cell():
            st.text_input(
                "User name",
                key=draft.key("username"),
                help="Best a user who can only read; the docs say how to make one.",
            )
        with grid.cell():
            saved = one is not None and one.has_password
            st.text_input(
                "Password",
                key=draft.key("password"),
                type="password",
                placeholder="as saved" if saved else "",
            )
        with grid.cell():
            st.selectbox(
                "Encryption (TLS)",
                list(databases.TLS),
                key=draft.key("tls"),
                format_func=lambda name: databases.TLS[name],
                help="Without encryption only where nobody can listen, such as a private network.",
            )
    return _login(draft)


def _login(draft: Draft) -> Login:
    """Return the login that stands in the fields now: what a button was drawn with may be a moment older."""

    def typed(field: str) -> str:
        return str(state.get(draft.key(field)) or "")

    driver: Driver = next((name for name in databases.DRIVERS if name == typed("driver")), "postgresql")
    if driver == "sqlite":
        return Login("sqlite", typed("file"), tls="disable")
    return Login(
        driver,
        typed("database").strip(),
        typed("host").strip(),
        int(state.get(draft.key("port")) or 0),
        typed("username").strip(),
        typed("password"),
        tls=next((name for name in databases.TLS if name == typed("tls")), "require"),
    )


def _source(draft: Draft) -> dict[str, str]:
    kind = "select" if state.get(draft.key("way")) == "select" else "table"
    return {kind: str(state.get(draft.key(kind)) or "").strip()}


def _usual_port(driver_key: str, port_key: str) -> None:
    driver, port = state.get(driver_key), state.get(port_key)
    if driver in databases.PORTS and port in databases.PORTS.values():
        state.put(port_key, databases.PORTS[driver])


def _sqlite_file(draft: Draft) -> None:
    files = connecting().files()
    if state.get(draft.key("file")) not in files:
        state.put(draft.key("file"), None)
    st.selectbox(
        "File",
        files,
        key=draft.key("file"),
        index=None,
        placeholder="Choose one" if files else "None was brought here yet",
    )
    st.file_uploader(
        "Or bring a SQLite file here",
        # Another name each time: Streamlit lets go of the one before, and of the memory of its file.
        key=f"{_UPLOADER}_{state.get(_UPLOADER, 0)}",
        on_change=guarded(_take_in_sqlite),
        args=(draft.key("file"),),
        help="A copy is kept; bring it again under the same name to refresh from a newer state.",
    )


def _take_in_sqlite(file_key: str) -> None:
    turn = state.get(_UPLOADER, 0)
    brought = state.get(f"{_UPLOADER}_{turn}")
    if brought is None:
        return

    def write(path: Path) -> None:
        with path.open("wb") as file:
            while piece := brought.read(1 << 20):
                file.write(piece)

    state.put(file_key, connecting().keep_file(brought.name, write))
    state.put(_UPLOADER, turn + 1)


# --- its test, and what is read -----------------------------------------------------------------------


@guarded
def _test(draft: Draft, connection_id: int | None) -> None:
    login = _login(draft)
    token = secrets.token_hex(16)
    try:
        _tested(token, connecting().completed(login, connection_id=connection_id))
    except ClienteleError as error:
        state.put(_TESTED, (hash(login), error))
    else:
        state.put(_TESTED, (hash(login), token))


def _facts(login: Login) -> tuple[str, Facts] | None:
    """Return what the last test found and the token it is kept under, while the fields are as they were then.

    A refusal is written instead.
    """
    told = state.get(_TESTED)
    if told is None or told[0] != hash(login):
        return None
    try:
        if isinstance(told[1], ClienteleError):
            raise told[1]
        return told[1], _tested(told[1], None)
    except ClienteleError as error:
        show_error(error)
        return None


@st.cache_data(ttl=cache.HOUR, max_entries=16, show_spinner="Connecting …")
def _tested(token: str, _login: Login | None) -> Facts:
    del token
    if _login is None:
        raise NotFound("The test was long ago.", "Test the connection again.")
    return connecting().test(_login)


@st.cache_data(ttl=cache.HOUR, max_entries=16, show_spinner="Looking at the first rows …")
def _previewed(token: str, source: tuple[str, str], _login: Login) -> Preview:
    del token
    return connecting().preview(_login, {source[0]: source[1]})


def _what(draft: Draft, one: Saved | None, login: Login, token: str, facts: Facts) -> None:
    st.subheader("2. What is read", anchor=False)
    way = st.segmented_control(
        "What to read",
        ["table", "select"],
        key=draft.key("way"),
        format_func={"table": "A table or view", "select": "The result of a SELECT"}.get,  # type: ignore[arg-type]
        required=True,
    )
    if way == "select":
        st.text_area(
            "SELECT",
            key=draft.key("select"),
            height=140,
            placeholder="SELECT id, customer, day, amount FROM sales",
        )
    else:
        if state.get(draft.key("table")) not in facts.tables:
            state.put(draft.key("table"), None)
        st.selectbox(
            "Table or view",
            facts.tables,
            key=draft.key("table"),
            index=None,
            placeholder="Choose one",
            filter_mode="contains",
        )
    source = _source(draft)
    ((kind, text),) = source.items()
    if not text:
        return
    connection_id = one.connection_id if one else None
    try:
        whole = connecting().completed(login, connection_id=connection_id)
        first = _previewed(token, (kind, text), whole)
    except ClienteleError as error:
        show_error(error)
        return
    for sentence in first.sentences:
        st.caption(plain(sentence))
    st.dataframe(
        pd.DataFrame(first.columns),
        hide_index=True,
        height=248,
        key=draft.key("preview"),
        alt="The first rows of the source",
    )
    st.caption(f"The first {len(next(iter(first.columns.values()), []))} rows; nothing was imported.")
    _save_bar(draft, one, login, list(first.columns))


def _save_bar(draft: Draft, one: Saved | None, login: Login, columns: list[str]) -> None:
    st.subheader("3. Save and fetch", anchor=False)
    choices = [_EVERYTHING, *columns]
    if state.get(draft.key("new")) not in choices:
        state.put(draft.key("new"), _EVERYTHING)
    with st.grid(columns=2, min_column_width=260, gap="small") as grid:
        with grid.cell():
            st.text_input(
                "Name of the connection", key=draft.key("name"), max_chars=120, placeholder="Web shop"
            )
        with grid.cell():
            st.selectbox(
                "What tells new rows",
                choices,
                key=draft.key("new"),
                help="A time of change or a number that only grows. A refresh then fetches rows from the last value on.",
            )
    if login.driver != "sqlite":
        can = connecting().can_save_passwords
        st.checkbox(
            "Save the password, encrypted",
            key=draft.key("keep"),
            disabled=not can,
            help=None
            if can
            else "Your administrator sets CLIENTELE_SECRET_KEY for that; until then it is asked each time.",
        )
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Save and fetch", key=draft.key("fetch"), type="primary", icon=":material/download:",
            on_click=_save, args=(draft, one, True),
        )  # fmt: skip
        st.button("Save", key=draft.key("save"), on_click=_save, args=(draft, one, False))


@guarded
def _save(draft: Draft, one: Saved | None, then_fetch: bool) -> None:
    login = _login(draft)
    of = connecting()
    new = state.get(draft.key("new"))
    name = str(state.get(draft.key("name")) or "")
    connection_id = of.save(
        name=name,
        login=login,
        source=_source(draft),
        new_column=None if new in {None, _EVERYTHING} else str(new),
        keep_password=bool(state.get(draft.key("keep"))) and of.can_save_passwords,
        actor=state.actor(),
        connection_id=one.connection_id if one else None,
        version=draft.version if one else None,
    )
    state.say(f"The connection “{name.strip()}” is saved.")
    if then_fetch:
        saved = of.find(connection_id=connection_id)
        _begin_import(connection_id, login.password if login.password and not saved.has_password else None)
    forms.close_draft("connection")
    state.drop(_TESTED)
    state.into_link(connection=None)
