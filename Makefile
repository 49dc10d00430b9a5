# Each target sets up what it needs in .venv, and does nothing twice.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Which of the versions that pyproject.toml allows: highest, or lowest-direct.
RESOLUTION ?= highest
export UV_HTTP_TIMEOUT ?= 60
export UV_HTTP_RETRIES ?= 10
# Python keeps the bytecode of what it imports: without it, every kernel and command compiles all of it again.
unexport PYTHONDONTWRITEBYTECODE

# node and npm come as a wheel; a system's own are not asked for.
NPM := PATH="$(abspath $(BIN)):$$PATH" npm --prefix labextension
MODULES := labextension/node_modules/.package-lock.json
EXTENSION := jupyter_runbook/labextension/package.json

# Kept for other clones, as what the sandboxes are made of is.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/jupyter-runbook
LOWEST := $(CACHE)/lowest-$(shell cat pyproject.toml binder/build.in Makefile | sha256sum | cut -c1-16)

# tests/support/groups.py says which tests stay together. One run of three is in another order: it prints its seed, and
# `make test SHUFFLE='-p randomly --randomly-seed=SEED'` is the same again.
SHUFFLE := $(shell expr $$(date +%s) % 3 >/dev/null || echo -p randomly)
# More than the two cores that a machine has at least: tests wait for services as well.
WORKERS ?= 3
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(SHUFFLE)
# Which tests, and pytest's options.
TESTS ?=

.PHONY: demo test check check-lowest lab bench lint clean
.DEFAULT_GOAL := test

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 10 uv

# With what the notebooks draw with. The JupyterLab extension is built below, and only for those that show or test it.
$(VENV)/.run: $(BIN)/uv pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python editables hatch-jupyter-builder hatchling
	SKIP_JUPYTER_BUILDER=1 $(BIN)/uv pip install --quiet --resolution $(RESOLUTION) --python $(BIN)/python --no-build-isolation -e '.[pandas]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	SKIP_JUPYTER_BUILDER=1 $(BIN)/uv pip install --quiet --resolution $(RESOLUTION) --python $(BIN)/python --no-build-isolation -e '.[dev]'
	@touch $@

$(VENV)/.node: $(VENV)/.run binder/build.in
	$(BIN)/uv pip install --quiet --resolution $(RESOLUTION) --python $(BIN)/python -r binder/build.in
	@touch $@

# Whichever node is there: the modules are the same.
$(MODULES): labextension/package-lock.json | $(VENV)/.node
	$(NPM) ci --loglevel=error
	@touch $@

$(EXTENSION): $(MODULES) labextension/package.json $(shell find labextension/src -type f)
	$(NPM) run --silent build:prod

$(VENV)/.lab: $(EXTENSION) $(VENV)/.run
	rm -rf $(VENV)/share/jupyter/labextensions/jupyter-runbook
	mkdir -p $(VENV)/share/jupyter/labextensions
	cp -R jupyter_runbook/labextension $(VENV)/share/jupyter/labextensions/jupyter-runbook
	cp labextension/install.json $(VENV)/share/jupyter/labextensions/jupyter-runbook
	@touch $@

demo: $(VENV)/.run
	$(BIN)/jupyter runbook demo

test: $(VENV)/.dev $(VENV)/.lab
	$(NPM) test --silent
	$(PYTEST) $(TESTS)

# What needs no service, for use while writing.
check: $(VENV)/.dev $(MODULES)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(NPM) test --silent
	$(PYTEST) -m 'not service and not slow' $(TESTS)

# The same and the quick start, with the lowest versions that pyproject.toml allows. The environment is installed into anew
# each time: another clone may have used it.
check-lowest:
	@rm -f $(LOWEST)/.run
	$(MAKE) check demo VENV=$(LOWEST) RESOLUTION=lowest-direct

# JupyterLab asks root, as whom containers run, to say so.
lab: $(VENV)/.lab
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --notebook-dir=notebooks $(LAB)

bench: $(VENV)/.run
	$(BIN)/python -m benchmarks

lint: $(VENV)/.dev $(MODULES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(NPM) run --silent lint:check

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis jupyter_runbook/labextension
	rm -rf labextension/lib labextension/node_modules labextension/tsconfig.tsbuildinfo
