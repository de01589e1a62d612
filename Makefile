# `make demo` needs nothing but a Debian or Raspberry Pi OS with Python 3.11 or newer. `make help` lists the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
# Empty: the first Python that is 3.11 or newer.
PYTHON ?=
PYTHONS ?= 3.11 3.12 3.13
# Scenarios mostly wait for the simulated site, so more of them run than there are cores.
SCENARIO_WORKERS ?= 10
WORKERS ?= 3
PYTEST_ARGS ?=
ARGS ?=
# How much of the attack: 1 takes hours.
SHARE ?= 1

BIN := $(VENV)/bin
EDITABLE := tools/pip.sh $(BIN)/python install -q --no-deps --no-build-isolation --editable .
PURE := derctl/core derctl/functions derctl/sunspec

# numpy's worker threads would only fight over the cores with the tests' own processes.
export OPENBLAS_NUM_THREADS := 1

.PHONY: help demo test test-all soak stops check bench lock clean system

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/.demo-installed  ## the simulated site, the daemon and a live view (ARGS="--for 60")
	@$(BIN)/derctl demo $(ARGS)

# Both halves always run. The gate: every line and branch of the pure packages, without the daemon's processes.
test: system $(VENV)/.dev-installed  ## all tests; 100 % branch coverage of core, functions and sunspec
	@status=0; \
	$(BIN)/python -m pytest -m scenario -n $(SCENARIO_WORKERS) --dist worksteal $(PYTEST_ARGS) || status=$$?; \
	COVERAGE_FILE=$(VENV)/.coverage $(BIN)/python -m pytest -m "not scenario" -n $(WORKERS) --dist worksteal \
		$(PURE:%=--cov=%) --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100 \
		$(PYTEST_ARGS) || status=$$?; \
	exit $$status

test-all:  ## the tests on each Python of PYTHONS that this machine has
	@status=0; tested=; \
	for version in $(PYTHONS); do \
		if python=$$(tools/find-python.sh $$version); then \
			echo "== Python $$version: $$python"; tested=yes; \
			$(MAKE) --no-print-directory test VENV=.venv-$$version PYTHON=$$python || status=1; \
		else \
			echo "== Python $$version: NOT TESTED, there is none on this machine"; \
		fi; \
	done; \
	test -n "$$tested" && exit $$status

# One part after another, so that they don't take each other's time: each tick is counted.
soak: system $(VENV)/.dev-installed  ## the whole attack, for hours (SHARE=0.1: a tenth of it), the stops on each Python
	@status=0; $(BIN)/python -m pytest -m soak --soak $(SHARE) $(PYTEST_ARGS) || status=1; \
	for version in $(PYTHONS); do \
		if $(BIN)/python -c "import sys; sys.exit(sys.version_info[:2] != tuple(map(int, '$$version'.split('.'))))"; then \
			continue; \
		elif python=$$(tools/find-python.sh $$version); then \
			echo "== Python $$version: $$python"; \
			$(MAKE) --no-print-directory stops VENV=.venv-$$version PYTHON=$$python || status=1; \
		else \
			echo "== Python $$version: NOT TESTED, there is none on this machine"; \
		fi; \
	done; \
	exit $$status

stops: system $(VENV)/.dev-installed  ## of the attack, the 204 stops
	@$(BIN)/python -m pytest -m soak --soak $(SHARE) $(PYTEST_ARGS) tests/loopback/daemon/test_end.py

check: $(VENV)/.dev-installed  ## format, lint, types, import contracts
	@status=0; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/mypy --strict -p derctl -p hil -p bench -p tests || status=1; \
	$(BIN)/lint-imports || status=1; \
	exit $$status

bench: $(VENV)/.dev-installed  ## measurements that print ratios
	@$(BIN)/python -m bench $(ARGS)

lock:  ## the lock files anew, with uv (UPGRADE=1: the newest versions)
	@tools/lock.sh

clean:  ## what the other targets made
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Programs that the tests need beside Python's: a broker that is not ours, and the judge of the unit file.
system:
	@tools/apt.sh mosquitto=mosquitto mosquitto_pub=mosquitto-clients systemd-analyze=systemd faketime=faketime

$(VENV)/.demo-installed: requirements-demo.lock pyproject.toml tools/venv.sh tools/pip.sh
	@tools/venv.sh $(VENV) requirements-demo.lock $(PYTHON)
	@$(EDITABLE)
	@touch $@

$(VENV)/.dev-installed: requirements.lock pyproject.toml tools/venv.sh tools/pip.sh
	@tools/venv.sh $(VENV) requirements.lock $(PYTHON)
	@$(EDITABLE)
	@touch $@
