# What can be done with a clone. Everything is installed into .venv and nowhere else.
# PYTHON=python3.12 chooses the Python; ARGS="..." is handed on to the command.

UV = $(or $(wildcard .venv/bin/uv),uv)
COMPILE = printf 'setuptools>=77\n' | $(UV) pip compile pyproject.toml - --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header $(ARGS)

export PYTHON

.PHONY: help run install test bench torture lock clean

help:
	@sed -n 's/^\([a-z]*\):.* ## /make \1	/p' Makefile

run: install ## run bridgemgr with the sample city; Ctrl-C stops it
	@exec .venv/bin/bridgemgr serve --demo $(ARGS)

install: ## set up .venv
	@.ci/setup requirements.lock

test: ## lint, check types and layers, and run the tests (ARGS="tests/attendance -k batch")
	@.ci/setup requirements-dev.lock
	@.ci/programs
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/python -m pytest -n 2 $(ARGS)

bench: ## measure what the aims are about, each beside its baseline
	@.ci/setup requirements-dev.lock
	@status=0; for script in tests/bench/[a-z]*.py; do echo "== $$script"; \
		.venv/bin/python -m "tests.bench.$$(basename "$$script" .py)" || status=1; done; exit $$status

torture: ## kill the service and PostgreSQL 250 times under load; up to an hour (ARGS="--kills 20 --events 50000")
	@.ci/setup requirements-dev.lock
	@.venv/bin/python -m tests.torture $(ARGS)

lock: ## bring the lock files up to date with pyproject.toml (ARGS=--upgrade: to the newest versions)
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean: ## remove .venv and everything that tools left behind
	rm -rf .venv build dist bridgemgr.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find bridgemgr tests -name __pycache__ -prune -exec rm -rf {} +
