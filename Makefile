# Each target works by itself on a fresh machine with git, make and Python 3.11 or newer with venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKSHOP := .venv-workshop
ARGS   ?=
# As in the program itself, where numpy is loaded before a test could say so: several threads only wait for each other.
ONE_BLAS_THREAD := OPENBLAS_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint fuzz interop bench workshop test-workshop bundles cards clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 22

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "missing: $(PYTHON). Debian/Ubuntu: sudo apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V). Name another one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "missing: Python's venv. Debian/Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml | $(BIN)/python
	@echo "installing edge-agent and what it needs into $(VENV) (a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@$(BIN)/python -m compileall -q edge_agent firmware_bridge models
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "installing edge-agent and its test tools into $(VENV) (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@$(BIN)/python -m compileall -q edge_agent firmware_bridge models
	@touch $@ $(VENV)/.runtime

setup: $(VENV)/.test  ## make .venv with everything for running and testing
	@echo "ready: $(BIN)/edge-agent --help"

demo: $(VENV)/.runtime  ## watch a simulated line being judged (ARGS="--fast --parts 300" for a quick one)
	@$(BIN)/edge-agent demo $(ARGS)

test: $(VENV)/.test  ## run all tests, two at a time
	$(ONE_BLAS_THREAD) $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pydoclint --quiet edge_agent firmware_bridge models

check: lint test  ## everything a change must pass: format, ruff, mypy, import contracts, docstrings, tests

fuzz: $(VENV)/.test  ## let fuzzers look for new paths through both ends of the wire and through requests, a minute each
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	PYTHONPATH=. $(BIN)/python tests/fuzz/fuzz_packet.py -max_total_time=60
	PYTHONPATH=. $(BIN)/python tests/fuzz/fuzz_request.py -max_total_time=60
	$(MAKE) -C firmware_bridge/firmware fuzz fuzz-host

interop: $(VENV)/.test  ## try the uplink with a broker and a console of other makes (needs Node.js, npm and mosquitto)
	@npm --prefix tests/interop install --no-package-lock --no-audit --no-fund --silent
	$(BIN)/python -m pytest tests/interop/peers.py $(ARGS)

bench: $(VENV)/.runtime  ## measure latency, overhead and memory on this machine
	@$(BIN)/edge-agent bench $(ARGS)

$(WORKSHOP)/.made: models/workshop/requirements.txt
	@test -x $(WORKSHOP)/bin/python || $(PYTHON) -m venv $(WORKSHOP)
	@echo "installing PyTorch and what else makes bundles into $(WORKSHOP) (some minutes the first time)"
	@$(WORKSHOP)/bin/python -m pip install --quiet --disable-pip-version-check --requirement models/workshop/requirements.txt
	@touch $@

workshop: $(WORKSHOP)/.made  ## make .venv-workshop, where bundles are made
	@echo "ready: $(WORKSHOP)/bin/python -m models.workshop.learn --help"

test-workshop: $(WORKSHOP)/.made  ## run the tests that need PyTorch
	@$(WORKSHOP)/bin/python -m pip install --quiet --disable-pip-version-check pytest pytest-randomly pytest-timeout hypothesis
	$(WORKSHOP)/bin/python -m pytest --timeout 600 --timeout-method thread tests/workshop $(ARGS)

bundles: $(WORKSHOP)/.made  ## rebuild models/bundles from nothing (XSDD=folder CWRU=folder for steel)
	$(WORKSHOP)/bin/python -m models.workshop.generic --out models/bundles/generic
	$(WORKSHOP)/bin/python -m models.workshop.learn castings --out models/bundles/castings
	@if [ -n "$(XSDD)" ] && [ -n "$(CWRU)" ]; then \
	  $(WORKSHOP)/bin/python -m models.workshop.learn steel --pictures "$(XSDD)" --recordings "$(CWRU)" --out models/bundles/steel; \
	else echo "models/bundles/steel is left as it is: it needs make bundles XSDD=folder CWRU=folder (docs/workshop.md)"; fi

cards: $(WORKSHOP)/.made  ## measure the shipped bundles and write the figures into their cards (XSDD=folder CWRU=folder for steel)
	for bundle in generic castings steel; do $(WORKSHOP)/bin/python -m models.workshop.speed models/bundles/$$bundle --card; done
	for bundle in generic castings; do $(WORKSHOP)/bin/python -m models.workshop.measure models/bundles/$$bundle --card; done
	$(WORKSHOP)/bin/python -m models.workshop.ablation castings --card models/bundles/castings
	@if [ -n "$(XSDD)" ] && [ -n "$(CWRU)" ]; then \
	  $(WORKSHOP)/bin/python -m models.workshop.heldout models/bundles/steel steel --pictures "$(XSDD)" --recordings "$(CWRU)" --card && \
	  $(WORKSHOP)/bin/python -m models.workshop.ablation steel --pictures "$(XSDD)" --recordings "$(CWRU)" --card models/bundles/steel; \
	else echo "the card of models/bundles/steel is left as it is: it needs make cards XSDD=folder CWRU=folder (docs/workshop.md)"; fi

clean:  ## remove what the other targets made
	rm -rf $(VENV) $(WORKSHOP) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
