# The commands people type. `make serve` and `make test` need Python 3.11 or newer with venv, and nothing else.
PYTHON ?= python3
VENV ?= .venv
# What the tests use beside `dev`; `mysql` needs a C compiler and libmariadb-dev.
EXTRAS ?= dev
PORT ?= 8080
BIN := $(VENV)/bin
# Each choice of extras has a stamp of its own.
TESTED := $(VENV)/.test-$(EXTRAS)
DECLARED := setup.cfg setup.py pyproject.toml examples/stratus/setup.cfg

.PHONY: serve test chaos lint types docs clean venv

serve: $(VENV)/.serve
	$(BIN)/densefog-serve --port $(PORT) --app-root examples/stratus

test: $(TESTED)
	$(BIN)/pytest -n 2 --dist loadfile -m "not chaos"

chaos: $(TESTED)
	$(BIN)/pytest -m chaos

lint: $(TESTED)
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m tests.advisories

types: $(TESTED)
	$(BIN)/mypy

docs: $(TESTED)
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -b html docs build/docs

venv: $(TESTED)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { echo "make: no virtual environment: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.serve: $(DECLARED) | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[console]' -e examples/stratus
	touch $@

$(TESTED): $(DECLARED) | $(BIN)/python
	$(BIN)/pip install --quiet -e '.[$(EXTRAS)]' -e examples/stratus
	touch $@ $(VENV)/.serve

clean:
	rm -rf $(VENV) build dist *.egg-info examples/*/*.egg-info examples/*/build .pytest_cache .mypy_cache .ruff_cache .hypothesis
