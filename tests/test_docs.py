"""The docs are in step with the code: generated pages, make targets, names, links."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from crm import schema
from crm.analytics import backtest, scores
from crm.analytics.segments import SCHEMES

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def generated():
    return generator().pages()


@pytest.mark.parametrize("name", ["definitions.md", "settings.md", "cli.md"])
def test_a_generated_page_is_what_the_code_says_now(name):
    """`make docs` writes it anew."""
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == generated()[name]


def test_every_make_target_explains_itself_and_the_readme_names_the_two_that_matter():
    makefile = (ROOT / "Makefile").read_text()
    declared = set(re.search(r"\.PHONY: (.*)", makefile).group(1).split())
    explained = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.M))
    readme = (ROOT / "README.md").read_text()

    assert explained == declared
    assert "make run" in readme
    assert "make test" in readme
    assert readme.index("make run") < readme.index("## "), "the two commands come first"


def test_every_field_and_scheme_is_defined():
    text = (ROOT / "docs" / "definitions.md").read_text(encoding="utf-8")

    assert all(f"`{field.name}`" in text for field in schema.FIELDS)
    assert all(f"`{scheme.name}`" in text for scheme in SCHEMES)


def test_the_page_on_forecasts_names_the_limits_that_the_code_has():
    """A gate that is moved is moved in both."""
    lines = (ROOT / "docs" / "forecasts.md").read_text(encoding="utf-8").splitlines()

    def row(start):
        return next(line for line in lines if line.startswith(f"| {start}"))

    assert f"fewer than {backtest.MIN_CUSTOMERS} " in row("Customers with a purchase")
    assert f"fewer than {backtest.MIN_HISTORY_DAYS} " in row("Days of history")
    assert f"more than {backtest.MAX_SILENT_DAYS} " in row("Days since the last order")
    fewest = f"fewer than {backtest.MIN_REPEATERS}, fewer than {backtest.MIN_FREQUENT} "
    assert fewest in row("Customers with two purchase days")
    alive = row("Mean probability")
    assert f"{backtest.NOBODY_LEAVES:.0%}".replace("%", " %") in alive
    assert f"{backtest.EVERYBODY_LEFT:.0%}".replace("%", " %") in alive
    bias = row("Bias of orders")
    assert f"over {backtest.USABLE_BIAS * 100:.0f} %" in bias
    assert f"over {backtest.TRUSTED_BIAS * 100:.0f} %" in bias
    spend = row("Correlation of repeat purchases")
    assert f"over {backtest.CARE_CORRELATION:.2f}" in spend
    assert f"over {backtest.TRUSTED_CORRELATION:.2f}" in spend
    text = " ".join(lines)
    assert f"log-likelihood by more than {backtest.CLEARLY_LIKELIER:g}" in text
    assert f"{backtest.MIN_HOLDOUT_WEEKS} to {backtest.MAX_HOLDOUT_WEEKS}" in text
    assert f"{scores.FEW_CUSTOMERS:,} customers" in text
    assert f"{scores.LEVEL * 100:.0f} % intervals" in text


def test_every_key_of_lifetime_value_as_json_is_documented():
    listed = " ".join(f"{keys} {meaning}" for keys, meaning in generator().LIFETIME_VALUE_JSON.items())
    source = (ROOT / "crm" / "cli.py").read_text(encoding="utf-8")
    body = source[source.index("def _lifetime_value(") : source.index("def _lifetime_value_lines(")]

    keys = set(re.findall(r'^\s+"([a-z_0-9]+)":', body, re.M))
    assert len(keys) > 30
    assert {key for key in keys if not re.search(rf"\b{key}\b", listed)} == set()


def test_every_direct_requirement_says_why_it_is_there():
    lines = (ROOT / "requirements.txt").read_text().split("\n\n")[0].splitlines()[1:]
    names = [re.split(r"[\[=]", line)[0] for line in lines]
    text = (ROOT / "docs" / "dependencies.md").read_text().lower()

    assert names
    assert [name for name in names if f"| {name.lower()} |" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_and_paths_in_the_docs_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")

    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
    for path in re.findall(r"`((?:crm|pages|tests|docs|data)/[\w./-]+)`", text):
        if not path.startswith("data/store"):
            assert (ROOT / path).exists(), f"{page.name} names {path}"


MODULES = [path for path in sorted((ROOT / "crm").rglob("*.py")) if "migrations" not in path.parts]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_every_public_function_of_the_core_has_a_docstring(module):
    """Its first line says what is returned or done; one-line properties and nested functions may go without."""
    import ast

    tree = ast.parse(module.read_text())
    bare = []
    for node in [tree, *ast.walk(tree)]:
        if isinstance(node, ast.Module) and not ast.get_docstring(node):
            bare.append(module.name)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for found in [*classes, *functions]:
        if not found.name.startswith("_") and not ast.get_docstring(found):
            bare.append(found.name)
    assert bare == []


def test_make_lists_its_targets():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "make run" in listed
    assert "make bench" in listed
