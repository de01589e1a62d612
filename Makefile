# `make demo` needs nothing but a Debian or Raspberry Pi OS with Python 3.11 or newer. `make help` lists the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
JUDGES ?= .venv-witness
# Empty: the first Python that is 3.11 or newer.
PYTHON ?=
PYTHONS ?= 3.11 3.12 3.13
# Scenarios mostly wait for the simulated site, so more of them run than there are cores.
SCENARIO_WORKERS ?= 18
# Where they are: each worker reads every test that it is given, before the first one runs.
SCENARIO_TESTS := tests/bench tests/scenario tests/soak
# And those of the others that are judged in quiet: a serial line that is full, too.
QUIET_TESTS := tests/loopback/daemon
WORKERS ?= 3
WAITING_WORKERS ?= 5
PYTEST_ARGS ?=
ARCHS ?= amd64 arm64
ARGS ?=
# How much of the attack, and how many parts at once: they mostly wait for the simulated site.
SHARE ?= 1
SOAK_WORKERS ?= 4
STARTS := $(shell awk 'BEGIN { n = int(1000 * $(SHARE) + 0.5); print (n < 50 ? 50 : n) }')
HOUSES := $(shell awk 'BEGIN { n = int(20 * $(SHARE) + 0.5); print (n < 2 ? 2 : n) }')

BIN := $(VENV)/bin
EDITABLE := tools/pip.sh $(BIN)/python install -q --no-deps --no-build-isolation --editable .
PURE := derctl/core derctl/functions derctl/sunspec
PURE_TESTS := $(PURE:derctl/%=tests/unit/%)
# Each half has its own memory of what failed.
SCENARIOS = $(BIN)/python -m pytest --dist worksteal -o cache_dir=.pytest_cache/scenarios
OTHERS = $(BIN)/python -m pytest -m "not scenario and not quiet" --dist worksteal -o cache_dir=.pytest_cache/others
WAITING = $(PURE_TESTS:%=--ignore=%) tests $(PYTEST_ARGS)

# numpy's worker threads would only fight over the cores with the tests' own processes.
export OPENBLAS_NUM_THREADS := 1
# Each scenario starts programs of ours: they need not be compiled each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-crowd test-quiet test-others test-all soak hunting houses stops check advisories bench witness lock clean system deb deb-test man

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/.demo-installed  ## the simulated site, the daemon and a live view (ARGS="--for 60")
	@$(BIN)/derctl demo $(ARGS)

# Side by side: scenarios run on a real clock and mostly wait, the others use what they leave. All parts always run.
test: system $(VENV)/.dev-installed  ## all tests; 100 % branch coverage of core, functions and sunspec
	@status=0; $(MAKE) --no-print-directory -k -j 2 test-crowd test-others || status=$$?; \
	$(MAKE) --no-print-directory test-quiet || status=$$?; exit $$status

# What fails here, or among the others that wait for sockets and processes, is judged once more behind it all, and that
# counts. 1: some failed.
test-crowd:
	@$(SCENARIOS) -m "scenario and not quiet" -n $(SCENARIO_WORKERS) $(SCENARIO_TESTS) $(PYTEST_ARGS); \
	code=$$?; echo $$code > $(VENV)/crowd.status; test $$code -le 1

# With nothing beside them: those whose tick or serial line bears no crowd, and what failed in it.
test-quiet:
	@status=0; $(SCENARIOS) -m quiet -n 2 $(SCENARIO_TESTS) $(QUIET_TESTS) $(PYTEST_ARGS) || status=$$?; \
	test "$$(cat $(VENV)/crowd.status)" != 1 || $(SCENARIOS) -m "scenario and not quiet" -n 2 \
		--last-failed --last-failed-no-failures none $(SCENARIO_TESTS) $(PYTEST_ARGS) || status=$$?; \
	test "$$(cat $(VENV)/waiting.status)" != 1 || $(OTHERS) -n 2 \
		--last-failed --last-failed-no-failures none $(WAITING) || status=$$?; \
	exit $$status

# The gate: every line and branch of the pure packages, by the tests of their own rooms, without the daemon's processes.
# Long simulations (no_cover) judge behaviour and don't count for it: traced, they take three times as long.
test-others:
	@status=0; log=$(VENV)/others.log; echo "the other tests run beside these: $$log"; \
	{ COVERAGE_FILE=$(VENV)/.coverage nice $(OTHERS) -n $(WORKERS) $(PURE:%=--cov=%) --cov-branch --cov-report=term-missing:skip-covered \
		--cov-fail-under=100 $(PURE_TESTS) $(PYTEST_ARGS) || status=$$?; \
	nice $(OTHERS) -n $(WAITING_WORKERS) $(WAITING); code=$$?; echo $$code > $(VENV)/waiting.status; \
	test $$code -le 1 || status=$$code; } > $$log 2>&1; \
	cat $$log; exit $$status

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

