"""`python -m crm.ui.serve`: the app's server, with the sample shop in a store that was never used.

With `--empty` the store stays empty. What else is on the command line goes to Streamlit, such as
`--server.port 9000`.
"""

import sys
import threading
from collections.abc import Sequence

from crm import sample
from crm.errors import ClienteleError
from crm.settings import ROOT, load_settings


def main(arguments: Sequence[str]) -> int:
    """Serve the app until it is stopped; 2 when a setting or the store makes that impossible."""
    try:
        settings = load_settings()
        if "--empty" not in arguments and not sample.was_ever_used(settings):
            from crm.workbench import Workbench

            workbench = Workbench.open(settings)
            try:
                sample.load_if_fresh(workbench.importer, actor="first start")
            finally:
                workbench.close()
    except ClienteleError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 2
    from streamlit.runtime.pages_manager import PagesManager
    from streamlit.web import cli

    # Streamlit takes any folder called pages/ for its old page finder until st.navigation has run once, and
    # answers the first visitor's deep link with "Page not found".
    PagesManager.uses_pages_directory = False
    threading.Thread(target=_import_ahead, daemon=True).start()
    passed_on = [argument for argument in arguments if argument != "--empty"]
    cli.main(["run", str(ROOT / "app.py"), *passed_on], standalone_mode=False)
    return 0


def _import_ahead() -> None:
    """Import what the first page needs while the browser is still fetching the front end."""
    import crm.charts
    import crm.ui.frame  # noqa: F401


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
