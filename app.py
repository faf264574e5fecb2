"""Clientele: the table of contents. Every page is listed here; none is found by itself."""

import streamlit as st

from crm.ui import frame, state

st.set_page_config(page_title="Clientele", page_icon="static/favicon.png", layout="wide")
st.logo("static/logo.svg", size="large")

PAGES = {
    "": [st.Page(state.OVERVIEW, title="Overview", icon=":material/monitoring:", default=True)],
    "Explore": [
        st.Page(state.SEGMENTS, title="Segments", icon=":material/donut_small:"),
        st.Page(state.LIFETIME_VALUE, title="Lifetime value", icon=":material/savings:"),
        st.Page(state.LOYALTY, title="Loyalty", icon=":material/loyalty:"),
        st.Page(state.AUDIENCES, title="Audiences", icon=":material/filter_alt:"),
    ],
    "Records": [
        st.Page(state.CONTACTS, title="Contacts", icon=":material/contacts:"),
        st.Page(state.TICKETS, title="Tickets", icon=":material/confirmation_number:"),
    ],
    "Data": [
        st.Page(state.IMPORT, title="Import", icon=":material/upload_file:"),
        st.Page(state.CONNECT, title="Connect", icon=":material/database:"),
        st.Page(state.HISTORY, title="Import history", icon=":material/history:"),
    ],
}

frame.run(st.navigation(PAGES))
