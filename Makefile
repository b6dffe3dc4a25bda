# Everything starts here. Each target makes what it needs, so one command is enough on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two steps: what the local stack and its demo need, and what working on Penstock needs besides.
READY := $(VENV)/.ready
TOOLS := $(VENV)/.ready-tools
# uv trusts the certificates that this machine trusts, as pip does.
export UV_NATIVE_TLS := 1
ENGINE ?= $(shell command -v podman || command -v docker || echo docker)
REGISTRY ?= registry.example.com
TAG ?= 0.1.0
CODE := conftest.py shared functions templates tests bench

.DEFAULT_GOAL := help

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY)  ## a virtual environment in .venv with the penstock command and what the demo needs

$(READY): requirements-demo.lock shared/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Penstock needs Python 3.11 or newer; try: make setup PYTHON=python3.12" >&2; exit 1; }
	@echo "Penstock and what its demo needs go into $(VENV): 50 packages, 220 MB; once, under a minute on a quick line"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-demo.lock
	@# setuptools warns of every editable install, in eight lines that ask for nothing.
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e shared
	@touch $@

$(TOOLS): $(READY) requirements.lock
	@echo "The tools for tests and checks go into $(VENV) too: about 1 GB; once, a few minutes"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.PHONY: lint
lint: $(TOOLS)  ## style, types, import directions, the Dockerfiles
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.function_imports
	$(BIN)/python -m tests.mutants --lines
	$(BIN)/hadolint templates/python3-penstock/Dockerfile deploy/image/Dockerfile

.PHONY: format
format: $(TOOLS)  ## put every file into shape
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# Tests wait for processes that they start: on a small machine two tests for each core. More of them cost more than they
# save, because each process imports all tests.
TESTERS ?= $(shell $(PYTHON) -c 'import os; n = os.cpu_count() or 1; print(max(n, min(2 * n, 8)))')

# Compiled tests and modules are kept: without them each worker, and each process that a test starts, compiles again.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(TESTERS) --dist worksteal

.PHONY: test
test: $(TOOLS)  ## the tests that need Python only; TESTERS=4 processes
	$(PYTEST) -m 'not crds and not long'

.PHONY: test-long
test-long: $(TOOLS)  ## those of them that take long: whole local stacks, long searches, measured memory
	$(PYTEST) -m long

# Playwright and axe-core, for the tests in a browser only.
$(VENV)/.browser: requirements-browser.lock $(TOOLS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-browser.lock
	@touch $@

.PHONY: browser
browser: $(VENV)/.browser docs  ## the tests of console and site in Chromium: apt-get install chromium, or CHROMIUM=program
	$(BIN)/python -m pytest tests/browser

.PHONY: screenshots
screenshots: $(VENV)/.browser  ## renew docs/console*.png and docs/console/ from a stack that runs
	$(BIN)/python -m tests.browser.screenshots

.PHONY: up
up: $(READY)  ## the whole lake on this machine, until Ctrl+C; EDITION=ce|pro, ARGS='--port 8090'
	$(BIN)/penstock up --edition $(or $(EDITION),ce) $(ARGS)

.PHONY: demo
demo: $(READY)  ## a million rows and some photographs through all three functions; STORE=minio|versity|seaweedfs|s3proxy: on that server
	$(if $(STORE),$(BIN)/python -m tests.e2e.demo_on_store $(STORE),$(BIN)/penstock demo) $(ARGS)

.PHONY: demo-minio
demo-minio: $(TOOLS)  ## the same demo on a real MinIO server, which it installs and starts
	$(BIN)/python -m tests.e2e.demo_on_minio

# Most of this time is waiting too. Each process starts the servers that its files ask for: 3 GB of memory at most.
SERVER_TESTERS ?= 3

.PHONY: integration
integration: $(TOOLS)  ## the suite against real servers, which it installs and starts itself; SERVER_TESTERS=3 processes, PENSTOCK_CRDS: CONTRIBUTING.md
	$(BIN)/python -m pytest -n $(SERVER_TESTERS) --dist loadfile tests/integration -m 'crds or not crds'

.PHONY: cluster
cluster: $(TOOLS)  ## the lake on a real Kubernetes, with Knative and with KEDA, started on this machine and gone afterwards; needs root
	$(BIN)/python -m pytest tests/cluster

.PHONY: keda
keda: $(TOOLS)  ## functions scaled from 0 and back by KEDA's own operator, which it builds
	$(BIN)/python -m pytest tests/keda

.PHONY: chaos
chaos: $(TOOLS)  ## operations and faults on real servers against a model of the truth: SEED=n, LONG=1
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(LONG),--long) $(if $(WITHOUT),--without $(WITHOUT))

