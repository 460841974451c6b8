# Two commands on a fresh machine:  make demo   and   make test
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup s3 check lint types layers sql test demo ui bench docs clean

help:            ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(READY)  ## create .venv and install the project from constraints.txt

# torch first and pinned: an open range would pull gigabytes of CUDA onto a CPU machine.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0 -c constraints.txt
	$(BIN)/python -m pip install --quiet --editable '.[dev]' -c constraints.txt
	@touch $(READY)

s3:              ## install a real S3 server for the tests, where root and apt are at hand
	@sh scripts/install_rgw.sh

check: lint types layers sql  ## everything a commit must pass, without running it

lint: $(READY)   ## ruff: format and rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)  ## mypy --strict
	$(BIN)/mypy

layers: $(READY) ## import-linter contracts
	$(BIN)/lint-imports --no-cache

sql: $(READY)    ## sqlfluff, duckdb dialect
	$(BIN)/sqlfluff lint --quiet sql

test: $(READY) s3  ## all tests: real DuckDB, Ray, Prefect, S3 server, HTTP teacher
	$(BIN)/pytest -q -n auto --maxprocesses 4 --dist loadgroup

demo: $(READY)   ## build the demo dataset, then ask it three questions
	@$(BIN)/sightline build recipes/demo.yaml

ui: $(READY)     ## open the Prefect UI with the history of earlier builds
	@$(BIN)/sightline ui

bench: $(READY)  ## run the benchmarks
	@for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

docs: $(READY)   ## regenerate docs/reference and the screenshots
	$(BIN)/python scripts/generate_reference.py
	$(BIN)/python scripts/take_screenshots.py

clean:           ## remove what the other targets made, except the lake
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build *.egg-info
