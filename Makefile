# Everything goes through .venv, which is built from uv.lock. Python 3.11 or newer and make are enough to begin.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PORT ?= 8000
# Besides English, in which the sentences are written.
LANGUAGES := fr it de es
ARGS ?=

BIN := .venv/bin

# The machine's uv, or the one that setup has put into .venv.
uv = uv=uv; uv --version >/dev/null 2>&1 || uv=$(BIN)/uv

# Uses the machine's uv, or puts one into .venv. --inexact leaves in place what a developer has installed beside the lock.
define sync
	@set -e; \
	if uv --version >/dev/null 2>&1; then uv=uv; else \
		uv=$(BIN)/uv; \
		if [ ! -x $$uv ]; then \
			for python in python3 python3.14 python3.13 python3.12 python3.11; do \
				$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
			done; \
			$$python -m venv .venv; \
			$(BIN)/python -m pip install --quiet --disable-pip-version-check uv; \
		fi; \
	fi; \
	env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT=.venv $$uv sync --frozen --inexact --quiet $(1)
	@touch $@
endef

.PHONY: help
help:  ## this list
	@grep -E '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*  ## /\1\t/' | expand -t 12

.venv/.for-running: uv.lock pyproject.toml
	$(call sync,--no-dev)

.venv/.for-working: uv.lock pyproject.toml
	$(call sync,)

.PHONY: setup
setup: .venv/.for-working  ## builds .venv with everything that a developer needs

.PHONY: run
run: .venv/.for-running  ## starts the demo: make run PORT=8123, DATABASE_URL=… make run
	@DEMO=$${DEMO:-1} PORT=$(PORT) exec $(BIN)/python main.py serve

.PHONY: seed
seed: .venv/.for-running  ## fills an empty database with the demo world
	@DEMO=$${DEMO:-1} $(BIN)/python main.py seed

.PHONY: migrate
migrate: .venv/.for-running  ## brings the database to the present tables
	@DEMO=$${DEMO:-1} $(BIN)/python main.py migrate

.PHONY: test
test: .venv/.for-working  ## the whole suite: make test ARGS="tests/bookings -k hold"
	@$(BIN)/python -m pytest -n 3 $(ARGS)

.PHONY: simulate
simulate: .venv/.for-working  ## the long simulation: make simulate ARGS="--minutes 60 --database both"
	@$(BIN)/python -m tests.simulation.model --seeds 5000 --mutant all
	@$(BIN)/python -m tests.simulation.real $(or $(ARGS),--minutes 60 --workers 2 --database both --mutant all)

.PHONY: torture
torture: .venv/.for-working  ## the large races, storms and kills: make torture ARGS="--kills 100 --database both"
	@$(BIN)/python -m tests.torture $(ARGS)

.PHONY: bench
bench: .venv/.for-working  ## measures the shop on this machine: make bench ARGS="--database sqlite --only holds"
	@$(BIN)/python -m bench $(ARGS)

.PHONY: check
check: .venv/.for-working  ## style, types and templates
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/djlint --lint --quiet templates

# Every file of the lock has its SHA-256 there, and nothing else is looked at. --strict: what could not be asked about is a failure.
.PHONY: audit
audit: .venv/.for-working  ## asks the Internet whether a package of uv.lock has a known hole
	@set -e; $(uv); list=$$(mktemp); trap 'rm -f $$list' EXIT; \
	$$uv export --frozen --no-emit-project --format requirements.txt --quiet --output-file $$list >/dev/null; \
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --requirement $$list

.PHONY: sbom
sbom: .venv/.for-working  ## writes what the shop consists of into sbom.json (CycloneDX)
	@set -e; $(uv); $$uv export --frozen --no-dev --format cyclonedx1.5 --quiet --output-file sbom.json >/dev/null

.PHONY: asvs
asvs: .venv/.for-working  ## writes docs/asvs.md: which test or document shows which requirement of OWASP ASVS
	@$(BIN)/python -m tests.asvs

.PHONY: format
format: .venv/.for-working  ## puts the code into its form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Sentences that are gone are dropped, and a new one is never guessed from another one: what is not translated is seen.
.PHONY: messages
messages: .venv/.for-working  ## gathers the sentences into app/locale and compiles what was translated
	@set -e; template=$$(mktemp); trap 'rm -f $$template' EXIT; \
	$(BIN)/pybabel -q extract --mapping-file=babel.cfg --keywords="_ lazy ngettext:1,2 lazy_pgettext:1c,2" --add-comments=L10N: --no-location --sort-output --no-wrap \
		--output-file=$$template .; \
	for language in $(LANGUAGES); do \
		$(BIN)/pybabel -q update --input-file=$$template --output-dir=app/locale --locale=$$language --no-fuzzy-matching \
			--ignore-obsolete --no-wrap --ignore-pot-creation-date; \
	done; \
	$(BIN)/pybabel -q compile --directory=app/locale

.PHONY: screenshots
screenshots: .venv/.for-working  ## pictures of every page in screens/index.html: make screenshots ARGS="door series", ARGS=grey, ARGS=readme
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)
