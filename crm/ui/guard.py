"""The net under acts of buttons and inputs: Streamlit calls these before the page runs, outside of its own net."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from crm.errors import ClienteleError
from crm.logs import log_unexpected
from crm.ui import state

Given = ParamSpec("Given")


def guarded(act: Callable[Given, object]) -> Callable[Given, None]:
    """Return `act` as something to give to `on_click` or `on_change`.

    A refusal is said in words; anything unexpected is logged under an id, and the id is said.
    """

    @wraps(act)
    def run(*args: Given.args, **values: Given.kwargs) -> None:
        try:
            act(*args, **values)
        except ClienteleError as error:
            state.say(f"{error.message} {error.hint}", tone="refused")
        except Exception as error:
            number = log_unexpected(error)
            state.say(
                f"Something unexpected went wrong ({number}). Try again; if it stays, tell your administrator the "
                f"number {number}.",
                tone="unexpected",
            )

    return run
