# On a fresh machine: `make demo` or `make test`. Each sets up what it needs; `make help` lists the rest.
# `make setup PYTHON=python3.12` takes that interpreter; otherwise the first that was compiled with optimization.
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench bench-grading bench-episodes bench-attribution bench-alerts bench-report torture validate-attribution lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-22s %s\n", $$1, $$2 }' Makefile

setup: ## the Python environment in .venv and the libraries for PDF; quick when nothing changed
	@sh setup/native.sh $(WITH)
	@sh setup/environment.sh

demo: setup ## a simulated trial from files to alerts, tables and the DSMB report, in ./demo
	@$(BIN)/safety-monitor demo --out demo

test: WITH := --with-postgres
test: check ## every check and every test, on SQLite and on PostgreSQL
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15

check: setup ## lint, types, layers
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: bench-grading bench-episodes bench-attribution bench-alerts bench-report ## the five measurements

bench-grading bench-episodes bench-attribution bench-alerts bench-report: bench-%: setup
	$(BIN)/python bench/bench_$*.py

SEED ?= 20261124
KILLS ?= 150
DATABASES ?= sqlite,postgresql
torture: WITH := --with-postgres
torture: setup ## the fault campaign, about 7 minutes; renews docs/torture.md (SEED=, KILLS= on each database, DATABASES=)
	$(BIN)/python -m torture --seed $(SEED) --kills $(KILLS) --databases $(DATABASES) --report docs/torture.md

validate-attribution: setup ## simulated trials with known causes; renews docs/attribution-validation.md (about 6 minutes)
	$(BIN)/python validation/validate_attribution.py

dictionary: setup ## renew docs/dictionary.md after a change of the criteria; OFFICIAL=FILE writes build/dictionary.md beside NCI's text
	@.venv/bin/python setup/dictionary.py $(OFFICIAL)

lock: setup ## renew requirements.lock after a change of pyproject.toml; UPGRADE=--upgrade for newer versions
	@sh setup/lock.sh

clean: ## remove the environment, the demonstration and every cache
	rm -rf .venv demo build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
