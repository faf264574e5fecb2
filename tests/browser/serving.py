"""The app, or another, as a server process of its own on a free port."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from crm.settings import ROOT

STARTING = 120
"""Seconds a server may take to answer, on a busy machine."""


@dataclass
class Server:
    """A running app: its address, its store, its log."""

    url: str
    home: Path
    log: Path
    process: "subprocess.Popen[bytes]"

    def logged(self) -> str:
        """Return everything the server has said."""
        return self.log.read_text(errors="replace")

    def check_alive(self) -> None:
        """Raise AssertionError with the end of the log when the server has died."""
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"The server ended with code {code}. Its log ends:\n{self.logged()[-3000:]}")

    def wait_until_healthy(self) -> None:
        """Return once the server answers."""
        limit = time.monotonic() + STARTING
        while time.monotonic() < limit:
            self.check_alive()
            try:
                with urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (URLError, OSError):
                time.sleep(0.01)
        raise AssertionError(f"No answer after {STARTING} s. The server's log ends:\n{self.logged()[-3000:]}")


@contextmanager
def serving(
    home: Path, command: Sequence[str] = ("crm.ui.serve",), *, folder: Path = ROOT
) -> Iterator[Server]:
    """A server (`command` is a module and its arguments) on the store in `home`, for as long as the block runs.

    It has been started, and need not answer yet.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    log = home.parent / f"{home.name}-{port}.log"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLIENTELE_")}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--server.port", str(port), "--server.address", "localhost"],
            cwd=folder,
            env={**kept, "CLIENTELE_HOME": str(home)},
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Server(f"http://localhost:{port}", home, log, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])
