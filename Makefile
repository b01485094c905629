# Two commands are enough: `make demo` runs the main job on the bundled company, `make test` passes the tests.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
BENCH := .venv-bench
PEERED := recovery scale
CAMPAIGNS := $(filter-out __init__ runner,$(basename $(notdir $(wildcard benchmarks/campaigns/*.py))))

.PHONY: setup setup-dev demo demo-vendors up test check fix docs lock clean campaign bench

$(VENV)/.runtime: requirements.txt pyproject.toml
	@echo "Setting up $(VENV) (first run only, one to two minutes) ..." >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-deps --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.runtime          ## the environment, runtime only
setup-dev: $(VENV)/.dev          ## the environment with the tools of development

demo: $(VENV)/.runtime           ## the main job on the bundled demo company, eight quarters
	@$(BIN)/icp demo --directory demo

demo-vendors: $(VENV)/.runtime   ## the same company pulled over HubSpot's and BuiltWith's protocols from a local server: the same ICP
	@$(BIN)/icp demo --directory demo-vendors --vendors

up: demo                         ## Prefect's server and a worker on this machine for the demo company, until Ctrl-C
	@$(BIN)/icp up -p demo/icp.yml

test: $(VENV)/.dev               ## every test
	@$(BIN)/python -m pytest

check: $(VENV)/.dev              ## style, types, architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests

fix: $(VENV)/.dev                ## format and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# A warehouse without data is enough: the page shows models, columns, tests, lineage and what is published from them.
DBT_DOCS := --project-dir dbt_project --profiles-dir dbt_project --target-path target/docs --quiet
docs: $(VENV)/.runtime           ## the data model as one page that needs no server
	@mkdir -p dbt_project/target/docs
	@export ICP_WAREHOUSE=dbt_project/target/docs/warehouse.duckdb && $(BIN)/dbt build $(DBT_DOCS) --exclude-resource-type test unit_test && $(BIN)/dbt docs generate --static $(DBT_DOCS)
	@echo dbt_project/target/docs/static_index.html

$(BENCH)/.peers: benchmarks/requirements-peers.txt
	@echo "Setting up $(BENCH) for the peers (first run only) ..." >&2
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --require-hashes -r $<
	@touch $@

campaign: $(addprefix campaign-,$(sort $(CAMPAIGNS)))  ## every simulation campaign in turn (benchmarks/README.md)

campaign-%: $(VENV)/.runtime     ## one of them, e.g. campaign-coverage
	@$(BIN)/python -m benchmarks.campaigns.$*

$(addprefix campaign-,$(PEERED)): campaign-%: $(BENCH)/.peers
	@$(BENCH)/bin/python -m benchmarks.campaigns.$*

# Spark is among the peers; the campaign itself needs ours.
campaign-engines: $(VENV)/.runtime $(BENCH)/.peers
	@test -d demo/lake/published || $(BIN)/icp demo --directory demo
	@$(BIN)/python -m benchmarks.campaigns.engines --spark $(BENCH)/bin/python

bench: $(BENCH)/.peers campaign-scale  ## ours against other methods, and how time and memory grow
	@$(BENCH)/bin/python -m benchmarks.peers

lock:                            ## re-lock the requirements (needs uv)
	@uv pip compile --universal requirements-dev.in --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 -o requirements-dev.txt
	@uv pip compile --universal requirements.in -c requirements-dev.txt --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 -o requirements.txt
	@uv pip compile --universal benchmarks/requirements-peers.in -c requirements-dev.txt --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 -o benchmarks/requirements-peers.txt

clean:                           ## remove what can be made again; never the lake
	@rm -rf $(VENV) $(BENCH) dbt_project/target dbt_project/logs .mypy_cache .ruff_cache .pytest_cache
