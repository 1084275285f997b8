# Every target sets up what it needs. DATASET: complete_journey, retailer, or a folder of your own files.
# A study: make bench STUDY=cdnow ARGS="--help".
SHELL := /bin/bash
PYTHON ?= $(firstword $(shell command -v python3.11) python3)
BIN := .venv/bin
DATASET ?=
export CLIENTELA_DATASET := $(DATASET)
# Containers often set it; every call of dbt would then compile its 1,500 modules again.
unexport PYTHONDONTWRITEBYTECODE
# The environment is rebuilt when what it holds changes, and left alone otherwise. Compiling all of it
# takes as long as installing it, and most modules are never imported: Python compiles those that are.
STAMP := .venv/.installed

.PHONY: run test ui lint bench clean setup
.DEFAULT_GOAL := run

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or later is needed; name it: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up .venv (about a minute and a half, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

run: $(STAMP)
	@$(BIN)/python -m dagster_project.cli run

test: $(STAMP)
	@$(BIN)/python -m ruff check . && $(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -c "import importlinter.cli as c, sys; sys.exit(c.lint_imports())"
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 12

ui: $(STAMP)
	@$(BIN)/python -m dagster_project.cli ui

lint: $(STAMP)
	@$(BIN)/python -m ruff check --fix . && $(BIN)/python -m ruff format .
	@$(BIN)/python -m mypy

bench: $(STAMP)
	@$(BIN)/python -m benchmarks.$(STUDY) $(ARGS)

# What cannot be rebuilt (person ids, segment keys, holdouts, audience logs) lives in the warehouse,
# and beside it the key by which erased persons are recognised: clean removes neither, nor backups.
clean:
	rm -rf .venv storage dbt/target dbt/logs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@echo "warehouse/, published/, backups/ and exports/ are kept; remove them by hand if you mean it."
