"""Files of all customers that a rule holds for, made when somebody asks for one."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import streamlit as st

from crm import audiences, exports, wording
from crm.analytics.lifetime_value import Assumptions
from crm.ui import cache
from crm.workbench import Workbench


def file_maker(
    workbench: Workbench,
    rule: audiences.Rule,
    *,
    as_of: date,
    kind: exports.Format,
    columns: Sequence[str] | None,
    assumptions: Assumptions | None = None,
    by: str = "customer_id",
    descending: bool = False,
) -> Callable[[], bytes]:
    """Return what makes the file of all customers that `rule` holds for; it runs outside of any page."""

    def make() -> bytes:
        rows, definition = workbench.export_rows(
            as_of=as_of, rule=rule, columns=columns, assumptions=assumptions, by=by, descending=descending
        )
        return exports.to_bytes(
            rows,
            format=kind.name,
            safe=kind.safe,
            definition=definition,
            as_of=as_of,
            written_at=datetime.now(UTC),
        )

    return make


def export_menu(
    rule: audiences.Rule,
    *,
    as_of: date,
    rows: int,
    columns: Sequence[str],
    name: str = "customers",
    by: str,
    descending: bool,
    assumptions: Assumptions | None = None,
) -> None:
    """Write the export of all `rows` customers that `rule` holds for, in the order of the list.

    With a choice of format and columns.
    """
    with st.popover("Export", icon=":material/download:", type="primary", disabled=not rows):
        kinds = {kind.title: kind for kind in exports.formats()}
        title = st.radio("Format", list(kinds), captions=[kind.meaning for kind in kinds.values()], key="export_format")  # fmt: skip
        kind = kinds[title]
        shown = st.radio(
            "Columns", ["All columns", "The columns of the list"], key="export_columns", horizontal=True
        )
        if kind.name == "xlsx" and rows >= exports.MAX_SHEET_ROWS:
            st.warning(f"An Excel sheet holds {exports.MAX_SHEET_ROWS - 1:,} rows. Choose CSV or Parquet.")
            return
        # The label names the format: until the page has answered a choice, the button is still the one before.
        st.download_button(
            f"Download {wording.counted(rows, 'customer')} as {kind.title}",
            file_maker(
                cache.workbench(),
                rule,
                as_of=as_of,
                kind=kind,
                columns=None if shown == "All columns" else ["customer_id", *columns],
                assumptions=assumptions,
                by=by,
                descending=descending,
            ),
            file_name=f"{name}-{as_of.isoformat()}{kind.suffix}",
            mime=kind.media_type,
            on_click="ignore",
            key="export_file",
            type="primary",
        )
