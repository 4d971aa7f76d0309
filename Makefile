# `make run` and `make test` work from a fresh clone; they need Python 3.11 or newer with its venv module.
# uv is used for installing when it is there, pip otherwise. Only `make lock` requires uv.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
WORKERS ?= 2

BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null)

ifdef UV
PIP_INSTALL = "$(UV)" pip install --quiet --python $(BIN)/python
else
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: pictures help install install-dev run demo test soak lint format types check bench lock

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

install: .venv/installed ## prepare .venv; runs again only when a lock changed

install-dev: .venv/installed-dev ## the same, with everything the tests need

run: install ## serve the portal on http://HOST:PORT (127.0.0.1:8000)
	@$(BIN)/portal migrate
	@exec $(BIN)/portal serve --host "$(HOST)" --port "$(PORT)"

demo: install ## the same with sample documents and people, in a directory of its own
	@exec $(BIN)/portal demo --host "$(HOST)" --port "$(PORT)"

test: install-dev ## all tests, on WORKERS=2 processes
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

soak: install-dev ## long fault and fuzz runs
	$(BIN)/pytest -m soak

lint: install-dev ## ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: install-dev ## let ruff format the code and mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: install-dev ## mypy --strict
	$(BIN)/mypy

check: lint types test ## what must pass before a commit

bench: install-dev ## measure beside peers and print the ratios (ONLY="requests streams": these groups)
	@$(BIN)/python -m benchmarks $(ONLY)

pictures: install-dev ## take the pictures of the README anew
	@mkdir -p docs/images
	PORTAL_PICTURES=1 $(BIN)/pytest -q tests/browser/test_pictures.py

lock: ## choose the newest fitting versions anew (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv, which is not on this machine's PATH." >&2; exit 1; }
	$(COMPILE) --upgrade --group build pyproject.toml -o requirements.lock
	$(COMPILE) --upgrade --all-extras --group build --group dev --constraint requirements.lock pyproject.toml -o requirements-dev.lock

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Portal needs Python 3.11 or newer; choose one with PYTHON=.")'
	$(PYTHON) -m venv .venv

.venv/installed: requirements.lock pyproject.toml | .venv/bin/python
	$(PIP_INSTALL) --require-hashes -r requirements.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

# After the runtime packages, never beside them: two installers in one .venv would disturb each other under `make -j`.
.venv/installed-dev: requirements-dev.lock .venv/installed
	$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@
