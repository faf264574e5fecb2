"""What people read, with the spaces that keyboards have."""

from crm.wording import SPACE, WIDE


def plain(text: str) -> str:
    """Return `text` with an ordinary space for each that holds a number and its unit together."""
    return text.replace(SPACE, " ").replace(WIDE, " ")
