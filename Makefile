# `make demo` shows what it is, `make test` tests it; both make the environment they need.

PYTHON ?= python3
VENV ?= .venv
ROWS ?= 1000000
BIN := $(VENV)/bin

.PHONY: help demo test bench lint types clean

help:
	@echo "make demo    simulate a small cloud and serve it at 127.0.0.1:8000"
	@echo "make test    run all checks and tests"
	@echo "make bench   run the benchmarks (ROWS=10000000 for the large lake)"
	@echo "make clean   remove the environment and what demo left behind"

demo: $(VENV)/.installed
	$(BIN)/stackanalytics demo

test: lint types
	$(BIN)/pytest -n 2 --dist loadgroup tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.installed-dev
	$(BIN)/mypy

bench: $(VENV)/.installed-dev
	$(BIN)/python -m tests.benchmarks --rows $(ROWS)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed: make PYTHON=python3.11 …"'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) data/demo