.PHONY: fuzz
fuzz: $(TOOLS)  ## inputs that nothing good sends, against all that reads: SECONDS=120, SEED=n, ONLY=images, CASE=n
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),120) $(if $(SEED),--seed $(SEED)) \
	  $(if $(ONLY),--only $(ONLY)) $(if $(CASE),--case $(CASE))

.PHONY: load
load: $(TOOLS)  ## the functions on a real MinIO under load, ten minutes: SECONDS=600, LONG=1 for an hour
	$(BIN)/python -m tests.load --seconds $(or $(SECONDS),$(if $(LONG),3600,600))

.PHONY: simulate
simulate: $(TOOLS)  ## ten thousand schedules of connector, runtime and store, and safeguards taken away: two minutes
	$(BIN)/python -m pytest tests/simulation -n auto --dist worksteal

.PHONY: mutants
mutants: $(TOOLS)  ## break each safety line in a copy of the tree: the tests that guard it must fail
	$(BIN)/python -m tests.mutants

.PHONY: crds
crds: $(TOOLS)  ## manifests against the operators' definitions, in the folder that PENSTOCK_CRDS names
	$(BIN)/python -m pytest tests/functional -m crds

.PHONY: render
render: $(READY)  ## renew the manifests and the drawing that are made from stack.yml
	$(BIN)/penstock render knative
	$(BIN)/penstock render kubernetes
	$(BIN)/penstock render openfaas
	$(BIN)/penstock render openfaas-pro
	$(BIN)/penstock graph --format svg --output docs/flow.svg --force