# Each part from its own seed (--soak-seed), so that it can be repeated alone. Each tick is counted: nothing else should run.
soak: system $(VENV)/.dev-installed  ## the whole attack: fifty minutes on two cores (SHARE=0.1: some minutes), the stops on each Python
	@status=0; $(BIN)/python -m pytest -m soak --soak $(SHARE) -n $(SOAK_WORKERS) --dist worksteal $(PYTEST_ARGS) || status=1; \
	$(BIN)/python -m pytest -m "not soak and not scenario" --soak $(SHARE) -n $(SOAK_WORKERS) --dist worksteal \
		$(PURE_TESTS) tests/properties || status=1; \
	$(BIN)/python -m tests.houses --houses $(HOUSES) --starts $(STARTS) || status=1; \
	$(BIN)/python -m tests.hunting || status=1; \
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
	@$(BIN)/python -m pytest -m soak --soak $(SHARE) -n $(SOAK_WORKERS) --dist worksteal $(PYTEST_ARGS) tests/loopback/daemon/test_end.py

check: $(VENV)/.dev-installed  ## format, lint, types, import contracts
	@status=0; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/mypy --strict -p derctl -p hil -p bench -p witness -p tests || status=1; \
	$(BIN)/lint-imports || status=1; \
	exit $$status

# Needs the network: exit code 69 and NOT CHECKED where the source can't be reached, never a silent pass.
advisories: $(VENV)/.dev-installed  ## known vulnerabilities of the locked versions, by the OSV database (OSV_URL=…: a mirror)
	@$(BIN)/python -m tools.advisories requirements-run.lock requirements.lock

bench: $(VENV)/.dev-installed  ## measurements that print ratios
	@$(BIN)/python -m bench $(ARGS)

# In an environment of its own: most of it needs Python 3.12 or newer, and nothing of it is derctl's.
witness: $(VENV)/.dev-installed  ## software that others wrote judges derctl and the bench
	@tools/apt.sh mbpoll=mbpoll openssl=openssl mosquitto=mosquitto mosquitto_pub=mosquitto-clients \
		nats-server=nats-server ejabberdctl=ejabberd /usr/lib/rabbitmq/bin/rabbitmq-server=rabbitmq-server
	@judges=; \
	if python=$$(tools/find-python.sh 3.12); then \
		tools/venv.sh $(JUDGES)-home witness/home_assistant.lock $$python && home="--home-assistant $(JUDGES)-home/bin/python" || exit 1; \
	fi; \
	if python=$$(tools/find-python.sh 3.12 || tools/find-python.sh 3.13 || tools/find-python.sh 3.14); then \
		tools/venv.sh $(JUDGES) witness/requirements.lock $$python && judges="--judges $(JUDGES)/bin/python" || exit 1; \
	fi; \
	$(BIN)/python -m witness $$judges $$home $(ARGS)

hunting: $(VENV)/.dev-installed  ## voltage loops that hunt on a weak grid, and calm houses that are left alone
	@$(BIN)/python -m tests.hunting $(ARGS)

houses: $(VENV)/.dev-installed  ## hours of seeded houses with meters that lie (ARGS="--houses 50")
	@$(BIN)/python -m tests.houses $(ARGS)

man: $(VENV)/.dev-installed  ## the man pages, from the parsers, below build/man
	@$(BIN)/python -m tools.man build/man && echo build/man

deb: $(VENV)/.dev-installed  ## Debian packages for amd64 and arm64 below dist, for the Debian whose python3 is here
	@for arch in $(ARCHS); do tools/deb.sh $(BIN)/python $$arch dist || exit 1; done

deb-test: deb  ## installs, starts, upgrades and purges it on a clean Debian in a container (root; minutes)
	@tools/deb-test.sh $(BIN)/python dist/derctl_*.deb

lock:  ## the lock files anew, with uv (UPGRADE=1: the newest versions)
	@tools/lock.sh

clean:  ## what the other targets made
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Programs that the tests need beside Python's: a broker that is not ours, and the judge of the unit file.
system:
	@tools/apt.sh mosquitto=mosquitto mosquitto_pub=mosquitto-clients systemd-analyze=systemd faketime=faketime openssl=openssl

$(VENV)/.demo-installed: requirements-demo.lock pyproject.toml tools/venv.sh tools/pip.sh
	@tools/venv.sh $(VENV) requirements-demo.lock $(PYTHON)
	@$(EDITABLE)
	@touch $@

$(VENV)/.dev-installed: requirements.lock pyproject.toml tools/venv.sh tools/pip.sh
	@tools/venv.sh $(VENV) requirements.lock $(PYTHON)
	@$(EDITABLE)
	@touch $@
