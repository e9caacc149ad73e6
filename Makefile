# demo: the whole way once, on a real cloud, without root.   test: all tests.   lint: the style.   benchmark: how fast.
# explain: what `stackmend explain` says against the real scheduler, CASES times (make test: 24 times).
# Everything installs what it needs into .venv; slow things are cached below ~/.cache/stackmend.

PYTHON ?= $(firstword $(foreach candidate,python3.12 python3.13 python3.11 python3,$(shell \
  $(candidate) -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && \
  echo $(candidate))))
BIN := .venv/bin
# Each worker has a cloud of its own (700 MB of memory).
WORKERS ?= 2
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-warn-script-location

# Servers that the real scheduler is asked for, and the number that chooses them and their clouds.
CASES ?= 240
SEED ?= 20261121

# Ansible starts some hundred times, and would compile the collection each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test unit explain lint sanity benchmark clean

demo: .venv/installed
	@$(BIN)/python -m stackmend_lab.demo

# loadscope, as tests/integration/conftest.py takes it: one test at a time, and all on systemd hosts for one worker.
test: .venv/installed-test
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadscope tests/unit tests/integration

unit: .venv/installed-test
	@$(BIN)/python -m pytest tests/unit

explain: .venv/installed-test
	@STACKMEND_EXPLAIN_CASES=$(CASES) STACKMEND_EXPLAIN_SEED=$(SEED) $(BIN)/python -m pytest --capture=no \
	  tests/integration/test_explain.py tests/integration/test_scheduler_sources.py

benchmark: .venv/installed
	@$(BIN)/python benchmarks/placement_audit.py
	@$(BIN)/python benchmarks/log_reader.py
	@$(BIN)/python benchmarks/host_checks.py

lint: .venv/installed-lint sanity
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src plugins/module_utils
	ANSIBLE_HOME=$(CURDIR)/.cache/ansible $(BIN)/ansible-lint

sanity: .venv/installed-lint
	$(BIN)/python tools/sanity.py

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed: install it, or make PYTHON=/path/to/python3"; exit 1; }
	@echo "making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	@echo "installing Stackmend and what it needs (a minute the first time)"
	@$(PIP) --editable . 2>&1 | { grep -v 'is ignored: it is neither' || true; }
	@$(BIN)/stackmend --version >/dev/null
	@touch $@

.venv/installed-test: .venv/installed
	@echo "installing what the tests need"
	@$(PIP) --editable '.[test]' 2>&1 | { grep -v 'is ignored: it is neither' || true; }
	@$(BIN)/python -c 'import hypothesis, molecule, oslo_config, pytest, xdist, yaml'
	@touch $@

.venv/installed-lint: .venv/installed-test
	@echo "installing the linters"
	@$(PIP) --editable '.[test,lint]' 2>&1 | { grep -v 'is ignored: it is neither' || true; }
	@touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
