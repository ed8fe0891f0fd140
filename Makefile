# Two commands matter: `make demo` and `make test`. Each sets up all it needs.
PYTHON ?= python3
SETUP := $(PYTHON) scripts/setup.py
RUN := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help demo test test-long bench bench-deid bench-inventory screenshots lock reference peers clean

help: ## Say what each command does
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
	  printf '  make %-12s %s\n' "$$name" "$$text"; done

demo: ## Start Oathward with the simulated hospital; more options: make demo ARGS="--for 20 --json"
	@$(SETUP) base
	@.venv/bin/oathward demo $(ARGS)

test: ## Lint, types, import contracts and all tests, as CI runs them (at most 20 minutes)
	@$(SETUP) dev
	@$(RUN) scripts/test.py $(ARGS)

test-long: ## The same with 100 random kills, nightly Hypothesis, fuzzing and the whole corpus
	@$(SETUP) dev
	@OATHWARD_LONG=1 OATHWARD_HYPOTHESIS=nightly $(RUN) scripts/test.py $(ARGS)

bench: ## Measure speed beside the peers, in one run
	@$(SETUP) dev
	@$(RUN) scripts/peers.py all
	@$(RUN) scripts/bench.py $(ARGS)

bench-deid: ## Measure de-identification beside the peers, with figures; to check only: make bench-deid ARGS=--short
	@$(SETUP) dev
	@$(RUN) scripts/peers.py dicom-deid presidio fhir-resources
	@$(RUN) -m bench.deid $(ARGS)

bench-inventory: ## Measure discovery and the inventory; of its parts some: make bench-inventory ARGS=inventory_types
	@$(SETUP) dev
	@$(RUN) scripts/bench.py $(or $(ARGS),$(patsubst bench/bench_%.py,%,$(wildcard bench/bench_inventory_*.py)))

screenshots: ## Make pictures of every page of the console and the portal, in both themes, into screenshots/
	@$(SETUP) dev
	@$(RUN) scripts/screenshots.py $(ARGS)

lock: ## Lock all dependencies again; newer versions: make lock ARGS=--upgrade
	@$(SETUP) dev
	@$(RUN) scripts/lock.py $(ARGS)

reference: ## Write the generated pages of docs/reference again
	@$(SETUP) dev
	@$(RUN) scripts/reference.py

peers: ## Set up the programs Oathward is measured beside, under .peers
	@$(SETUP) dev
	@$(RUN) scripts/peers.py all

clean: ## Remove what these commands made: environments, peers, caches, results
	rm -rf .venv .peers assets/node_modules src/oathward/web/static screenshots .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist bench/out
	find src tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} +
