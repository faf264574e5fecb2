# Clientele. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
PYMC_PYTHON ?= $(PYTHON) python3.12 python3.13 $(wildcard $(HOME)/.pyenv/versions/3.1[23]*/bin/python)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install install-dev browser run test test-fast explore check fix bench docs clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

$(VENV)/.run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Clientele needs Python 3.11 or newer; $(PYTHON) is older. Try: make run PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	@touch $@

install: $(VENV)/.run ## Make .venv with the pinned requirements

install-dev: $(VENV)/.dev ## The same, with the tools for tests and checks

browser: install-dev ## Find a browser for the tests, or install one
	@$(BIN)/python tests/browser/find_chromium.py

run: install ## Open the app at http://localhost:8501, with the sample shop if the store is empty
	@$(BIN)/python -m crm.ui.serve --server.port $(PORT) --server.address localhost

test: browser ## Run the whole suite: all engines, both databases, the browser
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not spark and not browser"
	$(BIN)/python -m pytest -m "spark or browser"

test-fast: install-dev ## Run what needs no browser, no second engine and no database server
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not spark and not postgres and not browser and not page and not slow and not real"

explore: install-dev ## Try the properties on new examples, other ones each time
	$(BIN)/python -m pytest -n auto -m "hypothesis and not spark" --hypothesis-profile=explore

check: install-dev ## Lint, types, layers and docs; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_layers.py tests/test_docs.py

fix: install-dev ## Lint and format, changing what can be changed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: ## Measure against peers, side by side; writes docs/benchmarks.md
	@test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet -r requirements.txt -r tests/bench/requirements.txt
	@# A peer that asks for Python 3.12 gets an environment of its own, where there is one
	@test -x $(VENV)-bench-pymc/bin/python || for python in $(PYMC_PYTHON); do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && \
		$$python -m venv $(VENV)-bench-pymc && break; done || true
	@test ! -x $(VENV)-bench-pymc/bin/python || \
		$(VENV)-bench-pymc/bin/python -m pip install --quiet -r tests/bench/requirements-pymc.txt
	$(VENV)-bench/bin/python -m tests.bench

docs: install ## Write the generated pages of docs/ anew
	$(BIN)/python docs/generate.py

clean: ## Remove the environments and caches, not the store
	rm -rf $(VENV) $(VENV)-bench $(VENV)-bench-pymc .pytest_cache .mypy_cache .ruff_cache .hypothesis
