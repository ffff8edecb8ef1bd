# make demo | test | test-slow | gpu-check | mutants | lint | types | bench | results | gpu-results
# | .venv
# Needs Python 3.11 or newer (PYTHON=python3.12 names another) and nothing else.

# A sweep starts many processes, and each would compile torch, ray and mlflow anew (3 s, not 1).
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
ARTIFACT ?= compare/methods
PRESET ?= smoke

.PHONY: demo test test-slow gpu-check mutants lint format types bench results gpu-results lock \
  .venv clean

demo: .venv/.ready
	$(BIN)/python -m sweep reproduce $(ARTIFACT) --preset $(PRESET)

test: .venv/.ready
	$(BIN)/python -m pytest -n auto --dist loadgroup $(PYTEST)

test-slow: .venv/.ready
	$(BIN)/python -m pytest -m slow $(PYTEST)

# Every deliberate fault (make test tries one of each source file): the tests must notice it.
mutants: .venv/.ready
	$(BIN)/python -m pytest -n auto tests/mutants -m 'not slow' $(PYTEST)

# On a machine with a GPU, in ten minutes: what no simulation can say, and what a step costs there.
gpu-check: .venv/.ready
	$(BIN)/python -m sweep doctor
	$(BIN)/python -m pytest -m gpu $(PYTEST)
	$(BIN)/python -m benchmarks.methods --device cuda --models resnet20 --rounds 5
	$(BIN)/python -m benchmarks.measures --device cuda --rounds 5

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: .venv/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: .venv/.ready
	$(BIN)/mypy

bench: .venv/.ready
	$(BIN)/python -m benchmarks

# What is missing of docs/results: nights on two cores, stopped and continued at will (HOURS=8).
results: .venv/.ready
	$(BIN)/python -m benchmarks.reproductions $(if $(HOURS),--hours $(HOURS))

# Six tables at preset small, on a GPU that four trials share (GPUS=1: each its own).
GPUS ?= 0.25
gpu-results: .venv/.ready
	$(BIN)/python -m benchmarks.reproductions --item gpu $(if $(HOURS),--hours $(HOURS)) \
	  -- --gpus $(GPUS)

# The set-up alone. The stamp is written last: an interrupted set-up is done again.
.venv: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "flatsweep needs Python 3.11 or newer; name it: make PYTHON=python3.12")'
	@rm -f .venv/.ready
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch .venv/.ready

# Pin anew what pyproject.toml asks for (names and versions, no addresses).
lock: .venv/.ready
	$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --all-extras \
	  --no-header --no-annotate --upgrade pyproject.toml -o requirements.lock

clean:
	rm -rf .venv
