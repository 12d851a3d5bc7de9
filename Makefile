# The two commands a newcomer needs are `make demo` and `make test`. `make help` lists the rest.

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEV    := $(VENV)/.dev-ready

# Tests run in so many processes, each file in one of them, with servers of its own.
PROCESSES ?= 2

# Scripts and styles of the site, as the package serves them.
SITE   := src/lasair_broker/web/site
ASSETS := $(SITE)/static/site/manifest.json
ALADIN := $(VENV)/share/lasair/aladin

# Of it, which is no part of Lasair, the tests have a copy of their own: the other pages are tested without.
TESTED := $(or $(LASAIR_TEST_CACHE),.cache)/aladin-$(shell sed -n 's/^version=//p' scripts/fetch-aladin)/aladin.js

.PHONY: help assets aladin wheel demo test test-all test-again explore lint format lock bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# Setting up is a file, so it is done once and again only when the lock changes.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(READY): requirements.lock pyproject.toml | $(BIN)/python $(ASSETS)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	$(BIN)/lasair compile-kernels
	touch $@

$(DEV): requirements-dev.lock $(READY)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	touch $@

# Icons are taken as templates name them.
$(ASSETS): package.json package-lock.json requirements-node.lock scripts/build-assets scripts/bundle-assets.mjs \
    $(shell find $(SITE)/assets src/lasair_broker/web -name '*.ts' -o -name '*.css' -o -name '*.html') | $(BIN)/python
	scripts/build-assets $(VENV)

assets: $(ASSETS) ## Build scripts and styles of the site (a part of setting up)

aladin: $(BIN)/python ## Fetch Aladin Lite (GPL), which pages use if it is there
	scripts/fetch-aladin $(VENV) $(ALADIN)

$(TESTED): | $(BIN)/python
	scripts/fetch-aladin $(VENV) $(@D)

wheel: $(BIN)/python ## The package, in dist, with nothing of earlier builds
	rm -rf $(SITE)/static/site
	scripts/build-assets $(VENV)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

demo: $(READY) ## A simulated night through the whole broker, and a look at what it found
	$(BIN)/lasair demo

test: $(DEV) $(TESTED) ## Everything but the slow tests (sets up the programs that they start first)
	scripts/install-test-services
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --durations 40 -m "not slow"

test-all: $(DEV) $(TESTED) ## Every test, the slow ones too, with the same generated examples each time
	scripts/install-test-services
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --durations 40 --hypothesis-profile "same examples"

test-again: $(DEV) ## The tests that failed last, one after the other
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none --hypothesis-profile "same examples"

explore: $(DEV) ## Every test that generates its examples, with new ones each time
	scripts/install-test-services
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile -m hypothesis

lint: $(DEV) ## ruff, mypy --strict, and tsc
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	scripts/with-node $(VENV) node_modules/.bin/tsc

format: $(DEV) ## Put the code in the house style
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

bench: $(READY) ## Every benchmark, small; see docs/benchmarks.md for the full ones
	for f in benchmarks/*.py; do echo "== $$f"; $(BIN)/python $$f --quick || exit 1; done

lock: ## Resolve the dependencies anew into the two lock files
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	    --no-header --extra lsst-schemas pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	    --no-header --extra lsst-schemas --extra onnx --extra otel --extra s3 --group dev pyproject.toml -c requirements.lock -o requirements-dev.lock

clean: ## Remove what was built, but no archive
	rm -rf $(VENV) node_modules $(SITE)/static dist .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-data
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
