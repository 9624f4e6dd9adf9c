# Everything a person needs. A machine with python3 (3.11 or newer), make and git is enough.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help demo test check format lock soak drill bench clean

help:
	@echo "make demo    a whole night on a sandbox, under 3 minutes"
	@echo "make test    the tests"
	@echo "make check   format, lint, types, import rules"
	@echo "make format  put the code in shape"
	@echo "make bench   the measurements of benchmarks/"
	@echo "make soak    the long suites; their results are kept in docs/soak.md"
	@echo "make drill   faults, one by one, in the middle of small nights; the table is docs/drill.md"
	@echo "make lock    resolve the dependencies anew into lock/"

# The stamps: set up once, again when a lock file changes. --require-hashes: what is
# installed is what was locked. --no-build-isolation: what builds is locked too.
$(VENV)/ready-dev: lock/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) (a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --require-hashes -r lock/dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(VENV)/ready-run $@

$(VENV)/ready-run: lock/run.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) (half a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --require-hashes -r lock/run.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/ready-run
	@$(BIN)/desgw-daemon demo

# What is compiled beforehand is not compiled by each of the thousands of processes that the tests start, also where
# PYTHONDONTWRITEBYTECODE is set; and none of them writes it while strace counts what it writes.
test: $(VENV)/ready-dev
	@$(BIN)/python -m compileall -q desgw_daemon migrations tests
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

soak: $(VENV)/ready-dev
	@$(BIN)/python -m compileall -q desgw_daemon migrations tests
	@DESGW_SOAK=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m soak

drill: $(VENV)/ready-dev
	@$(BIN)/python -m tests.drill

bench: $(VENV)/ready-dev
	@for name in look coldlook tick scale lookup refresh status; do \
	  printf '\n== %s\n' "$$name"; $(BIN)/python -m "benchmarks.$$name" || exit 1; \
	done

check: $(VENV)/ready-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/ready-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(VENV)/ready-dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header pyproject.toml lock/build.in -o lock/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --extra dev pyproject.toml -o lock/dev.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
