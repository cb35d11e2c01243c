# A newcomer needs two of these: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PINS := requirements.lock
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help venv demo test fast lint mutants odoo-suite screenshots bench torture stop clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

venv: $(STAMP) ## the virtual environment .venv with everything pinned

$(STAMP): $(PINS) pyproject.toml stack/bootstrap.py
	@$(PYTHON) stack/bootstrap.py $(VENV)

demo: venv ## start everything locally, load two tenants, sync both ways, show the figures
	@$(BIN)/c360 stack up
	@$(BIN)/c360 demo run

test: venv ## every check and every test; prints how many ran
	@$(BIN)/python -m tests.run

fast: venv ## the checks, and every test that needs no server; in a minute
	@$(BIN)/python -m tests.run --fast

lint: venv ## the checks alone
	@$(BIN)/python -m tests.run --only lint

mutants: venv ## prove every guard: without it, the test that watches it must fail
	@$(BIN)/python -m tests.mutants

odoo-suite: venv ## Odoo's own tests of crm, account and mail, with and without the addon; writes docs/odoo-suite.md
	@$(BIN)/python -m tests.odoo_suite $(if $(ONLY),--only $(ONLY))

screenshots: venv ## pictures of every page of the addon on its demo data, for a desk and a phone: make screenshots ONLY=today
	@$(BIN)/python -m tests.screens $(ONLY)

bench: venv ## measure; figures also in build/bench.json
	@$(BIN)/python -m tests.bench

torture: venv ## fail everything at random, on servers of its own: make torture SEED=7 DURATION=600
	@$(BIN)/python -m tests.torture $(if $(SEED),--seed $(SEED)) $(if $(DURATION),--duration $(DURATION))

stop: ## stop what `make demo` and `make test` started; data stays
	@$(PYTHON) stack/bootstrap.py --stop $(VENV)

clean: ## stop everything and remove every file that was made
	@$(PYTHON) stack/bootstrap.py --clean $(VENV)
