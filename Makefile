# Each target sets up what it needs in .venv, and does nothing twice.
PYTHON ?= python3
BIN := .venv/bin
export UV_HTTP_TIMEOUT ?= 60
export UV_HTTP_RETRIES ?= 10

# node and npm come as a wheel; a system's own are not asked for.
NPM := PATH="$(abspath $(BIN)):$$PATH" npm --prefix labextension
MODULES := labextension/node_modules/.package-lock.json
EXTENSION := jupyter_runbook/labextension/package.json

.PHONY: demo test lab bench lint clean
.DEFAULT_GOAL := test

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 10 uv

# With what the notebooks draw with. The JupyterLab extension is built below, and only for those that show or test it.
.venv/.run: $(BIN)/uv pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python editables hatch-jupyter-builder hatchling
	SKIP_JUPYTER_BUILDER=1 $(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation -e '.[pandas]'
	@touch $@

.venv/.dev: .venv/.run
	SKIP_JUPYTER_BUILDER=1 $(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation -e '.[dev]'
	@touch $@

.venv/.node: .venv/.run binder/build.in
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r binder/build.in
	@touch $@

$(MODULES): labextension/package-lock.json .venv/.node
	$(NPM) ci --loglevel=error
	@touch $@

$(EXTENSION): $(MODULES) labextension/package.json $(shell find labextension/src -type f)
	$(NPM) run --silent build:prod

.venv/.lab: $(EXTENSION) .venv/.run
	rm -rf .venv/share/jupyter/labextensions/jupyter-runbook
	mkdir -p .venv/share/jupyter/labextensions
	cp -R jupyter_runbook/labextension .venv/share/jupyter/labextensions/jupyter-runbook
	cp labextension/install.json .venv/share/jupyter/labextensions/jupyter-runbook
	@touch $@

demo: .venv/.run
	$(BIN)/jupyter runbook demo

test: .venv/.dev .venv/.lab
	$(NPM) test --silent
	$(BIN)/python -m pytest

# JupyterLab asks root, as whom containers run, to say so.
lab: .venv/.lab
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --notebook-dir=notebooks $(LAB)

bench: .venv/.run
	$(BIN)/python -m benchmarks

lint: .venv/.dev $(MODULES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(NPM) run --silent lint:check

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis jupyter_runbook/labextension
	rm -rf labextension/lib labextension/node_modules labextension/tsconfig.tsbuildinfo
