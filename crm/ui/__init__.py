"""The parts of the app that know Streamlit; pages are composed of them."""