.PHONY: dist
dist: $(TOOLS)  ## build/dist: the package as sdist and wheel, checked as an index would
	rm -rf build/dist
	$(BIN)/uv build --quiet --out-dir build/dist shared
	$(BIN)/uv tool run --quiet twine check --strict build/dist/*.whl build/dist/*.tar.gz

.PHONY: docs-reference
docs-reference: $(READY)  ## renew docs/commands.md, and the tables of settings, of errors and of metrics, from the code
	$(BIN)/python -m penstock.commands.reference > docs/commands.md
	$(BIN)/python -m tests.settings_pages
	$(BIN)/python -m tests.reference_page

# An environment of its own: the site needs none of the packages of Penstock, and its tools stay out of the tests'.
SITE_TOOLS := build/docs-env
$(SITE_TOOLS)/.ready: requirements-docs.lock
	$(PYTHON) -m venv --clear $(SITE_TOOLS)
	$(SITE_TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.lock
	@touch $@

.PHONY: docs
docs: $(SITE_TOOLS)/.ready  ## the pages as a site in build/site; a link or an anchor that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 $(SITE_TOOLS)/bin/mkdocs build --quiet --strict
	@echo "build/site/index.html is the first page; build/external-links.txt lists the links to other sites"

# JupyterLab, for reading the notebooks only.
$(VENV)/.notebooks: requirements-notebooks.lock $(TOOLS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-notebooks.lock
	@touch $@

.PHONY: notebooks
notebooks: $(VENV)/.notebooks  ## the notebooks in the browser; local.ipynb starts a lake of its own
	$(BIN)/jupyter lab examples/notebooks/local.ipynb

.PHONY: sbom
sbom: $(READY)  ## what each image ships, in CycloneDX: build/sbom/IMAGE.cdx.json, made from the locks
	$(BIN)/python -m tests.sbom

.PHONY: image
image: sbom  ## the image of connectors and bridge: REGISTRY, TAG, ENGINE=podman|docker
	$(ENGINE) build -t $(REGISTRY)/penstock:$(TAG) -f deploy/image/Dockerfile shared

BASE := docker.io/library/python:3.13-slim-trixie
DOCKERFILES := templates/python3-penstock/Dockerfile deploy/image/Dockerfile

.PHONY: base
base:  ## pin the images' base to the digest that its tag has today: ENGINE=podman|docker
	$(ENGINE) pull $(BASE)
	digest=$$($(ENGINE) image inspect --format '{{index .RepoDigests 0}}' $(BASE)) && digest=$${digest##*@} \
	  && expr "$$digest" : 'sha256:[0-9a-f]\{64\}$$' >/dev/null \
	  && sed -i "s|^ARG PYTHON_IMAGE=.*|ARG PYTHON_IMAGE=$(BASE)@$$digest|" $(DOCKERFILES)

.PHONY: digests
digests: $(TOOLS)  ## pin the images of other projects in deploy/ to the digests that their tags have today
	$(BIN)/python -m tests.digests

.PHONY: bench
bench: $(TOOLS)  ## speed as ratios against peers, side by side
	$(BIN)/python -m bench

.PHONY: bench-small
bench-small: $(TOOLS)  ## the same in three minutes: numbers to look at, not to quote
	$(BIN)/python -m bench --small

.PHONY: servers
servers: $(TOOLS)  ## install the real servers into ~/.cache/penstock: Go, Java and Maven needed
	$(BIN)/python -m tests.components install

# One version of each package for every image, and the hash of every file that may be it.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
LOCKS := shared/locks

.PHONY: lock
lock: $(TOOLS)  ## renew requirements.lock and shared/locks from the bounds
	$(COMPILE) --all-extras shared/pyproject.toml requirements-dev.in functions/*/requirements.txt -o requirements.lock
	$(COMPILE) -c requirements.lock requirements-browser.in -o requirements-browser.lock
	$(COMPILE) -c requirements.lock requirements-docs.in -o requirements-docs.lock
	$(COMPILE) -c requirements.lock requirements-notebooks.in -o requirements-notebooks.lock
	$(COMPILE) -c requirements.lock --extra demo shared/pyproject.toml requirements-build.in -o requirements-demo.lock
	$(COMPILE) -c requirements.lock --extra cli shared/pyproject.toml requirements-images.in requirements-build.in \
	  functions/*/requirements.txt functions/*/requirements-test.txt examples/*/requirements.txt -o $(LOCKS)/constraints.txt
	$(COMPILE) -c $(LOCKS)/constraints.txt shared/pyproject.toml -o $(LOCKS)/function.txt
	$(COMPILE) -c $(LOCKS)/constraints.txt --extra cli shared/pyproject.toml -o $(LOCKS)/connectors.txt
	$(COMPILE) -c $(LOCKS)/constraints.txt requirements-build.in -o $(LOCKS)/build.txt

.PHONY: licences
licences: $(TOOLS)  ## renew the table of docs/licences.md from the packages of the locks
	$(BIN)/python -m tests.licences

.PHONY: lowest
lowest: $(TOOLS)  ## the unit tests with the lowest version that each bound allows
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/lowest
	$(BIN)/uv pip install --quiet --python build/lowest/bin/python --resolution lowest-direct \
	  -e 'shared[cli,demo]' -r requirements-dev.in $(addprefix -r ,$(wildcard functions/*/requirements.txt))
	build/lowest/bin/python -m pytest -n auto --dist worksteal tests/unit functions

.PHONY: clean
clean:  ## remove what was made: .venv, build, caches
	rm -rf $(VENV) build .penstock .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
