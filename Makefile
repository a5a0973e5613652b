# Two commands for a stranger: `make demo` runs the main job, `make test` passes the tests.
# Both make .venv in the checkout first; constraints.txt pins every version.
PYTHON ?= python3.11
BIN := .venv/bin
ARGS ?=

.PHONY: setup demo test lint types layers unit contract integration cluster-test cluster-stories cluster release constraints clean

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[all,dev]'
	touch $@

demo: setup
	@sh scripts/prometheus
	$(BIN)/barista demo $(ARGS)

test: setup lint types layers unit contract integration cluster-test

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
types: setup
	$(BIN)/mypy
layers: setup
	$(BIN)/lint-imports
unit: setup
	$(BIN)/pytest tests/unit
contract: setup
	$(BIN)/pytest tests/contract
integration: setup
	@sh scripts/prometheus
	$(BIN)/pytest tests/integration
cluster-test: setup
	@sh scripts/prometheus
	$(BIN)/pytest $(addprefix tests/cluster/test_cluster_,itself.py parts.py ends.py admission.py actuation.py)

# The long stories: TorchServe ahead of a ramp, faults, plug-ins over HTTP, every right witnessed.
cluster-stories: setup
	@sh scripts/prometheus
	$(BIN)/pytest tests/cluster

# A real Kubernetes and Knative on this machine, until interrupted (see tests/cluster/README.md).
cluster: setup
	@sh scripts/prometheus
	$(BIN)/python -m tests.cluster.run

# One file to install from: build/release.yaml.
release:
	@sh scripts/release $(ARGS)

# Pins anew: versions only, no download addresses.
constraints: setup
	$(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --all-extras --no-emit-index-url \
	  --no-emit-find-links --no-annotate --no-header pyproject.toml -o constraints.txt
	$(BIN)/uv pip freeze | grep '^uv==' >> constraints.txt

clean:
	rm -rf .venv demo-output
