# Both commands set up what they need in .venv, from nothing but Python, make
# and gcc:  make demo [BACKEND=jax|torch]    make test
PYTHON ?= python3
BACKEND ?= tensorflow
BACKENDS ?= tensorflow jax torch

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet -c constraints.txt
SETUP := setup.cfg pyproject.toml constraints.txt
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test lint benchmark clean

demo: $(VENV)/with-$(BACKEND)
	KERAS_BACKEND=$(BACKEND) $(BIN)/python examples/demo.py

test: $(VENV)/with-all
	for backend in $(BACKENDS); do \
	  echo "== $$backend"; \
	  KERAS_BACKEND=$$backend $(BIN)/python -m pytest -q -n 2 --dist loadscope \
	    --no-loadscope-reorder tests || exit 1; \
	done

lint: $(VENV)/ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

benchmark: $(VENV)/with-all
	for backend in $(BACKENDS); do \
	  KERAS_BACKEND=$$backend $(BIN)/python -m tests.benchmarks.steps || exit 1; \
	done

$(VENV)/with-%: $(SETUP) | $(VENV)/bin/python
	$(INSTALL) -e '.[$*]'
	touch $@

$(VENV)/ruff: constraints.txt | $(VENV)/bin/python
	$(INSTALL) ruff
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) runs build *.egg-info
