# Everything a person or CI does with this repository. `make help` lists it.

SHELL := /bin/sh
BIN := .venv/bin
# Labs and real engines need root; a login without it uses sudo and keeps what decides about files.
KEPT := HOME,PATH,XDG_CACHE_HOME,XDG_CONFIG_HOME,STACKCTL_LAB_NAME,STACKCTL_LAB_DIR,STACKCTL_CONFIG_DIR
AS_ROOT := $(shell test "$$(id -u)" = 0 || echo sudo --preserve-env=$(KEPT))
PYTEST := $(BIN)/python -m pytest
REAL := integration or e2e

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test check format lint types imports quick-tests replay integration e2e docs bench

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing on this machine, and the Python environment
	@scripts/setup

demo: setup ## a lab of three nodes on this machine with examples/juergenapp running on it
	@$(AS_ROOT) scripts/demo

demo-down: ## remove the lab of `make demo` with everything in it
	@scripts/require-environment
	@$(AS_ROOT) $(BIN)/stackctl lab down

test: setup check integration e2e ## everything that CI runs

check: ## everything that needs neither root nor an engine
	@scripts/require-environment
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target lint types imports quick-tests

format: ## put all Python files into the project's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy
	$(BIN)/mypy tests examples/juergenapp/build_images.py

imports:
	$(BIN)/lint-imports

quick-tests:
	$(PYTEST) -m "not ($(REAL))"

replay: ## one run of the simulated cluster once more: make replay SEED=77
	@scripts/require-environment
	$(BIN)/python -m tests.sim.run $(SEED)

integration: ## tests against real engines and namespaces (root)
	@scripts/require-environment
	$(AS_ROOT) $(PYTEST) -m integration

e2e: ## tests of whole labs (root)
	@scripts/require-environment
	$(AS_ROOT) $(PYTEST) -m e2e

docs: ## write the documents that are made from the code
	@scripts/require-environment
	@scripts/docs

bench: setup ## the measurements behind the numbers in README.md (root)
	@$(AS_ROOT) scripts/bench
