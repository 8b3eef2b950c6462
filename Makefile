PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= auto
PIP_FAILED = { echo "hkcli could not be installed: pip gives the reason above. It needs the network, or a mirror (PIP_INDEX_URL)." >&2; exit 1; }

.PHONY: quickstart setup test check e2e bench screens docs clean

quickstart: $(VENV)/.installed   ## Watch the Delayed Job quick start happen, for real
	@$(BIN)/heroku quickstart

setup: $(VENV)/.tools            ## Create the virtual environment with everything in it

$(VENV)/.installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "hkcli needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version 2>/dev/null || echo not one`. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[backend]' || $(PIP_FAILED)
	@touch $@

$(VENV)/.tools: $(VENV)/.installed
	@echo "Installing the tools for tests into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[backend,dev]' || $(PIP_FAILED)
	@touch $@

test: setup                      ## Run every test
	@$(BIN)/python -m pytest -n $(WORKERS)

check: setup                     ## Lint and type-check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

e2e: setup                       ## Run the end-to-end tests only
	@$(BIN)/python -m pytest -m e2e

bench: setup                     ## Measure, against a peer or a floor in the same run
	@$(BIN)/python -m tests.benchmarks

screens: setup                   ## Take the README's pictures of the status screen anew
	@$(BIN)/python -m tests.screens

docs completions: setup          ## Write what is made from the command table anew: completions, help, hkcli/man/
	@$(BIN)/python -m hkcli.cli.completion completions
	@$(BIN)/python -m hkcli.cli.reference .

clean:                           ## Remove what make made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
