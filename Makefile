# Everything starts here. `make` alone says what there is; each target sets up what it needs.

PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup lock up demo check test fix migration golden docs bench kills load fuzz down clean

help:  ## Show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup:  ## Install everything the checkout needs (WHEELS=dir: without network)
	@$(PYTHON) tools/setup.py $(if $(WHEELS),--wheels '$(WHEELS)')

demo: setup  ## Start the platform, make an agent, ask it, show what happened, stop
	@$(VENV)/python -m promptcraft.app demo

up: setup  ## Start the platform with the demo agent; Ctrl-C stops it
	@$(VENV)/python -m promptcraft.app up --demo

down:  ## Stop a platform that `make up` started elsewhere
	@$(VENV)/python -m promptcraft.app down

check: setup  ## Style, types, import contracts, budget, architecture, generated files
	@$(VENV)/python tools/check.py

test: setup  ## Run all tests
	@$(VENV)/python -m pytest -n 2 --dist loadfile; status=$$?; echo $$status >.tools/test-status; exit $$status

fix: setup  ## Repair what the formatter and the linter can repair
	@$(VENV)/ruff check --fix --quiet . || true
	@$(VENV)/ruff format .

docs: setup  ## Write the generated reference again
	@for generator in tools/generate_*.py; do $(VENV)/python -m tools.$$(basename $$generator .py) || exit 1; done

golden: setup  ## Accept what the tests produced as the new golden files and snapshots
	@PROMPTCRAFT_GOLDEN=write $(VENV)/python -m pytest tests -n 0 --inline-snapshot=create,fix

migration: setup  ## Start a migration (m="what it does")
	@test -n '$(m)' || { echo 'Say what it does:  make migration m="add approvals"'; exit 2; }
	@$(VENV)/python tools/migration.py '$(m)'

bench: setup  ## Run the benchmarks; each prints its figures
	@for benchmark in benchmarks/[a-z]*.py; do $(VENV)/python $$benchmark || exit 1; done

kills: setup  ## kill -9 of everything at random (KILLS=200 SEED=n: the same kills again)
	@$(VENV)/python -m tests.e2e.storm --kills $(or $(KILLS),200) $(if $(SEED),--seed $(SEED))

load: setup  ## 200 people at once over two API processes (SECONDS=600)
	@$(VENV)/python benchmarks/load.py --seconds $(or $(SECONDS),600)

fuzz: setup  ## Try the whole API with what it allows and what it does not (SECONDS=1200 EXAMPLES=10)
	@$(VENV)/python -m tools.fuzz --seconds $(or $(SECONDS),1200) --examples $(or $(EXAMPLES),10)

lock: setup  ## Pin the dependencies again (UPGRADE=--upgrade: newer versions)
	@$(VENV)/python tools/lock.py .tools/uv $(UPGRADE)

clean:  ## Remove what was made here: environments, caches, builds (data directories stay)
	@rm -rf .venv .tools build dist .ruff_cache .pytest_cache .mypy_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
