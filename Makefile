# Everything a contributor runs. Nothing has to be installed by hand: the first target that needs it makes `.venv`.

CONFIG ?= configs/digits.yaml
VENV   := .venv
BIN    := $(VENV)/bin
# Interpreters that have some of PyTorch, JAX, Keras, TensorFlow and scikit-learn, for `make bench`.
PEERS  ?=
# The first interpreter that is new enough; `make PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$candidate; break; }; done)
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench schema readme clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.installed  ## make .venv, install trainer and train a network on handwritten digits
	$(BIN)/trainer fit $(CONFIG)

test: lint  ## lint, then run all tests
	$(BIN)/python -m pytest -n auto --dist worksteal --quiet

lint: $(VENV)/.installed-dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev  ## rewrite the source in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev  ## measure beside the frameworks that PEERS="PYTHON …" have, and write docs/performance.md
	$(BIN)/python benchmarks/bench.py --page $(foreach python,$(PEERS),--peers $(python))

schema: $(VENV)/.installed  ## write the JSON Schema of configs, for editors
	$(BIN)/trainer schema > docs/config.schema.json

readme: $(VENV)/.installed  ## run the commands shown in README.md and put their output there
	$(BIN)/python docs/make_output.py

clean:  ## remove everything that the other targets made
	rm -rf $(VENV) runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: an installation is repeated only when its definition changed. The package itself is installed in place, so
# that an edit takes effect at once.
$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "trainer needs Python 3.11 or newer; none was found." \
		"Install one, or say where it is: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "trainer needs Python 3.11 or newer;" \
		"$(PYTHON) is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV) || { echo "could not make $(VENV)." \
		"On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml
	$(PIP) install --editable .
	@$(BIN)/python -m compileall -q trainer_cli
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml
	$(PIP) install --editable '.[dev]'
	@$(BIN)/python -m compileall -q trainer_cli
	@touch $@ $(VENV)/.installed
