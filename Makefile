# Two commands on a fresh machine with Python 3.11 and nothing else: `make run` and `make test`.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
DEMO := runs/demo
SETS := 100000
FIRST := 0

.DELETE_ON_ERROR:
.PHONY: help run test fuzz lint bench docs clean

help:
	@echo "make run    simulate a small survey, find its voids with all four methods, write a report"
	@echo "make test   run every check"
	@echo "make fuzz   tessellate 100,000 small adversarial sets, each checked exactly (SETS=1000 FIRST=0)"
	@echo "make lint   ruff, mypy and the import contracts only"
	@echo "make bench  measure time and memory, print JSON"
	@echo "make docs   build the documentation in docs/_build/html"
	@echo "make clean  remove the environment, runs and builds"

run: $(DEMO)/survey.fits
	$(BIN)/armillary voids find $(DEMO)/survey.fits --method all --out $(DEMO)/voids
	@echo "Open the report in a browser:"
	@echo "$(CURDIR)/$(DEMO)/voids/report.html"

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# A set follows from its number: after a failure or an interruption, go on with FIRST.
fuzz: $(VENV)/.installed-dev
	$(BIN)/python -W error -m tests.voids.fuzz --sets $(SETS) --first $(FIRST)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	@$(BIN)/python -m benchmarks.run

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/make_pictures.py docs/pictures
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo "$(CURDIR)/docs/_build/html/index.html"

clean:
	rm -rf $(VENV) runs docs/_build docs/pictures build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A simulated survey is never overwritten, so it is made once; `make clean` takes it away.
$(DEMO)/survey.fits: | $(VENV)/.installed
	@mkdir -p $(DEMO)
	$(BIN)/armillary mock survey --out $@ --galaxies 20000 --seed 1

# Both are redone when the package's requirements or their pins change.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Armillary in $(VENV); the first time this takes some minutes." >&2
	@$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what the checks and the documentation need." >&2
	@$(PIP_INSTALL) --editable ".[dev,docs,ray]"
	@touch $@

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Armillary needs Python 3.11 or newer, and none is on the PATH;" \
		"install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Armillary needs Python 3.11 or newer," \
		"but $(PYTHON) is $$($(PYTHON) --version 2>&1); name another: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment;" \
		"on Debian and Ubuntu install the package python3-venv first" >&2; rm -rf $(VENV); exit 1; }
