# Every verb sets up what it needs on a machine with Python 3.11 to 3.13 and make, and nothing else.
#   make demo       digits in, a trained and measured classifier and its report out (runs/demo)
#   make format     formats the code, and mends what can be mended without asking
#   make lint       format, lint, pins, workflows and types, as CI asks for them; changes nothing
#   make fast       the tests that take least on this machine, in under a minute
#   make test       all tests; ARGS="--lf" runs those that failed last
#   make check      all that CI asks for before a change lands: lint and test
#   make coverage   all tests, and which lines none of them runs (htmlcov/index.html)
#   make tables     fills the tables of the docs from the code
#   make docs       builds the site of the docs, with warnings as errors (site/index.html)
#   make notebooks  runs the notebooks of examples/
#   make hooks      has git run the checks of .pre-commit-config.yaml before each commit
#   make build      an sdist and a wheel in dist/
#   make smoke      installs the wheel into an empty environment and trains with it
#   make findings   whether outside software still does what findings/ says; NAME=one
#   make clean      takes away what these verbs made; runs/ stays, it is yours
# PYTHON=/path/to/python chooses the interpreter that .venv is built from, WORKERS how many
# processes run tests (as many as there are cores).

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo format lint fast test check coverage tables docs notebooks workflows hooks build \
	smoke clean

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
# .venv again, and so does one that was stopped half-way, since the stamp comes last. What only some
# verbs need is added when one of them is first called.
KEY := $(shell { cat pyproject.toml constraints.txt; echo '$(wordlist 2,3,$(FOUND))' '$(CURDIR)'; } | cksum | cut -d' ' -f1)
READY := .venv/ready-$(KEY)
WITH_DOCS := .venv/docs-$(KEY)
WITH_NOTEBOOKS := .venv/notebooks-$(KEY)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet
PINNED := --constraint constraints.txt --build-constraint constraints.txt

SCHEMA := $(BIN)/check-jsonschema --quiet --builtin-schema

# Workers begin with a half of the tests each, in the order of the files, and take from each other
# at the end: what a file's tests share is made once, and no worker waits.
WORKERS ?= auto
PYTEST := PYTHONPATH=scripts $(BIN)/python -m pytest -p quick_tests --numprocesses $(WORKERS) --dist worksteal

export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export NO_MKDOCS_2_WARNING := 1
# Where the environment forbids to keep bytecode, every process that a test starts would compile the
# package again.
unexport PYTHONDONTWRITEBYTECODE

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

$(WITH_DOCS) $(WITH_NOTEBOOKS): .venv/%-$(KEY): | $(READY)
	@$(PIP) $(PINNED) --group $*
	@touch $@

demo: $(READY)
	@$(BIN)/alexnet demo
	@echo 'The command lies in $(BIN). To have it at hand: source $(BIN)/activate' >&2

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/python scripts/check_repository.py --clear-outputs

lint: $(READY) workflows
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/python scripts/check_repository.py
	$(BIN)/pyright

fast: $(READY)
	$(PYTEST) --quick $(ARGS)

test: $(READY)
	$(PYTEST) $(ARGS)

check: lint test

coverage: $(READY)
	$(PYTEST) --cov --cov-report=term --cov-report=html --cov-report=xml $(ARGS)

tables: $(READY)
	$(BIN)/python scripts/fill_docs.py

docs: $(WITH_DOCS)
	$(BIN)/mkdocs build --strict

notebooks: $(WITH_NOTEBOOKS)
	$(BIN)/python scripts/run_notebooks.py

workflows: $(READY)
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA) vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(SCHEMA) vendor.citation-file-format CITATION.cff

hooks: $(READY)
	$(BIN)/pre-commit install

build: $(READY)
	@rm -rf dist
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m build --outdir dist

smoke: build
	$(BIN)/python scripts/smoke.py dist/*.whl --constraint constraints.txt --first '$(TORCH)'

# Each finding has a venv and a folder of its own, asks nothing of .venv, and is no part of CI.
NAME := $(basename $(notdir $(wildcard findings/*.sh)))
findings:
	@failed=; for name in $(NAME); do \
		test -f "findings/$$name.sh" || { echo "There is no findings/$$name.sh." >&2; exit 2; }; \
		echo "== $$name"; status=0; \
		PYTHON='$(firstword $(FOUND))' bash "findings/$$name.sh" || status=$$?; \
		case $$status in \
			0) echo "held: $$name" ;; \
			2) echo "not tried: $$name"; failed="$$failed $$name" ;; \
			*) echo "changed: $$name"; failed="$$failed $$name" ;; \
		esac; \
	done; \
	test -z "$$failed" || { echo "Did not hold:$$failed" >&2; exit 1; }

clean:
	rm -rf .venv dist site htmlcov .coverage coverage.xml .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
