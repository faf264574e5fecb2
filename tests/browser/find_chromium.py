"""Finds the browser that the tests drive, or installs one, or says what to install. It is never left out."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

SETTING = "CLIENTELE_CHROMIUM"
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)
MAC_PATHS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
ADVICE = (
    "The browser tests need Chromium or Google Chrome, and none was found or could be installed. "
    "Install one (Debian, Ubuntu: sudo apt-get install chromium; Fedora: sudo dnf install chromium; "
    "macOS: brew install --cask google-chrome), or name one you have: "
    f"{SETTING}=/path/to/chrome make test. Without a browser: make test-fast."
)


class NoBrowser(RuntimeError):
    """There is no browser and none could be installed; its text says what to do."""


class Machine:
    """What the search asks of the machine; tests put their own answers in its place."""

    def setting(self) -> str:
        """Return the path that the user named, or nothing."""
        return os.environ.get(SETTING, "")

    def on_path(self, name: str) -> str | None:
        """Return where a program on the PATH is."""
        return shutil.which(name)

    def is_file(self, path: str) -> bool:
        """Return whether there is a program at `path`."""
        return Path(path).is_file() and os.access(path, os.X_OK)

    def playwrights_own(self) -> str:
        """Return where Playwright keeps its Chromium, whether or not it is there."""
        # In a process of its own: Playwright refuses to start twice in one, and tests may have started it.
        code = (
            "from playwright.sync_api import sync_playwright\n"
            "with sync_playwright() as p: print(p.chromium.executable_path)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def is_root(self) -> bool:
        """Return whether system packages may be installed."""
        return hasattr(os, "geteuid") and os.geteuid() == 0

    def run(self, command: Sequence[str], **environment: str) -> bool:
        """Run a command, its output on standard error, and return whether it succeeded."""
        done = subprocess.run(command, env={**os.environ, **environment}, stdout=sys.stderr, check=False)
        return done.returncode == 0


def find(machine: Machine | None = None, *, say: Callable[[str], None] = lambda _: None) -> str:
    """Return the path of a Chromium, installing one if there is none; `say` hears in one line what was done.

    Raises NoBrowser, also for a path in CLIENTELE_CHROMIUM where no program is: a wrong setting is not passed over.
    """
    machine = machine or Machine()
    if named := machine.setting():
        if not machine.is_file(named):
            raise NoBrowser(f"{SETTING} names {named}, where no program is. Correct it or unset it.")
        say(f"Browser for the tests: {named}, as {SETTING} says.")
        return named
    if found := _on_machine(machine):
        say(f"Browser for the tests: {found}.")
        return found
    own = machine.playwrights_own()
    if own and machine.is_file(own):
        say(f"Browser for the tests: {own}, Playwright's own.")
        return own
    if machine.run([sys.executable, "-m", "playwright", "install", "chromium"]) and machine.is_file(own):
        say(f"Browser for the tests: {own}, installed by Playwright just now.")
        return own
    if machine.is_root() and machine.on_path("apt-get"):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        # An update that fails for one source of several still leaves lists to install from.
        machine.run(["apt-get", "update"], **quiet)
        machine.run(["apt-get", "install", "-y", "--no-install-recommends", "chromium"], **quiet)
        if found := _on_machine(machine):
            say(f"Browser for the tests: {found}, installed with apt-get just now.")
            return found
    raise NoBrowser(ADVICE)


def _on_machine(machine: Machine) -> str | None:
    for name in NAMES:
        if found := machine.on_path(name):
            return found
    return next((path for path in MAC_PATHS if machine.is_file(path)), None)


def main(machine: Machine | None = None) -> int:
    """Find a browser, say which, and return the exit code."""
    try:
        find(machine, say=lambda line: print(line, flush=True))  # noqa: T201
    except NoBrowser as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
