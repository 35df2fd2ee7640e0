# `make` alone lists the targets. Paths are relative, so a space in the
# repository's own path does no harm.
.DEFAULT_GOAL := help
.PHONY: help lab test light lint format notebooks bench pictures site slides package data links system clean

PYTHON ?= python3
# For example: make lab LAB_OPTIONS=--no-browser, make test TEST_OPTIONS='-k spaces'
LAB_OPTIONS ?=
# For example: make notebooks NOTEBOOKS='--jobs 1 notebooks/05_darts.ipynb'
NOTEBOOKS ?=
TEST_OPTIONS ?= -n auto --maxprocesses 4 --dist worksteal
ROOT_OPTION := $(shell [ "$$(id -u)" = 0 ] && echo --allow-root)
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
RUN := $(BIN)/python -m
# Tests of what a reader meets before anything is trained; they import no torch.
LIGHT := tests/spaces tests/plots $(patsubst %,tests/test_%.py,scaling devices history explain imports) \
	$(patsubst %,tests/estimation/test_%.py,tables curves) \
	$(patsubst %,tests/strategies/test_%.py,halving local_search nsga2 racing)
# What chooses settings runs for a quarter of an hour and measures no ratio.
MEASURED := $(filter-out benchmarks/tune_%,$(wildcard benchmarks/[a-z]*.py))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

lab: .venv/.lab ## install what the course needs, open JupyterLab at the first notebook
	$(RUN) jupyterlab $(ROOT_OPTION) $(LAB_OPTIONS) notebooks/01_search_space.ipynb

test: lint ## check style and types, then run all tests
	$(RUN) pytest $(TEST_OPTIONS)

light: .venv/.light ## run the tests that need no PyTorch, also on macOS and Windows
	$(RUN) pytest $(TEST_OPTIONS) $(LIGHT)

lint: .venv/.dev ## check style and types of package, tests, notebooks and workflows
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) check_jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --quiet --offline --no-progress .github

format: .venv/.dev ## rewrite code and notebooks in the one style
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

notebooks: .venv/.dev ## run all notebooks; print time, memory and slowest cell of each
	$(RUN) tools.notebooks $(NOTEBOOKS)

bench: notebooks ## run all benchmarks, print their ratios in one table
	for file in $(MEASURED); do $(BIN)/python "$$file" || exit 1; done
	$(BIN)/python benchmarks/_summary.py

pictures: notebooks ## draw the README's pictures
	$(RUN) tools.pictures
	$(RUN) tools.course_map

site: notebooks ## build the web page in build/site/html
	$(RUN) pip install --quiet -e '.[site]'
	$(RUN) tools.mathjax
	$(RUN) tools.screenshots
	$(RUN) tools.play
	$(RUN) tools.site
	$(RUN) sphinx -q -W --keep-going -c site -d build/site/doctrees build/site/source build/site/html

slides: notebooks ## make slides of each notebook in build/slides
	$(RUN) tools.mathjax
	$(RUN) tools.play
	$(RUN) tools.slides

package: .venv/.light ## build and check what a package index takes, in dist/
	rm -rf dist
	$(RUN) pip install --quiet build twine
	$(RUN) build
	$(RUN) twine check --strict dist/*

data: .venv/.lab ## rebuild datasets/fashion_mnist.npz from the original files
	$(RUN) nas_lab.data

links: ## write REPO=owner/name into badges, notebooks and citation
	$(PYTHON) tools/links.py $(REPO)

system: ## on Debian and Ubuntu, install the programs that tests need
	sh tools/setup.sh system

clean: ## remove build products and caches, keep .venv
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.lab: requirements.txt pyproject.toml binder/overrides.json tools/hints.py
	PYTHON='$(PYTHON)' sh tools/setup.sh lab

.venv/.light: requirements.txt pyproject.toml
	PYTHON='$(PYTHON)' sh tools/setup.sh light

.venv/.dev: .venv/.lab
	sh tools/setup.sh dev
