# The front door. `make tour` and `make test` set up everything they need in .venv; nothing else is touched.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
JOBS ?= auto

.PHONY: help setup tour test check fmt lock conformance conformance-clients bench docs docs-generate clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.venv-made:
	@test -n "$(PYTHON)" || { echo "Chainward needs Python 3.11 or newer: none of python3, python3.11 … python3.14 is."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@touch $@

$(VENV)/.runtime: $(VENV)/.venv-made requirements/runtime.lock pyproject.toml
	@echo "installing the locked dependencies …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/runtime.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@touch $@

setup: $(VENV)/.dev ## Install everything that development needs into .venv

tour: $(VENV)/.runtime ## Walk one project from source to an admitted workload (KEEP=1 leaves the platform running)
	@$(BIN)/python examples/tour/tour.py $(if $(KEEP),--keep)

test: $(VENV)/.dev ## Run the tests
	@$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

check: $(VENV)/.dev ## Lint, types, import contracts, documentation
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/docs.py --check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir site

fmt: $(VENV)/.dev ## Format the code and mend what the linter can mend
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

lock: $(VENV)/.venv-made ## Resolve the dependencies anew, a week old at least
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-find-links --python-version 3.11 \
		--extra postgres pyproject.toml -o requirements/runtime.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-find-links --python-version 3.11 \
		--extra postgres --group dev pyproject.toml -o requirements/dev.lock

conformance-clients: $(VENV)/.dev ## Install the stock clients that are no Python packages: sigstore-js, cosign
	@$(BIN)/python tools/conformance_clients.py

conformance: conformance-clients ## Run the stock clients: cosign, sigstore-js and -python, openssl, skopeo, oras, debootstrap
	@$(BIN)/python -m pytest -n 0 tests/conformance tests/flows/test_skopeo.py tests/flows/test_oras_referrers.py \
		tests/flows/test_sbom_of_a_debian_root.py tests/trust/test_independent_reader.py $(ARGS)

bench: $(VENV)/.dev ## Measure what the product promises about speed
	@for b in bench/*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

docs: $(VENV)/.dev docs-generate ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir site

docs-generate: $(VENV)/.dev ## Write the generated reference pages anew
	@$(BIN)/python tools/docs.py

clean: ## Remove what was built
	@rm -rf site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .tour
