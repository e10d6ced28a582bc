# Two commands do everything on a machine that has only Python: `make demo` and `make test`.
# Both make their own virtual environment in .venv first. `make help` lists the rest.

# The first interpreter that really runs; 3.11 first, since all pinned wheels exist for it.
PYTHON ?= $(shell for python in python3.11 python3.10 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$python && break; \
	done)
# More options for pip, such as --index-url or --find-links.
PIP_ARGS ?=
# Options of the commands, such as DEMO_ARGS="--no-train".
DEMO_ARGS ?=
PYTEST_ARGS ?=
# The files of tests over the cores.
SPREAD := -n auto --dist loadfile
# A test that hangs says where, and ends the run.
HANGS := -o faulthandler_timeout=900 -o faulthandler_exit_on_timeout=true

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The networks are small: more threads than one slow them down.
export OMP_NUM_THREADS ?= 1

# What the version matrices run: every layer, some minutes; SMOKE=tests runs all.
SMOKE ?= tests/core tests/wrappers tests/agents/test_estep.py tests/agents/test_mstep.py tests/agents/test_buffers.py \
	tests/agents/test_training.py tests/agents/test_resume.py tests/conformance/evaluate tests/conformance/statistics \
	tests/conformance/loading tests/conformance/export tests/conformance/cli/test_comfort.py
TEST_TOOLS := "pytest>=8" "hypothesis>=6.100"
# pybullet, of the extra bullet, has no wheel beyond Python 3.11.
NEWEST_EXTRAS ?= contrib,report,tensorboard,onnx,sign,skills,mujoco
OLDEST_EXTRAS ?= bullet,contrib,report,tensorboard,onnx,sign,skills

.PHONY: demo test alone lint types imports tests coverage doctests example package picture setup clean help
.PHONY: docs test-wheel test-oldest test-newest

demo: $(READY) ## Attack the packaged policies on Ball-Circle, train a safer one, write a report
	$(BIN)/safer-gym demo $(DEMO_ARGS)

test: ## All checks, as in CI
	$(MAKE) -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync) alone
	$(MAKE) tests
	@echo "All checks passed."

# Each of these takes one core, so two run side by side; the tests take all.
alone: lint types docs package example doctests imports

lint: $(READY) ## Style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## Static types
	$(BIN)/mypy

imports: $(READY) ## Which part may import which
	$(BIN)/lint-imports

tests: $(READY) ## Tests
	$(BIN)/pytest $(SPREAD) --ignore=tests/packaging $(HANGS) $(PYTEST_ARGS)

coverage: $(READY) ## Tests, and which lines none of them runs
	$(BIN)/pytest $(SPREAD) --cov --cov-report=term:skip-covered --ignore=tests/packaging $(HANGS) $(PYTEST_ARGS)

doctests: $(READY) ## The examples in docstrings
	$(BIN)/pytest --doctest-modules safer_gym -q

example: $(READY) ## The examples, at a few hundred steps
	for example in attack_sb3 baselines drac_double_integrator learn_and_attack skill_priors; do \
		echo "$$example"; \
		$(BIN)/python "examples/$$example.py" --timesteps 600 --episodes 1 || exit 1; \
	done
	$(BIN)/python examples/check_certificate.py benchmarks/results/certificates/*.json

package: $(READY) ## Build wheel and sdist, install the wheel elsewhere, import every module
	$(BIN)/pytest tests/packaging -q

docs: $(READY) ## The documentation site into docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

test-wheel: ## The built wheel without extras in a fresh environment, as a new user meets it
	rm -rf .venv-wheel build/wheel && $(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet --upgrade "pip>=25" build $(PIP_ARGS)
	.venv-wheel/bin/python -m build --wheel --outdir build/wheel
	.venv-wheel/bin/python -m pip install --quiet build/wheel/*.whl $(PIP_ARGS)
	cd build/wheel && ../../.venv-wheel/bin/python ../../.ci/try_wheel.py

test-oldest: ## The smoke tests with the oldest versions that are allowed (Python 3.10)
	rm -rf .venv-oldest && $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet "uv>=0.5" $(PIP_ARGS)
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest --resolution lowest-direct \
		--editable ".[$(OLDEST_EXTRAS)]" $(TEST_TOOLS) $(PIP_ARGS)
	.venv-oldest/bin/python -m pytest -q -W ignore::DeprecationWarning $(SMOKE) $(PYTEST_ARGS)

test-newest: ## The smoke tests with the newest versions that are allowed
	rm -rf .venv-newest && $(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet "pip>=25" "setuptools>=77" $(PIP_ARGS)
	.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable ".[$(NEWEST_EXTRAS)]" $(TEST_TOOLS) $(PIP_ARGS)
	.venv-newest/bin/python -m pytest -q $(SMOKE) $(PYTEST_ARGS)

picture: $(READY) ## The README's picture, from the packaged policies
	$(BIN)/safer-gym demo --no-train
	mkdir -p docs && cp runs/demo/film.gif docs/film.gif

setup: $(READY) ## Only make the virtual environment

$(READY): requirements.txt pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "Python 3.10 or newer is needed; set PYTHON=/path/to/python"; exit 1; }
	@echo "Installing into $(VENV); this takes a few minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25" "setuptools>=77" $(PIP_ARGS)
	$(BIN)/python -m pip install --quiet --no-compile --requirement requirements.txt $(PIP_ARGS)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable . $(PIP_ARGS)
	touch $@

clean: ## Remove the virtual environment and what the checks leave
	rm -rf $(VENV) .venv-wheel .venv-oldest .venv-newest build dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

help: ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14
