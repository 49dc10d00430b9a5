# Each target sets up what it needs in .venv, and does nothing twice.
PYTHON ?= python3
BIN := .venv/bin
export UV_HTTP_TIMEOUT ?= 60
export UV_HTTP_RETRIES ?= 10

.PHONY: demo test lab bench lint clean
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

.venv/.lab: .venv/.run
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[lab]'
	@touch $@

demo: .venv/.run
	$(BIN)/jupyter runbook demo

test: .venv/.dev
	$(BIN)/python -m pytest

# JupyterLab asks root, as whom containers run, to say so.
lab: .venv/.lab
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --notebook-dir=notebooks $(LAB)

bench: .venv/.run
	$(BIN)/python -m benchmarks

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
