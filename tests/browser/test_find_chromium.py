"""The search for a browser: what it prefers, when it installs, and what it says when nothing helps."""

import sys
from collections.abc import Sequence

import pytest

from tests.browser.find_chromium import ADVICE, MAC_PATHS, SETTING, Machine, NoBrowser, find, main

OWN = "/home/someone/.cache/ms-playwright/chromium-1/chrome"
PLAYWRIGHT = [sys.executable, "-m", "playwright", "install", "chromium"]


class Fake(Machine):
    """A machine with some programs, where installing may bring more."""

    def __init__(
        self,
        *programs: str,
        files: Sequence[str] = (),
        setting: str = "",
        root: bool = False,
        brings: dict[str, str] | None = None,
    ) -> None:
        self.programs = {name: f"/usr/bin/{name}" for name in programs}
        self.files = {*files, *self.programs.values()}
        self.named = setting
        self.root = root
        self.brings = brings or {}
        self.ran: list[list[str]] = []

    def setting(self) -> str:
        return self.named

    def on_path(self, name: str) -> str | None:
        return self.programs.get(name)

    def is_file(self, path: str) -> bool:
        return path in self.files

    def playwrights_own(self) -> str:
        return OWN

    def is_root(self) -> bool:
        return self.root

    def run(self, command: Sequence[str], **environment: str) -> bool:
        self.ran.append(list(command))
        brought = self.brings.get(" ".join(command[:3]))
        if brought is None:
            return False
        self.files.add(brought)
        self.programs[brought.rsplit("/", 1)[-1]] = brought
        return True


BY_PLAYWRIGHT = {" ".join(PLAYWRIGHT[:3]): OWN}
BY_APT = {"apt-get update": "/nothing", "apt-get install -y": "/usr/bin/chromium"}


def test_the_path_the_user_names_goes_before_everything():
    machine = Fake("chromium", files=["/opt/mine"], setting="/opt/mine")
    assert find(machine) == "/opt/mine"


def test_a_named_path_without_a_program_is_refused_not_passed_over():
    with pytest.raises(NoBrowser, match=f"{SETTING} names /opt/gone"):
        find(Fake("chromium", setting="/opt/gone"))


@pytest.mark.parametrize(
    "name", ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge"]
)
def test_a_browser_on_the_path_is_found_without_installing(name):
    machine = Fake("apt-get", name, root=True, brings=BY_PLAYWRIGHT | BY_APT)
    assert find(machine) == f"/usr/bin/{name}"
    assert machine.ran == []


def test_chromium_goes_before_other_browsers_on_the_path():
    assert find(Fake("msedge", "google-chrome", "chromium")) == "/usr/bin/chromium"


def test_an_application_of_macos_is_found():
    assert find(Fake(files=[MAC_PATHS[1]])) == MAC_PATHS[1]


def test_playwrights_own_is_taken_when_it_is_there():
    machine = Fake(files=[OWN], brings=BY_PLAYWRIGHT)
    assert find(machine) == OWN
    assert machine.ran == []


def test_playwright_installs_one_before_the_system_is_asked():
    machine = Fake("apt-get", root=True, brings=BY_PLAYWRIGHT | BY_APT)
    assert find(machine) == OWN
    assert machine.ran == [PLAYWRIGHT]


def test_root_installs_the_systems_package_when_playwright_cannot():
    machine = Fake("apt-get", root=True, brings=BY_APT)
    assert find(machine) == "/usr/bin/chromium"
    assert [command[:2] for command in machine.ran[1:]] == [["apt-get", "update"], ["apt-get", "install"]]


def test_others_than_root_do_not_touch_the_system():
    machine = Fake("apt-get", brings=BY_APT)
    with pytest.raises(NoBrowser):
        find(machine)
    assert machine.ran == [PLAYWRIGHT]


def test_an_install_that_claims_success_but_brings_nothing_is_not_believed():
    machine = Fake(
        "apt-get", root=True, brings={" ".join(PLAYWRIGHT[:3]): "/elsewhere", "apt-get install -y": "/x"}
    )
    with pytest.raises(NoBrowser, match="apt-get install chromium"):
        find(machine)


def test_the_command_says_in_one_line_what_it_found(capsys):
    assert main(Fake("chromium")) == 0
    assert capsys.readouterr().out == "Browser for the tests: /usr/bin/chromium.\n"


def test_the_command_fails_saying_what_to_install(capsys):
    assert main(Fake()) == 1
    said = capsys.readouterr()
    assert said.err.strip() == ADVICE
    assert said.out == ""
