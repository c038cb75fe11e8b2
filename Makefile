# Every verb sets up what it needs on a machine with Python 3.11 to 3.13 and make, and nothing else.
#   make demo    digits in, a trained and measured classifier and its report out (runs/demo)
#   make test    all that CI runs: format, lint, types, tests, the code blocks of README and docs
#   make docs    fills the tables of the docs from the code, then checks README and docs alone
#   make build   a wheel in dist/
#   make clean   takes away what these verbs made; runs/ stays, it is yours
# PYTHON=/path/to/python chooses the interpreter that .venv is built from.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check docs build clean

TORCH := torch==2.13.0
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
WHICH := import sys; print(getattr(sys, "_base_executable", sys.executable), sys.version.split()[0], sys.base_prefix)

# The first interpreter that is young and old enough; a name may exist and still not start (pyenv).
ifndef PYTHON
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	"$$name" -c '$(SUPPORTED)' >/dev/null 2>&1 && { echo "$$name"; break; }; done)
endif
FOUND := $(shell "$(PYTHON)" -c '$(SUPPORTED)' 2>/dev/null && "$(PYTHON)" -c '$(WHICH)')

# One stamp for what was installed, from what and where: another pin, interpreter or folder builds
# .venv again, and so does one that was stopped half-way, since the stamp comes last.
KEY := $(shell { cat pyproject.toml constraints.txt; echo '$(wordlist 2,3,$(FOUND))' '$(CURDIR)'; } | cksum | cut -d' ' -f1)
READY := .venv/ready-$(KEY)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet
PINNED := --constraint constraints.txt --build-constraint constraints.txt

export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

help:
	@sed -n 's/^#   \(make .*\)/\1/p' Makefile

$(READY):
	@test -n '$(FOUND)' || { echo 'alexnet needs Python 3.11, 3.12 or 3.13; "$(or $(PYTHON),python3)" is' \
	"none of these ($$("$(or $(PYTHON),python3)" --version 2>&1 || true))." \
	'Name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)' >&2; exit 2; }
	@echo 'Setting up .venv with Python $(word 2,$(FOUND)); this happens once and takes some minutes.' >&2
	@rm -rf .venv
	@$(firstword $(FOUND)) -m venv .venv
	@$(PIP) --constraint constraints.txt pip
	@$(PIP) $(TORCH)
	@$(PIP) $(PINNED) --editable '.[all]' --group dev
	@touch $@

demo: $(READY)
	@$(BIN)/alexnet demo
	@echo 'The command lies in $(BIN). To have it at hand: source $(BIN)/activate' >&2

check: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/python -m pytest --numprocesses auto

test: check

docs: $(READY)
	$(BIN)/python scripts/fill_docs.py
	$(BIN)/python -m pytest tests/test_docs.py tests/test_version.py

build: $(READY)
	$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-deps --build-constraint constraints.txt --wheel-dir dist .

clean:
	rm -rf .venv dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
