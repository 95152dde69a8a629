# Every command here sets up what it needs. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := stream,edge,api,stack,dev
STAMP := $(VENV)/.installed

# compiled tests are kept, whatever the caller's environment says: compiling them is a third of the quick tests' time
export PYTHONDONTWRITEBYTECODE :=

# what a user may say: make demo SOURCE=clip.mp4 KEEP=1
SOURCE ?=
KEEP ?=
ARGS ?=

.PHONY: help setup doctor fetch demo down test test-unit test-connected test-chaos lint constraints format bench bench-rules bench-city bench-worker bench-alerts bench-stream clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 13) else f"Python 3.11 or 3.12 is needed, this is {sys.version.split()[0]}: make PYTHON=python3.11 ...")'
	@echo "Setting up $(VENV) (first time: about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $@

setup: $(STAMP) ## the virtual environment with every package that is needed here

doctor: $(STAMP) ## what this machine lacks, and the command that mends it
	@$(BIN)/alpr doctor

fetch: $(STAMP) ## download and build servers and models now, instead of at first use
	@$(BIN)/alpr stack fetch
	@$(BIN)/python -m edge_agent models fetch

demo: $(STAMP) ## camera to alert on real services (KEEP=1 leaves it running, SOURCE=FILE|RTSP-URL takes your own)
	@$(BIN)/alpr demo $(if $(SOURCE),--source '$(SOURCE)') $(if $(KEEP),--keep)

down: $(STAMP) ## stop what `make demo KEEP=1` left running
	@$(BIN)/alpr demo --down

test: $(STAMP) fetch ## all tests: unit, models on real plates, and on real servers that it starts and stops
	@$(BIN)/python -m pytest tests/unit -q -n auto
	@$(BIN)/python -m pytest tests/accuracy tests/connected -v || { \
		code=$$?; \
		test $$code -eq 1 || exit $$code; \
		echo "Some tests failed (above). On servers that are shared and busy one may be unlucky: those run once more."; \
		$(BIN)/python -m pytest tests/accuracy tests/connected -v --last-failed --last-failed-no-failures none; }

test-unit: $(STAMP) ## the quick tests: no server, seconds
	@$(BIN)/python -m pytest tests/unit -q -n auto --dist loadfile -p no:schemathesis -m 'not thorough'

test-connected: $(STAMP) fetch ## the tests on real servers
	@$(BIN)/python -m pytest tests/connected

test-chaos: $(STAMP) fetch ## workers, broker, registry, stores and disks fail under load: nothing may be lost or doubled
	@ALPR_TEST_SERVICES=kafka,schema-registry,timescaledb,opensearch $(BIN)/python -m pytest tests/chaos -v --timeout 420

lint: $(STAMP) ## ruff, mypy --strict and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

constraints: ## renew constraints.txt from what setup.cfg allows today
	@rm -rf build/fresh && $(PYTHON) -m venv build/fresh
	@build/fresh/bin/pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@{ head -n 2 constraints.txt; build/fresh/bin/pip freeze --exclude-editable; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt && rm -rf build/fresh

format: $(STAMP) ## let ruff write the layout
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP) ## size of a detection on the wire, and CPU of a detection in the codec and the core agents
	@$(BIN)/python -m bench.wire_size
	@$(BIN)/python -m bench.core --quick

bench-rules: $(STAMP) ## a thousand rules, three in ten stateful, and a watchlist of a million: sightings a CPU second
	@$(BIN)/python -m bench.rules $(ARGS)

bench-city: $(STAMP) ## precision and recall of watchlist, clones and convoys in a made-up city (ARGS="--seeds 2,3,4")
	@$(BIN)/python -m bench.city $(ARGS)

bench-worker: $(STAMP) ## the whole worker on real servers: raw detections/s, CPU, memory (ARGS="--records 2000000 --memory")
	@$(BIN)/alpr stack fetch --only kafka,schema-registry
	@$(BIN)/python -m bench.worker $(ARGS)

bench-alerts: $(STAMP) ## from a sighting to the mailbox while everything runs: 500 sightings/s, 2 alerts/s, 5 minutes
	@$(BIN)/alpr stack fetch
	@$(BIN)/python -m bench.alert_latency $(ARGS)

bench-stream: $(STAMP) ## one job on this transport, plain Faust, Quix Streams and Kafka Streams (40 minutes; ARGS=--quick: 3)
	@$(BIN)/python -m bench.stream $(ARGS)

clean: ## remove what was built in the checkout (caches and data outside stay)
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
