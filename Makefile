# `make run` sets everything up and runs the study's six main rows; `make table` every row of docs/strategies.md;
# `make test` sets everything up and runs the tests; `make torture` kills, feeds rubbish and fills disks (docs/reliability.md);
# `make benchmark` measures each stage beside its peer, `make gpu` the same on a GPU, `make growth` how it grows (docs/performance.md).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export MLFLOW_DISABLE_TELEMETRY = true
export DO_NOT_TRACK = true

.PHONY: run table test torture torture-short benchmark growth gpu gpu-carry lint install release-models clean

run: install
	$(BIN)/kedro run

table: install
	$(BIN)/kedro run --params only=all

# The tests of a file share what is costly to make, and stay in one process; others run beside them.
PROCESSES ?= 2
test: install
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

# Each ends with the line `N passed, N failed`.
torture: $(VENV)/.fuzzer
	$(BIN)/python -m tests.torture

torture-short: $(VENV)/.fuzzer
	$(BIN)/python -m tests.torture --short

$(VENV)/.fuzzer: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[torture]'
	@touch $@

# Each stage beside its peer; the peers whose packages do not go with ours get environments of their own.
PEERS := clip_retrieval autofaiss
benchmark: $(VENV)/.benchmarks $(PEERS:%=.peers/%/.installed)
	$(BIN)/python -m benchmarks

# Seconds, memory and disk against the size of the pool, the number of classes and of added images; draws the picture.
growth: install
	$(BIN)/python -m benchmarks.growth

$(VENV)/.benchmarks: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[benchmarks]'
	@touch $@

.peers/%/.installed: benchmarks/peers/%.txt
	$(PYTHON) -m venv .peers/$*
	@echo "Installing the peer $* into .peers/$*"
	@.peers/$*/bin/python -m pip install --disable-pip-version-check -q -r $<
	@touch $@

# The GPU's column of docs/performance.md, in under 9 minutes.
gpu: install
	$(BIN)/python -m benchmarks.gpu

# Wheels (12 MB) for a GPU machine without a package registry: Linux x86-64, CARRY_PYTHON; docs/performance.md has the use.
CARRY_PYTHON ?= 3.12
gpu-carry:
	rm -rf carry && mkdir carry
	$(PYTHON) -m pip download --disable-pip-version-check -q --no-deps --only-binary=:all: \
	  --implementation cp --python-version $(CARRY_PYTHON) $(patsubst %,--platform manylinux_2_%_x86_64,17 27 28) \
	  --platform manylinux2014_x86_64 -c constraints.txt -d carry -r benchmarks/gpu_carry.txt
	du -sh carry

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: $(VENV)/.installed

# Downloading torch takes minutes in which pip says nothing to a pipe: a line now and then shows that it lives.
$(VENV)/.installed: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Error: $$($(PYTHON) --version) is too old, Python 3.11 or newer is needed: make PYTHON=python3.12 run" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned set into $(VENV) (about 8 GB, some minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]' & installer=$$!; \
	  seconds=0; while kill -0 $$installer 2>/dev/null; do sleep 1; seconds=$$((seconds + 1)); \
	  if [ $$((seconds % 9)) -eq 0 ]; then echo "  installing, $$seconds s so far"; fi; done; wait $$installer
	@$(BIN)/python -m compileall -q src # as pip does for what it copies: else each process of the first run would
	@touch $@

# Put models that `kedro run --pipeline=pretrain` trained in the place of those that come with the repository.
release-models:
	rm -rf data/06_models/pretrained/clip data/06_models/pretrained/diffusion
	cp -r data/06_models/trained_again/clip data/06_models/trained_again/diffusion data/06_models/pretrained/
	cp data/06_models/trained_again/judge.safetensors data/06_models/pretrained/
	cd data/06_models/pretrained && find clip diffusion judge.safetensors -type f | sort | xargs sha256sum > SHA256SUMS

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache
