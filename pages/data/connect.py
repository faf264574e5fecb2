"""Databases that rows are fetched from: those that are saved, a new one, and the way of its rows into the stores."""

from crm.ui import connect_steps, state
from crm.ui.widgets import page_header

page_header(
    "Connect", "Fetch orders, contacts or responses from a company's database; it is read, never written."
)
fetched = connect_steps.fetched()
if fetched is not None:
    connect_steps.bring_in(fetched)
elif connect_steps.result():
    pass
elif asked := state.from_link("connection"):
    connect_steps.edit(asked)
else:
    connect_steps.connections()
