# Each target sets up what it needs in .venv, and does nothing twice.
PYTHON ?= python3
BIN := .venv/bin
export UV_HTTP_TIMEOUT ?= 60
export UV_HTTP_RETRIES ?= 10

.PHONY: demo test lint clean
.DEFAULT_GOAL := test

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 10 uv

.venv/.run: $(BIN)/uv pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e .
	@touch $@

.venv/.dev: .venv/.run
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]'
	@touch $@

demo: .venv/.run
	$(BIN)/jupyter runbook --version

test: .venv/.dev
	$(BIN)/python -m pytest

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
